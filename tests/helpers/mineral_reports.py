"""A small mineral map, its patches and networks, laid out for figures and report."""

import json
from pathlib import Path

from network_runs import PROPORTIONS, make_runs
from patch_scenes import CHALCOCITE, FELDSPAR, split_table
from places import put_in_place
from samples import make_record, make_scene, run_tool

SCENE = "tiny"
ZONES = ("porphyry", "potassic-phyllic")
FILES = {
    "cube.tif": "cube/cube.tif",
    "cube.json": "cube/cube.json",
    "references.csv": "minerals/library/references.csv",
    "records.csv": "minerals/library/records.csv",
    "separable.csv": "minerals/library/separable.csv",
    "sam.json": "minerals/accuracy/minerals.json",
    **{
        name: f"minerals/{name}"
        for name in ("class.tif", "angle.tif", "margin.tif", "areas.csv", "signatures.csv")
    },
    **{f"{zone}.tif": f"minerals/zones/{zone}.tif" for zone in ZONES},
}


def make_map(folder: Path, results: Path, *, synthetic: bool = True, sensor="landsat") -> Path:
    """Make a mineral map in `folder`, put it in its places; returns the sensor's folder."""
    make_scene(folder, synthetic)
    make_record(folder)
    study = results / "studies/mine"
    put_in_place(folder, study, {"classes.csv": "minerals/classes.csv"})
    record = json.loads((folder / "sam.json").read_text())
    (study / "accuracy.json").write_text(json.dumps({"study": "mine", "records": [record]}))
    place = put_in_place(folder, results / "scenes" / SCENE / sensor, FILES)
    explain_maps(place, study / "minerals/classes.csv", "--match", "origin")
    return place


def explain_maps(sensor_dir: Path, classes: Path, *flags: object) -> Path:
    """Explain a sensor's mineral maps; the path of the explanation."""
    output = sensor_dir / "minerals/explanation.json"
    cube = sensor_dir / "cube"
    done = run_tool(
        "explain_map",
        *("--scene", SCENE, "--sensor", sensor_dir.name, "--cube", cube / "cube.tif"),
        *("--cube-record", cube / "cube.json", "--minerals", sensor_dir / "minerals"),
        *("--classes", classes, "--output", output, *flags),
    )
    assert done.returncode == 0, done.stderr
    return output


def draw_flags(sensor_dir: Path, classes: Path, output: Path) -> list:
    """The command line of draw_minerals."""
    return [
        *("--scene-dir", sensor_dir, "--output-dir", output, "--classes", classes),
        *("--zones", *ZONES, "--match", "origin"),
    ]


def draw_map(sensor_dir: Path, results: Path) -> None:
    """Draw the figures of a mineral map into their place."""
    classes = results / "studies/mine/minerals/classes.csv"
    done = run_tool(
        "draw_minerals", *draw_flags(sensor_dir, classes, sensor_dir / "minerals/figures")
    )
    assert done.returncode == 0, done.stderr


def make_networks(sensor_dir: Path, figures: tuple[str, ...]) -> Path:
    """Write the networks of a map's patches; the pictures are those of another figure."""
    patches = sensor_dir / "patches"
    (patches / "figures").mkdir(parents=True)
    for name in figures:
        picture = (sensor_dir / "minerals/figures/areas.png").read_bytes()
        (patches / f"figures/{name}.png").write_bytes(picture)
    (patches / "map").mkdir()
    (patches / "map/proportions.csv").write_text(PROPORTIONS)
    make_runs(patches, split_table(), [CHALCOCITE, FELDSPAR])
    return patches

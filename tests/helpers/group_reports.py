"""Maps of groups of minerals with all that figures and report read, laid out as by the workflow."""

import json
import shutil
from pathlib import Path

import numpy as np
from mineral_reports import explain_maps
from mixed_ground import (
    ABSORPTIONS,
    CODES,
    GROUPS,
    TAGS,
    map_flags,
    merge_flags,
    mixed_ground,
    teach_flags,
    write_ground,
)
from samples import run_tool, write_raster

SCENE = "tiny"
SETTINGS = {
    "references": [*CODES],
    "match": "scene",
    "teach": {"model": "likelihood", "surest": 0.3},
    "max_angle_rad": None,
    "zones": {},
}


def run(tool: str, *flags: object) -> None:
    """Run a tool that must succeed."""
    done = run_tool(tool, *flags)
    assert done.returncode == 0, done.stderr


def make_groups(
    folder: Path, results: Path, *, cube: np.ndarray | None = None, truth: bool = True
) -> Path:
    """Map a ground by group, assess and tabulate it; returns the sensor's folder.

    The truth is that of the minerals at 2 µm.
    """
    write_ground(folder, cube)
    sensor = results / "scenes" / SCENE / "landsat"
    minerals, study = sensor / "minerals", results / "studies/mine"
    codes = mixed_ground()[1]["2um"]
    write_raster(folder / "truth.tif", codes, nodata=255, tags=TAGS)
    for place in (sensor / "cube", minerals / "library", study / "minerals"):
        place.mkdir(parents=True)
    shutil.copy(folder / "cube.tif", sensor / "cube/cube.tif")
    record = json.loads((folder / "cube.json").read_text())
    record |= {"product_id": "GROUND_1", "sensor": "A sensor", "synthetic": True, "notes": []}
    (sensor / "cube/cube.json").write_text(json.dumps(record))
    shutil.copy(folder / "references.csv", minerals / "library/references.csv")
    header = (folder / "classes.csv").read_text().splitlines()
    (study / "minerals/classes.csv").write_text("\n".join(header[:-1]) + "\n")
    classes = study / "minerals/classes.csv"
    shutil.copy(classes, folder / "classes.csv")
    known = ("--truth", folder / "truth.tif") if truth else ()
    assess = ("--classes", classes, "--scene", SCENE, "--spatial-block-px", 8, *known)
    for group in GROUPS:
        place = minerals / group
        run("map_mineral_group", *map_flags(folder, place, group))
        run("teach_minerals", *teach_flags(folder, place))
        for name in ("class", "taught"):
            run(
                "assess_accuracy",
                *("--class-map", place / f"{name}.tif", "--group", group, *assess),
                *("--method", f"{name} at {group}"),
                *("--output", minerals / f"accuracy/{group}-{name}.json"),
            )
    run("merge_mineral_groups", *merge_flags(folder, minerals, *(minerals / g for g in GROUPS)))
    run(
        "assess_accuracy",
        *("--class-map", minerals / "class.tif", *assess),
        *("--method", "Spectral angles about the scene's mean"),
        *("--output", minerals / "accuracy/minerals.json"),
    )
    run(
        "tabulate_classes",
        *("--class-map", minerals / "class.tif", "--angle", minerals / "angle.tif"),
        *("--cube", folder / "cube.tif", "--classes", classes, "--areas", minerals / "areas.csv"),
        *("--signatures", minerals / "signatures.csv", "--pixels", folder / "pixels.gpkg"),
        *("--outlines", folder / "outlines.gpkg"),
        *("--points-per-class", 5),
    )
    rows = [f"{name},analytic,{name}" for name in ABSORPTIONS]
    (minerals / "library/records.csv").write_text("\n".join(["name,library,record", *rows]) + "\n")
    rows = [f"{name},14," for name in ABSORPTIONS]
    header = "mineral,bands,one_with"
    (minerals / "library/separable.csv").write_text("\n".join([header, *rows]) + "\n")
    explain_maps(sensor, classes, "--match", "scene", "--groups", *GROUPS, "--taught", *GROUPS)
    records = [json.loads(path.read_text()) for path in sorted(minerals.glob("accuracy/*.json"))]
    (study / "accuracy.json").write_text(json.dumps({"study": "mine", "records": records}))
    return sensor


def draw_groups(sensor: Path, results: Path, match: str = "scene") -> None:
    """Draw the figures into their place."""
    run(
        "draw_minerals",
        *("--scene-dir", sensor, "--output-dir", sensor / "minerals/figures"),
        *("--classes", results / "studies/mine/minerals/classes.csv", "--match", match),
        *("--groups", *GROUPS, "--taught", *GROUPS),
    )

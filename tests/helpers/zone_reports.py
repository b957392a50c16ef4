"""A small scene of two zones, taken through every tool up to its figures and its report."""

import json
import shutil
from pathlib import Path

from places import put_in_place
from samples import run_tool
from zone_scenes import BANDS, MAD, TRANSFORM, ZONES, make_zones, map_zone

SCENE = "tiny"
FILES = {
    "cube.tif": "aster/zones/cube.tif",
    "cube.json": "aster/zones/cube.json",
    "anomalies.tif": "aster/zones/mad/anomalies.tif",
    "anomalies.csv": "aster/zones/mad/anomalies.csv",
    "subbands.tif": "aster/zones/wavelets/subbands.tif",
    "profile.csv": "aster/zones/wavelets/profile.csv",
    "details": "aster/zones/wavelets",
    "comparison.csv": "aster/zones/wavelets/comparison.csv",
    "confidence": "aster/zones/confidence",
    "confidence.csv": "aster/zones/confidence/confidence.csv",
}
PUBLISHED = {
    "published/anomalies.csv": "aster/zones/published/mad/anomalies.csv",
    "published/subbands.tif": "aster/zones/published/wavelets/subbands.tif",
    "published/details": "aster/zones/published/wavelets",
    "published/confidence": "aster/zones/published/confidence",
    "published/scores.csv": "aster/zones/published/scores.csv",
}
"""What the method as published leaves, whose anomalies are the study's own."""
OWN_FIGURES = (
    *("composite", "signal", "histograms", "anomalies", "subbands", "profile", "details"),
    *("wavelets", *(f"confidence-{zone}" for zone in ZONES), "levels"),
    *("scores", "curves", "comparison"),
)
FIGURES = (
    *OWN_FIGURES,
    *("published-subbands", "published-details", "published-levels"),
    *(f"published-confidence-{zone}" for zone in ZONES),
)


def make_study(folder: Path, *, synthetic: bool = True, reference: bool = True) -> Path:
    """Write all that draw_zones and render_report read, the figures excepted."""
    make_zones(folder, synthetic=synthetic)
    write_record(folder / "cube.json", synthetic)
    vector = ("--truth", folder / "zones.gpkg") if reference else ()
    maps = [folder / "confidence" / f"{zone}.tif" for zone in ZONES]
    for tool, arguments in (
        (
            "map_anomalies",
            (*MAD, "--output", folder / "anomalies.tif", "--table", folder / "anomalies.csv"),
        ),
        (
            "transform_wavelets",
            (
                *(*TRANSFORM, "--wavelet", "sym4", "--output", folder / "subbands.tif"),
                *("--profile", folder / "profile.csv"),
            ),
        ),
        (
            "compare_wavelets",
            (
                *(*TRANSFORM, "--wavelets", "haar", "sym4", *vector, "--seed", 42),
                *("--spatial-block-px", 16, "--bootstrap", 100),
                *("--output", folder / "comparison.csv"),
            ),
        ),
    ):
        done = run_tool(tool, "--cube", folder / "cube.tif", *arguments)
        assert done.returncode == 0, done.stderr
    for zone in ZONES:
        assert map_zone(folder, zone).returncode == 0
    assess_details(folder, "subbands.tif", "details", vector)
    if reference:
        run_as_published(folder, vector)
    done = run_tool(
        "assess_zones",
        *("--confidence", *maps, *vector, "--scene", SCENE, "--spatial-block-px", 16),
        *("--bootstrap", 100, "--table", folder / "confidence.csv"),
        *("--record-dir", folder / "accuracy"),
    )
    assert done.returncode == 0, done.stderr
    if reference:
        done = run_tool(
            "score_alteration",
            *("--cube", folder / "cube.tif", "--subbands", folder / "subbands.tif"),
            *("--reflectance", folder / "reflectance.tif", "--zone", *ZONES, *vector),
            *("--confidence", *maps, "--anomalies", folder / "anomalies.tif", "--published"),
            *(folder / "published/confidence" / f"{zone}.tif" for zone in ZONES),
            *("--references", folder / "references.csv"),
            *("--minerals", "phyllic", "muscovite", "--minerals", "propylitic", "chlorite"),
            *("--scene", SCENE, "--spatial-block-px", 16, "--folds", 3, "--per-class", 400),
            *("--buffer-px", 4, "--seed", 42, "--outside", "other"),
            *(
                "--bootstrap",
                100,
                "--output",
                *(folder / "score" / f"{zone}.tif" for zone in ZONES),
            ),
            *("--record", folder / "score/score.json", "--curves", folder / "score/curves.csv"),
            *("--record-dir", folder / "accuracy"),
        )
        assert done.returncode == 0, done.stderr
    done = run_tool(
        "collect_accuracy",
        *("--study", "mine", "--records", "zones", "aster", folder / "accuracy"),
        *("--output", folder / "accuracy.json"),
    )
    assert done.returncode == 0, done.stderr
    return folder


def assess_details(folder: Path, subbands: str, out: str, vector: tuple) -> None:
    """Run assess_details on sub-bands of a folder, without faults."""
    done = run_tool(
        "assess_details",
        *("--subbands", folder / subbands, "--zone", *ZONES, "--fault-distance-m", 100, *vector),
        *("--spatial-block-px", 16, "--bootstrap", 100, "--seed", 42),
        *("--table", folder / out / "details.csv", "--profile", folder / out / "edge.csv"),
        *("--record", folder / out / "details.json"),
    )
    assert done.returncode == 0, done.stderr


def run_as_published(folder: Path, vector: tuple) -> None:
    """Run the method as published on the study's own anomalies."""
    out = folder / "published"
    anomalies = ("--anomalies", folder / "anomalies.tif")
    done = run_tool(
        "transform_wavelets",
        *("--cube", folder / "cube.tif", *TRANSFORM, "--wavelet", "sym4", *anomalies),
        *("--output", out / "subbands.tif", "--profile", out / "profile.csv"),
    )
    assert done.returncode == 0, done.stderr
    for zone in ZONES:
        more = ("--subbands", out / "subbands.tif", "--output", out / f"confidence/{zone}.tif")
        assert map_zone(folder, zone, *more).returncode == 0
    done = run_tool(
        "assess_zones",
        *("--confidence", *(out / "confidence" / f"{zone}.tif" for zone in ZONES), *anomalies),
        *(*vector, "--scene", SCENE, "--spatial-block-px", 16, "--bootstrap", 100),
        *("--table", out / "scores.csv", "--record-dir", out / "accuracy"),
    )
    assert done.returncode == 0, done.stderr
    assess_details(folder, "published/subbands.tif", "published/details", vector)
    shutil.copy(folder / "anomalies.csv", out)


def write_record(path: Path, synthetic: bool) -> None:
    """Write a record of preprocessing with stages and histograms."""
    item = {"low": 0.1, "width": 0.01, "counts": [3, 8, 12, 5, 1]}
    record = {
        "product_id": "AST_L1T_TEST",
        "sensor": "Terra ASTER",
        "acquired": "2002-07-21T07:11:00Z",
        "synthetic": synthetic,
        "atmosphere": "iarr log_residuals",
        "normalisation": "minmax",
        "pixels": {"total": 10_752, "observed": 10_752, "valid": 10_740},
        "stages": [
            {"stage": name, "snr": dict.fromkeys(BANDS, snr)}
            for name, snr in (("toa", 12.0), ("iarr", 12.0), ("log_residuals", 30.0))
        ],
        "histograms": {when: dict.fromkeys(BANDS, item) for when in ("before", "after")},
    }
    path.write_text(json.dumps(record))


def lay_out_study(folder: Path, results: Path, *, reference: bool = True) -> Path:
    """Put what `make_study` wrote where the workflow puts it; returns the sensor's folder."""
    scored = ("score/score.json", "score/curves.csv") if reference else ()
    score = {name: f"aster/zones/{name}" for name in scored}
    if reference:
        score |= {f"score/{zone}.tif": f"aster/zones/score/maps/{zone}.tif" for zone in ZONES}
    as_published = PUBLISHED if reference else {}
    scene = put_in_place(folder, results / "scenes" / SCENE, FILES | score | as_published)
    accuracy = scene / "aster/zones/accuracy"
    for path in sorted((folder / "accuracy").iterdir()):
        rule = path.stem.rpartition("-")[2] in ("medium", "high", "either")
        kind = "confidence" if rule else "score"
        put_in_place(path.parent, accuracy, {path.name: f"{kind}/{path.name}"})
    return scene / "aster"


def draw_flags(scene_dir: Path, output: Path, truth: Path | None = None) -> list:
    """The command line of draw_zones; without a truth, of a scene without a score."""
    flags = ["--scene-dir", scene_dir, "--output-dir", output]
    return flags if truth is None else [*flags, "--truth", truth, "--scored", "--as-published"]

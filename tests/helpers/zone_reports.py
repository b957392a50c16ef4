"""A small scene of two zones, taken through every tool up to its figures and its report."""

import json
from pathlib import Path

from samples import run_tool
from zone_scenes import BANDS, STUDY_BANDS, ZONES, make_zones, map_zone

SCENE = "tiny"
FIGURES = (
    *("composite", "signal", "histograms", "anomalies", "subbands", "profile", "wavelets"),
    *(f"confidence-{zone}" for zone in ZONES),
    *("scores", "curves", "comparison"),
)


def make_study(folder: Path, *, synthetic: bool = True, reference: bool = True) -> Path:
    """Write all that draw_zones and render_zone_report read, the figures excepted."""
    make_zones(folder, synthetic=synthetic)
    write_record(folder / "cube.json", synthetic)
    vector = ("--truth", folder / "zones.gpkg") if reference else ()
    maps = [folder / "confidence" / f"{zone}.tif" for zone in ZONES]
    bands = ("--bands", *STUDY_BANDS)
    for tool, arguments in (
        (
            "map_anomalies",
            (*bands, "--output", folder / "anomalies.tif", "--table", folder / "anomalies.csv"),
        ),
        (
            "transform_wavelets",
            (*bands, "--output", folder / "subbands.tif", "--profile", folder / "profile.csv"),
        ),
        (
            "compare_wavelets",
            (
                *(*bands, "--wavelets", "haar", "sym4", *vector),
                *(
                    "--spatial-block-px",
                    16,
                    "--bootstrap",
                    100,
                    "--output",
                    folder / "comparison.csv",
                ),
            ),
        ),
    ):
        done = run_tool(tool, "--cube", folder / "cube.tif", *arguments)
        assert done.returncode == 0, done.stderr
    for zone in ZONES:
        assert map_zone(folder, zone).returncode == 0
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
            *("--confidence", *maps, "--references", folder / "references.csv"),
            *("--minerals", "phyllic", "muscovite", "--minerals", "propylitic", "chlorite"),
            *("--scene", SCENE, "--spatial-block-px", 16, "--folds", 3, "--per-class", 400),
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
        *("--study", "zafarghand", "--records", *sorted((folder / "accuracy").iterdir())),
        *("--output", folder / "accuracy.json"),
    )
    assert done.returncode == 0, done.stderr
    zones = {
        "phyllic": {"medium": [0.6, 0.7], "high": [0.7, 1.0], "minerals": ["muscovite"]},
        "propylitic": {"medium": [0.3, 0.5], "high": [0.5, 0.65], "minerals": ["chlorite"]},
    }
    settings = {"wavelet": {"name": "sym4", "level": 1}, "zones": zones}
    (folder / "config.json").write_text(json.dumps({"studies": {"zafarghand": settings}}))
    return folder


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


def draw_flags(folder: Path, output: Path, *, reference: bool = True) -> list:
    """The command line of draw_zones for a folder of `make_study`."""
    files = {
        "cube": "cube.tif",
        "record": "cube.json",
        "anomalies": "anomalies.tif",
        "anomaly-table": "anomalies.csv",
        "subbands": "subbands.tif",
        "profile": "profile.csv",
        "wavelets": "comparison.csv",
        "confidence-table": "confidence.csv",
    }
    if reference:
        files |= {
            "reference": "zones.gpkg",
            "score-record": "score/score.json",
            "curves": "score/curves.csv",
        }
    flags = [part for name, file in files.items() for part in (f"--{name}", folder / file)]
    flags += ["--confidence", *(folder / "confidence" / f"{zone}.tif" for zone in ZONES)]
    if reference:
        flags += ["--scores", *(folder / "score" / f"{zone}.tif" for zone in ZONES)]
    return [*flags, "--output-dir", output]


def report_flags(folder: Path, output: Path, *, score: bool = True, scene: str = SCENE) -> list:
    """The command line of render_zone_report for a folder of `make_study` with its figures."""
    return [
        *("--study", "zafarghand", "--scene", scene, folder / "cube.json", folder / "figures"),
        *(folder / "anomalies.csv", folder / "confidence.csv", folder / "comparison.csv"),
        *(("--score", scene, folder / "score/score.json") if score else ()),
        *("--accuracy", folder / "accuracy.json", "--config", folder / "config.json"),
        *("--output", output),
    ]

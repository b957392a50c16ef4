"""A small iron district, taken through every tool up to its figures and its report."""

import json
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from iron_scenes import (
    BANDS,
    CENTRES_UM,
    CRS,
    FWHM_UM,
    MINES,
    PIXEL_M,
    TAGS,
    make_district,
    place,
    sampling,
    square,
)
from samples import run_tool, write_raster

SCENE = "tiny"
VALIDATION = ("composite", "splits", "confusions", "importance", "shap")
MAPS = ("classes", "probability")
FIGURES = (
    *("composite", "looks", "strata", "eigenvalues", "endmembers", "scan", "robustness", "labels"),
    *("splits", "confusions", "importance", "shap", "classes", "probability"),
    *("potential", "overlay", "success", "prediction-area"),
)
PLANS = (
    {"name": "pixel", "estimators": 8},
    {"name": "windows", "estimators": 8, "windows_px": [3]},
)


def shared_study(factory) -> Path:
    """The study of `make_study` in the tests' own folder, made once."""
    folder = factory.getbasetemp() / "prospect-study"
    if not folder.exists():
        make_study(factory.mktemp("study") / "scene").rename(folder)
    return folder


def run(name: str, *arguments: object) -> None:
    """Run a tool that must succeed."""
    done = run_tool(name, *arguments)
    assert done.returncode == 0, f"{name}: {done.stderr}"


def make_study(folder: Path) -> Path:
    """Write all that draw_prospects and render_prospect_report read, the figures excepted."""
    make_district(folder)
    write_ground(folder)
    small = ("--counts", 12, 12, 12, 20, "--ore-count", 15, "--min-distance-m", 40)
    run("sample_strata", *sampling(folder, folder, *small, "--truth", folder / "truth.tif"))
    run(
        "transform_mnf",
        *("--cube", folder / "cube.tif", "--components", 4, "--skewers", 50),
        *("--output", folder / "mnf.tif", "--eigenvalues", folder / "eigenvalues.csv"),
        *("--purity", folder / "purity.tif", "--endmembers", folder / "endmembers.csv"),
        *("--places", folder / "places.csv"),
    )
    run(
        "label_iron",
        *("--cube", folder / "cube.tif", "--references", folder / "references.csv"),
        *("--samples", folder / "samples.gpkg", "--geology", folder / "geology.gpkg"),
        *("--classes", folder / "iron.csv", "--covers", folder / "covers.csv"),
        *("--scene", SCENE, "--bootstrap", 100, "--similarity", folder / "similarity.tif"),
        *("--labels", folder / "iron.tif", "--scan", folder / "scan.csv"),
        *("--robustness", folder / "robustness.csv", "--spectra", folder / "spectra.csv"),
        *("--record", folder / "labels.json", "--accuracy", folder / "accuracy" / "sam.json"),
    )
    (folder / "plans.json").write_text(json.dumps(PLANS))
    run(
        "validate_forest",
        *("--cube", folder / "cube.tif", "--samples", folder / "samples.gpkg"),
        *("--classes", folder / "covers.csv", "--plans", folder / "plans.json"),
        *("--scene", SCENE, "--spatial-block-px", 16, "--folds", 2, "--bootstrap", 100),
        *("--table", folder / "scores.csv", "--record-dir", folder / "accuracy"),
        *("--chosen", folder / "plan.json", "--importance", folder / "importance.csv"),
        *("--shap", folder / "shap.csv", "--threads", 1),
    )
    map_iron(folder)
    run(
        "collect_accuracy",
        *("--study", "bahia", "--records", folder / "accuracy"),
        *("--output", folder / "accuracy.json"),
    )
    (folder / "config.json").write_text(json.dumps({"studies": {"bahia": {}}}))
    return folder


def write_ground(folder: Path) -> None:
    """Write looks, a stack of bands without wavelengths, claims, occurrences and records."""
    with rasterio.open(folder / "cube.tif") as dataset:
        values = dataset.read()
    looks = np.where(values[0] == -32768, 0, 2).astype("uint16")
    looks[:20] = np.minimum(looks[:20], 1)
    grid = {"tags": TAGS, "pixel": PIXEL_M, "crs": CRS}
    write_raster(folder / "looks.tif", looks, **grid)
    stack = np.where(values[:3] == -32768, np.nan, values[:3]).astype("float32")
    write_raster(folder / "stack.tif", stack, nodata=np.nan, **grid | {"tags": {}})
    middles = [*MINES.values(), (20, 20), (100, 100), (30, 90), (60, 30)]
    geopandas.GeoDataFrame(
        {"substance": ["Iron"] * 5 + ["gold"]},
        geometry=[square(*middle, 6) for middle in middles],
        crs=CRS,
    ).to_file(folder / "claims.gpkg")
    geopandas.GeoDataFrame(
        {"substance": ["iron"] * 6},
        geometry=geopandas.points_from_xy(*zip(*(place(*m) for m in middles), strict=True)),
        crs=CRS,
    ).to_file(folder / "occurrences.gpkg")
    dates = [
        {
            "product_id": f"S2A_MSIL2A_2022070{day}T130251",
            "acquired": f"2022-07-0{day}T13:02:51Z",
            "sun_elevation_deg": 44.0,
            "clear_share": 0.9,
        }
        for day in (1, 6)
    ]
    record = {
        "product_id": "median of 2 date(s)",
        "sensor": "Sentinel-2A MSI",
        "acquired": "2022-07-01T13:02:51Z",
        "synthetic": True,
        "atmosphere": "L2A",
        "normalisation": "clip",
        "pixels": {"total": 14_400, "observed": 14_390, "valid": 14_364},
        "masked": {"cloud": {"pixels": 700, "share_of_observed": 0.02}},
        "bands": [
            {"name": name, "centre_um": centre, "fwhm_um": fwhm}
            for name, centre, fwhm in zip(BANDS, CENTRES_UM, FWHM_UM, strict=True)
        ],
        "looks": {"pixels_by_count": [36, 2000, 12_364]},
        "dates": dates,
    }
    (folder / "cube.json").write_text(json.dumps(record))
    plain = {"product_id": "stack", "sensor": "raster stack", "synthetic": False}
    plain |= {"bands": [{"name": name} for name in BANDS[:3]], "masked": {}}
    (folder / "plain.json").write_text(json.dumps(plain))


def map_iron(folder: Path) -> None:
    """Train a forest on the grades, map it, and rank targets."""
    with rasterio.open(folder / "iron.tif") as dataset:
        codes, transform = dataset.read(1), dataset.transform
    lines = ["x,y,class"]
    for code in range(1, 8):
        rows, columns = np.nonzero(codes == code)
        if len(rows) < 10:
            continue
        for own in np.random.default_rng(code).permutation(len(rows))[:80]:
            x, y = transform * (columns[own] + 0.5, rows[own] + 0.5)
            lines.append(f"{x},{y},{code}")
    (folder / "grades.csv").write_text("\n".join(lines))
    (folder / "map_plan.json").write_text(json.dumps(PLANS[0]))
    run(
        "train_forest",
        *("--cube", folder / "cube.tif", "--samples", folder / "grades.csv"),
        *("--classes", folder / "iron.csv", "--plan", folder / "map_plan.json"),
        *("--forest", folder / "forest.npz", "--record", folder / "forest.json", "--threads", 1),
    )
    run(
        "map_forest",
        *("--cube", folder / "cube.tif", "--forest", folder / "forest.npz"),
        *("--classes", folder / "iron.csv", "--class-map", folder / "class.tif"),
        *("--probability", folder / "probability.tif", "--threads", 1),
        *("--uncertainty", folder / "uncertainty.tif"),
    )
    run(
        "map_potential",
        *("--probability", folder / "probability.tif", "--geology", folder / "geology.gpkg"),
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
    )
    run(
        "rank_targets",
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
        *("--claims", folder / "claims.gpkg", "--occurrences", folder / "occurrences.gpkg"),
        *("--mines", folder / "mines.gpkg", "--substances", "iron", "--scene", SCENE),
        *("--min-area-ha", 0.1, "--spatial-block-px", 16, "--bootstrap", 100),
        *("--targets", folder / "targets.gpkg", "--kml", folder / "targets.kml"),
        *("--overlay", folder / "overlay.csv", "--curves", folder / "curves.csv"),
        *("--record", folder / "targets.json"),
    )


def flags_of(folder: Path, files: dict[str, str]) -> list:
    """Flags that name files of a folder."""
    return [part for name, file in files.items() for part in (f"--{name}", folder / file)]


def validation_flags(folder: Path, output: Path, cube: str, record: str) -> list:
    """What draw_prospects needs of any scene."""
    tables = {"scores": "scores.csv", "importance": "importance.csv", "shap": "shap.csv"}
    return [
        *("--study", "bahia", "--cube", folder / cube, "--record", folder / record),
        *("--classes", folder / "covers.csv", "--accuracy", folder / "accuracy"),
        *flags_of(folder, tables),
        *("--output-dir", output),
    ]


def map_flags(folder: Path) -> list:
    """The forest's map, for draw_prospects."""
    rasters = ("class_map", "class.tif"), ("probability", "probability.tif")
    files = {name.replace("_", "-"): file for name, file in rasters}
    return flags_of(folder, files | {"uncertainty": "uncertainty.tif", "map-classes": "iron.csv"})


def draw_flags(folder: Path, output: Path) -> list:
    """The command line of draw_prospects for all that `make_study` writes."""
    files = {
        "looks": "looks.tif",
        "samples": "samples.gpkg",
        "strata": "strata.csv",
        "mines": "mines.gpkg",
        "eigenvalues": "eigenvalues.csv",
        "endmembers": "endmembers.csv",
        "scan": "scan.csv",
        "robustness": "robustness.csv",
        "similarity": "similarity.tif",
        "labels": "iron.tif",
        "geology": "geology.gpkg",
        "potential": "potential.tif",
        "targets": "targets.gpkg",
        "targets-record": "targets.json",
        "overlay": "overlay.csv",
        "curves": "curves.csv",
        "claims": "claims.gpkg",
        "occurrences": "occurrences.gpkg",
    }
    return [
        *validation_flags(folder, output, "cube.tif", "cube.json"),
        *map_flags(folder),
        *flags_of(folder, files),
        *("--substances", "iron"),
    ]


def plain_flags(folder: Path, output: Path) -> list:
    """The command line of draw_prospects for a stack without wavelengths, and points alone."""
    return [*validation_flags(folder, output, "stack.tif", "plain.json"), *map_flags(folder)]


TABLES = {
    "strata": "strata.csv",
    "eigenvalues": "eigenvalues.csv",
    "labels": "labels.json",
    "robustness": "robustness.csv",
    "forest": "forest.json",
    "targets": "targets.json",
    "overlay": "overlay.csv",
}


def report_flags(
    folder: Path,
    figures: Path,
    output: Path,
    *,
    record: str = "cube.json",
    tables: tuple[str, ...] = tuple(TABLES),
    scene: str = SCENE,
) -> list:
    """The command line of render_prospect_report for a folder of `make_study`."""
    return [
        *("--study", "bahia", "--scene", scene, folder / record, figures, folder / "scores.csv"),
        *(part for name in tables for part in ("--table", name, scene, folder / TABLES[name])),
        *("--accuracy", folder / "accuracy.json", "--config", folder / "config.json"),
        *("--output", output),
    ]

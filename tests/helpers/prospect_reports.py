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
from places import PUBLISHED, put_in_place
from samples import known_tables, run_tool, write_raster

SCENE = "tiny"
VALIDATION = ("composite", "splits", "confusions", "importance", "shap")
MAPS = ("classes", "probability")
FIGURES = (
    *("composite", "looks", "strata", "scan", "robustness", "labels"),
    *("splits", "confusions", "importance", "shap", "classes", "probability", "potential"),
    *("reflectance", "medians", "boxes", "halo", "beside"),
)
OTHERS = (
    *("eigenvalues", "endmembers", "targets", "overlay", "success", "prediction-area"),
    *("periods", "districts"),
)
MNF_FIGURES = "sentinel2/mnf/figures"
TARGET_FIGURES = "targets/figures"
SAMPLED = {
    "cube.tif": "sentinel2/cube/cube.tif",
    "cube.json": "sentinel2/cube/cube.json",
    "looks.tif": "sentinel2/cube/looks.tif",
    "eigenvalues.csv": "sentinel2/mnf/eigenvalues.csv",
    "endmembers.csv": "sentinel2/mnf/endmembers.csv",
    "samples.gpkg": "sentinel2/prospects/samples/samples.gpkg",
    "strata.csv": "sentinel2/prospects/samples/strata.csv",
    "scan.csv": "sentinel2/prospects/labels/scan.csv",
    "robustness.csv": "sentinel2/prospects/labels/robustness.csv",
    "similarity.tif": "sentinel2/prospects/labels/similarity.tif",
    "iron.tif": "sentinel2/prospects/labels/iron.tif",
    "labels.json": "sentinel2/prospects/labels/labels.json",
    "points.csv": "sentinel2/prospects/labels/points.csv",
    **{
        f"published/{name}": f"sentinel2/prospects/published/{name}"
        for name in ("forest.json", "cells.csv", "scores.csv", "sites.csv", "potential.tif")
    },
    "potential.tif": "sentinel2/prospects/potential/potential.tif",
    "targets.gpkg": "targets/targets.gpkg",
    "targets.json": "targets/targets.json",
    "targets.csv": "targets/targets.csv",
    "agreement.json": "targets/agreement.json",
    "combined.csv": "targets/combined.csv",
    "overlay.csv": "targets/overlay.csv",
    "curves.csv": "targets/curves.csv",
    "periods.csv": "targets/periods.csv",
    "districts.csv": "targets/districts.csv",
    "known_mines.csv": "targets/known_mines.csv",
}
FOREST = {
    "scores.csv": "forest/validation.csv",
    "importance.csv": "forest/importance.csv",
    "shap.csv": "forest/shap.csv",
}
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
    """Write all that draw_prospects and render_report read, the figures excepted."""
    make_district(folder)
    write_ground(folder)
    small = ("--counts", 12, 12, 12, 20, "--ore-count", 15, "--min-distance-m", 40)
    run("sample_strata", *sampling(folder, folder, *small, "--truth", folder / "truth.tif"))
    run(
        "transform_mnf",
        *("--cube", folder / "cube.tif", "--components", 4, "--skewers", 50),
        *("--purity-threshold", 2.5, "--endmember-count", 0, "--seed", 42),
        *("--output", folder / "mnf.tif", "--eigenvalues", folder / "eigenvalues.csv"),
        *("--purity", folder / "purity.tif", "--endmembers", folder / "endmembers.csv"),
        *("--places", folder / "places.csv"),
    )
    run(
        "label_iron",
        *("--cube", folder / "cube.tif", "--references", folder / "references.csv"),
        *("--samples", folder / "samples.gpkg", "--geology", folder / "geology.gpkg"),
        *("--classes", folder / "iron.csv", "--covers", folder / "covers.csv"),
        *("--theta-max-rad", "published", "--grades", 0.9, 0.8, 0.7, "--seed", 42),
        *("--scene", SCENE, "--bootstrap", 100, "--similarity", folder / "similarity.tif"),
        *("--labels", folder / "iron.tif", "--scan", folder / "scan.csv"),
        *("--robustness", folder / "robustness.csv", "--spectra", folder / "spectra.csv"),
        *("--record", folder / "labels.json", "--accuracy", folder / "accuracy" / "sam.json"),
        *("--points", folder / "points.csv"),
    )
    (folder / "plans.json").write_text(json.dumps(PLANS))
    run(
        "validate_forest",
        *("--cube", folder / "cube.tif", "--samples", folder / "samples.gpkg"),
        *("--classes", folder / "covers.csv", "--plans", folder / "plans.json"),
        *("--scene", SCENE, "--spatial-block-px", 16, "--folds", 2, "--bootstrap", 100),
        *("--label", "class", "--seed", 42),
        *("--table", folder / "scores.csv", "--record-dir", folder / "accuracy"),
        *("--chosen", folder / "plan.json", "--importance", folder / "importance.csv"),
        *("--shap", folder / "shap.csv", "--threads", 1),
    )
    map_iron(folder)
    map_as_published(folder)
    run(
        "collect_accuracy",
        *("--study", "mine", "--records", "prospects", "sentinel2", folder / "accuracy"),
        *("--output", folder / "accuracy.json"),
    )
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
        {"name": ["Old pit", "Trench"]},
        geometry=geopandas.points_from_xy(*zip(place(30, 30), place(20, 90), strict=True)),
        crs=CRS,
    ).to_file(folder / "known_mines.gpkg")
    geopandas.GeoDataFrame(
        {"name": ["West", "East"]},
        geometry=[square(30, 60, 30), square(90, 60, 30)],
        crs=CRS,
    ).to_file(folder / "districts.gpkg")
    geopandas.GeoDataFrame(
        {
            "substance": ["Iron"] * 5 + ["gold"],
            "date": ["2001-05-01", "2012-01-01", None, "2021", "1999-12-31", "2001-01-01"],
        },
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
        *("--scene", SCENE, "--label", "class", "--per-class", 150, "--seed", 42),
        *("--forest", folder / "forest.npz", "--record", folder / "forest.json", "--threads", 1),
    )
    run(
        "map_forest",
        *("--cube", folder / "cube.tif", "--forest", folder / "forest.npz", "--scene", SCENE),
        *("--classes", folder / "iron.csv", "--class-map", folder / "class.tif"),
        *("--probability", folder / "probability.tif", "--threads", 1),
        *("--uncertainty", folder / "uncertainty.tif"),
    )
    run(
        "map_potential",
        *("--probability", folder / "probability.tif", "--geology", folder / "geology.gpkg"),
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
        *("--medium", 0.34, "--high", 0.67),
    )
    together = folder / "together"
    run(
        "map_agreement",
        *("--map", "potential", "prospects sentinel2", folder / "potential.tif"),
        *(folder / "score.tif", "--medium", 0.34, "--high", 0.67, "--seed", 1, "--scene", SCENE),
        *("--potential", together / "potential.tif", "--score", together / "score.tif"),
        *("--support", together / "support.tif", "--record", folder / "agreement.json"),
        *("--comparison", folder / "combined.csv", "--bootstrap", 100, "--spatial-block-px", 16),
    )
    run(
        "rank_targets",
        *("--potential", together / "potential.tif", "--score", together / "score.tif"),
        *("--support", together / "support.tif"),
        *("--class-map", folder / "class.tif", folder / "iron.csv"),
        *("--claims", folder / "claims.gpkg", "--occurrences", folder / "occurrences.gpkg"),
        *("--mines", folder / "mines.gpkg", "--substances", "iron", "--scene", SCENE),
        *("--min-area-ha", 0.1, "--spatial-block-px", 16, "--bootstrap", 100, "--seed", 42),
        *("--substance-attribute", "substance", "--level", "medium"),
        *("--targets", folder / "targets.gpkg", "--kml", folder / "targets.kml"),
        *("--overlay", folder / "overlay.csv", "--curves", folder / "curves.csv"),
        *("--known-mines", folder / "known_mines.gpkg", "--districts", folder / "districts.gpkg"),
        *("--periods", "1992-2009", "2010-"),
        *("--record", folder / "targets.json", *known_tables(folder)),
    )


def map_as_published(folder: Path) -> None:
    """Teach a forest with the graded strata, map it, and compare its potential with ours."""
    own = folder / "published"
    run(
        "teach_grades",
        *("--cube", folder / "cube.tif", "--samples", folder / "samples.gpkg"),
        *("--strata", folder / "strata.csv", "--points", folder / "points.csv"),
        *("--assignments", PUBLISHED.parent / "strata_grades.csv"),
        *("--classes", folder / "iron.csv", "--theta-max-rad", 1.57, "--grades", 0.9, 0.8, 0.7),
        *("--weight", "similarity", "--estimators", 8, "--min-samples-split", 10),
        *("--min-samples-leaf", 3, "--label-map", folder / "iron.tif", "--per-class", 40),
        *("--plan", folder / "map_plan.json", "--medium", 0.34, "--high", 0.67),
        *("--geology", folder / "geology.gpkg", "--scene", SCENE, "--spatial-block-px", 16),
        *("--folds", 2, "--bootstrap", 100, "--seed", 42, "--forest", own / "forest.npz"),
        *("--record", own / "forest.json", "--cells", own / "cells.csv"),
        *("--table", own / "scores.csv", "--record-dir", own / "records", "--threads", 1),
    )
    run(
        "map_forest",
        *("--cube", folder / "cube.tif", "--forest", own / "forest.npz", "--scene", SCENE),
        *("--classes", folder / "iron.csv", "--class-map", own / "class.tif", "--threads", 1),
        *("--probability", own / "probability.tif", "--uncertainty", own / "uncertainty.tif"),
    )
    run(
        "map_potential",
        *("--probability", own / "probability.tif", "--geology", folder / "geology.gpkg"),
        *("--potential", own / "potential.tif", "--score", own / "score.tif", "--by", "class"),
        *("--medium", 0.34, "--high", 0.67),
    )
    run(
        "compare_potentials",
        *("--potential", own / "potential.tif", folder / "potential.tif"),
        *("--score", own / "score.tif", folder / "score.tif", "--mines", folder / "mines.gpkg"),
        *("--claims", folder / "claims.gpkg", "--occurrences", folder / "occurrences.gpkg"),
        *("--substances", "iron", "--substance-attribute", "substance"),
        *("--spatial-block-px", 16, "--bootstrap", 100, "--seed", 42),
        *("--table", own / "sites.csv", "--threads", 1),
    )


def lay_out_study(folder: Path, results: Path, *, sampled: bool = True) -> Path:
    """Put what `make_study` wrote where the workflow puts it; returns the scene's folder.

    Not `sampled`: as a stack of rasters with points.
    """
    scene = results / "scenes" / SCENE
    if not sampled:
        plain = {"stack.tif": "rasters/cube/cube.tif", "plain.json": "rasters/cube/cube.json"}
        put_in_place(folder, scene, plain)
    else:
        put_in_place(folder, scene, SAMPLED)
    sensor, target = ("sentinel2", "iron") if sampled else ("rasters", "cover")
    prospects = scene / sensor / "prospects"
    put_in_place(folder, prospects, FOREST)
    maps = ("class.tif", "probability.tif", "uncertainty.tif")
    put_in_place(folder, prospects, {name: f"{target}/{name}" for name in maps})
    put_in_place(folder, prospects, {"forest.json": f"forest/{target}.json"})
    for path in sorted((folder / "accuracy").iterdir()):
        if path.stem != "sam":
            put_in_place(path.parent, prospects / "accuracy/forest", {path.name: path.name})
        elif sampled:
            put_in_place(path.parent, prospects / "accuracy", {path.name: "labels.json"})
    return scene


def draw_flags(folder: Path, scene: Path, output: Path) -> list:
    """The command line of draw_prospects for all that `make_study` writes."""
    return [
        *("--scene-dir", scene / "sentinel2", "--output-dir", output, "--sampled", "--beside"),
        *("--classes", folder / "covers.csv", "--map-classes", folder / "iron.csv"),
        *("--mines", folder / "mines.gpkg", "--geology", folder / "geology.gpkg"),
        *("--claims", folder / "claims.gpkg", "--occurrences", folder / "occurrences.gpkg"),
        *("--known-mines", folder / "known_mines.gpkg"),
        *("--substances", "iron", "--substance-attribute", "substance"),
        *("--targets", scene / "targets"),
        *("--paper", "bahia", "--published", PUBLISHED),
    ]


def plain_flags(folder: Path, scene: Path, output: Path) -> list:
    """The command line of draw_prospects for a stack without wavelengths, and points alone."""
    return [
        *("--scene-dir", scene / "rasters", "--output-dir", output),
        *("--classes", folder / "covers.csv"),
    ]


def untested_flags(scene: Path, output: Path) -> list:
    """The command line of draw_prospects for grades by a forest of another scene."""
    iron = PUBLISHED.parent / "iron.csv"
    return [
        *("--scene-dir", scene / "sentinel2", "--output-dir", output, "--untested"),
        *("--classes", iron, "--map-classes", iron),
    ]


def draw_others(folder: Path, scene: Path) -> None:
    """Draw noise fractions and targets."""
    run("draw_mnf", "--scene-dir", scene / "sentinel2", "--output-dir", scene / MNF_FIGURES)
    paper = ("--paper", "bahia", "--published", PUBLISHED)
    more = (
        *("--claims", "--districts", folder / "districts.gpkg"),
        *("--potential", scene / "sentinel2/prospects/potential/potential.tif"),
    )
    run("draw_targets", "--scene-dir", scene, "--output-dir", scene / TARGET_FIGURES, *paper, *more)

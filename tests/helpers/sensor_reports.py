"""A small scene of five sensors with every file that its figures and its report read, made up."""

import itertools
import json
from pathlib import Path

import numpy as np
import rasterio
from places import PUBLISHED, put_in_place
from samples import PIXEL_M, write_raster

from gossan.cube.bands import (
    HYPERSPECTRAL,
    StackBands,
    lay_out,
    sensor_bits,
    write_bands,
)
from gossan.embedding.sensor_scores import METHOD_LABELS
from gossan.raster import BandTable
from gossan.tables import write_table

SENSORS = ("emit", "enmap", "prisma", "sentinel2", "worldview3")
SCENE = "tiny"
SIZE = 60
CRS = "EPSG:32611"
CLASSES = """code,name,label,kind,colour,record
7,alunite,Alunite,mineral,#E53935,
1,chlorite,Chlorite,mineral,#2E7D32,
6,calcite,Calcite,mineral,#4FC3F7,
14,goethite,Goethite,mineral,#B8860B,
15,hematite,Hematite,mineral,#8E1B1B,
16,jarosite,Jarosite,mineral,#F4E04D,
17,kaolinite,Kaolinite,mineral,#7E57C2,
"""
CODES = {"alunite": 7, "chlorite": 1, "calcite": 6, "goethite": 14, "hematite": 15}
CODES |= {"jarosite": 16, "kaolinite": 17}
# Centre and width (µm) of a made-up absorption of each mineral.
ABSORPTIONS = {
    "alunite": (2.17, 0.04),
    "chlorite": (2.33, 0.05),
    "calcite": (2.34, 0.03),
    "goethite": (0.92, 0.12),
    "hematite": (0.86, 0.10),
    "jarosite": (2.26, 0.04),
    "kaolinite": (2.2, 0.03),
}
MULTISPECTRAL_UM = {
    "sentinel2": (0.443, 0.49, 0.56, 0.665, 0.705, 0.74, 0.783, 0.842, 0.865, 0.945, 1.61, 2.19),
    "worldview3": (
        *(0.427, 0.481, 0.547, 0.604, 0.661, 0.723, 0.824, 0.914),
        *(1.21, 1.57, 1.66, 1.73, 2.16, 2.2, 2.26, 2.33),
    ),
}
HYPERSPECTRAL_BANDS = {"emit": 90, "enmap": 70, "prisma": 60}
MAP_FIGURES = ("sensors", "map", "spectra", "training")
TEST_FIGURES = ("detection", "subsets", "gain", "similarity", "coverage")
FIGURES = MAP_FIGURES + TEST_FIGURES


def band_tables() -> dict[str, BandTable]:
    """Bands of the sensors, fewer than they have."""
    tables = {}
    for sensor, number in HYPERSPECTRAL_BANDS.items():
        centres = np.linspace(0.42, 2.45, number)
        names = tuple(f"B{place:03d}" for place in range(1, number + 1))
        tables[sensor] = BandTable(names, tuple(map(float, centres)), (0.01,) * number)
    for sensor, centres in MULTISPECTRAL_UM.items():
        names = tuple(f"B{place:02d}" for place in range(1, len(centres) + 1))
        tables[sensor] = BandTable(names, centres, (0.03,) * len(centres))
    return tables


def spectrum(name: str, centre_um: np.ndarray) -> np.ndarray:
    """Reflectance of a mineral."""
    middle, width = ABSORPTIONS[name]
    centre = np.asarray(centre_um)
    return 0.4 + 0.05 * centre - 0.25 * np.exp(-(((centre - middle) / width) ** 2))


def masks() -> np.ndarray:
    """Sensors present (rows, columns, sensors): PRISMA in a part, a cloud over Sentinel-2."""
    present = np.ones((SIZE, SIZE, len(SENSORS)), bool)
    present[:, 40:, SENSORS.index("prisma")] = False
    present[10:25, 10:30, SENSORS.index("sentinel2")] = False
    present[:6, :8] = False
    return present


def truth_codes() -> np.ndarray:
    """Codes (rows, columns) uint8: squares of the minerals and of quartz, code 18."""
    generator = np.random.default_rng(4)
    coarse = generator.choice([*CODES.values(), 18, 18], (SIZE // 6, SIZE // 6))
    return np.kron(coarse, np.ones((6, 6), np.int64)).astype(np.uint8)


def write_ground(folder: Path, synthetic: bool) -> StackBands:
    """Write stack, mask, table of bands, record, maps and truth."""
    bands, rows = lay_out(band_tables())
    write_bands(folder / "bands.csv", rows)
    (folder / "classes.csv").write_text(CLASSES)
    tags = {"SYNTHETIC": "yes" if synthetic else "no"}
    grid = {"crs": CRS, "tags": tags, "pixel": PIXEL_M}
    present, truth = masks(), truth_codes()
    generator = np.random.default_rng(5)
    by_code = {code: spectrum(name, bands.centre_um) for name, code in CODES.items()}
    by_code[18] = np.full(len(bands), 0.5)
    spectra = np.stack([by_code[code] for code in truth.ravel()]).T.reshape(-1, SIZE, SIZE)
    stored = np.rint(1e4 * (spectra + 0.01 * generator.standard_normal(spectra.shape)))
    seen = np.moveaxis(bands_present(bands, present), -1, 0)
    stored = np.where(seen, stored, -32768).astype(np.int16)
    write_raster(folder / "stack.tif", stored, nodata=-32768, scale=1e-4, **grid)
    with rasterio.open(folder / "stack.tif", "r+") as dataset:
        dataset.descriptions = bands.names
        for band, (centre, fwhm) in enumerate(
            zip(bands.centre_um, bands.fwhm_um, strict=True), start=1
        ):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM=str(fwhm)
            )
    bits = sensor_bits(present, SENSORS)
    write_raster(folder / "sensors.tif", bits, nodata=0, **grid)
    write_maps(folder, truth, bits > 0, generator, grid)
    write_raster(folder / "truth.tif", truth, nodata=255, **grid)
    names = tuple(ABSORPTIONS)
    write_table(
        folder / "references.csv",
        [
            {"band": name, "wavelength_um": centre, "fwhm_um": fwhm}
            | {own: f"{spectrum(own, np.array(centre)):.5f}" for own in names}
            for name, centre, fwhm in zip(bands.names, bands.centre_um, bands.fwhm_um, strict=True)
        ],
    )
    write_records(folder, rows, present, synthetic)
    return bands


def bands_present(bands: StackBands, present: np.ndarray) -> np.ndarray:
    """Bands that have a value, (rows, columns, bands) bool."""
    return bands.present_bands(present)


def write_maps(
    folder: Path, truth: np.ndarray, valid: np.ndarray, generator: np.random.Generator, grid: dict
) -> None:
    """Write class.tif, answer.tif, distance.tif and the tables of areas."""
    answer = generator.choice([1, 1, 1, 2, 3], truth.shape).astype(np.uint8)
    answer[truth == 18] = 2
    codes = np.where(answer == 1, truth, 0).astype(np.uint8)
    distance = np.where(answer == 1, 0.2, 0.7) + 0.1 * generator.random(truth.shape)
    for values in (answer, codes):
        values[~valid] = 255
    distance[~valid] = np.nan
    write_raster(folder / "class.tif", codes, nodata=255, **grid)
    write_raster(folder / "answer.tif", answer, nodata=255, **grid)
    write_raster(folder / "distance.tif", distance.astype(np.float32), nodata=np.nan, **grid)
    counts = {code: int((codes == code).sum()) for code in [*CODES.values(), 0, 255]}
    labels = {code: name for name, code in CODES.items()} | {0: "unclassified", 255: "nodata"}
    pixel_km2 = (PIXEL_M / 1000) ** 2
    write_table(
        folder / "areas.csv",
        [
            {
                "code": code,
                "name": labels[code],
                "label": labels[code].capitalize(),
                "kind": "class",
                "pixels": count,
                "area_km2": f"{count * pixel_km2:.6f}",
                "area_ha": f"{100 * count * pixel_km2:.4f}",
                "share": "" if code == 255 else f"{count / valid.sum():.6f}",
            }
            for code, count in counts.items()
        ],
    )
    write_table(
        folder / "sensor_areas.csv",
        [
            {
                "sensors": sensors,
                "code": code,
                "name": name,
                "label": name.capitalize(),
                "kind": "class",
                "pixels": 100,
                "area_ha": "9.0",
                "share": "0.1",
            }
            for sensors in ("all", "+".join(SENSORS), "emit+enmap+sentinel2+worldview3")
            for name, code in [*CODES.items(), ("none", 0), ("several", 0)]
        ],
    )


def write_records(folder: Path, rows: list[dict], present: np.ndarray, synthetic: bool) -> None:
    """Write stack.json and a record of each sensor's cube."""
    sensors = []
    for sensor in SENSORS:
        own = [row for row in rows if row["sensor"] == sensor]
        dropped = [row for row in own if row["kept"] == "no"]
        facts = {
            "product_id": f"{sensor.upper()}_L2A_20240706",
            "acquired": "2024-07-06T18:30:00Z",
            "synthetic": synthetic,
            "atmosphere": "L2A",
            "normalisation": "clip",
        }
        sensors.append(
            {"sensor": sensor, "instrument": sensor.upper(), **facts}
            | {"crs": CRS, "pixel_m": 30.0, "resampling": "nearest"}
            | {"pixels": int(present[..., SENSORS.index(sensor)].sum())}
            | {"bands": len(own), "kept_bands": len(own) - len(dropped)}
            | {
                "excluded": [
                    {"name": row["band"], "centre_um": row["wavelength_um"]} for row in dropped
                ]
            }
        )
        record = facts | {"sensor": sensor.upper(), "level": "2A", "sun_elevation_deg": 60.0}
        record |= {
            "pixels": {"total": SIZE**2, "observed": SIZE**2, "valid": SIZE**2 - 48},
            "masked": {"cloud": {"pixels": 48, "share_of_observed": 0.0133}},
            "notes": [f"{sensor}: 3 bands that the product calls bad are left out"],
        }
        (folder / f"{sensor}.json").write_text(json.dumps(record))
    valid = int(present.any(axis=-1).sum())
    record = {
        "product_id": f"stack of {', '.join(SENSORS)}",
        "sensor": ", ".join(name.upper() for name in SENSORS),
        "acquired": "2024-07-06T18:30:00Z",
        "synthetic": synthetic,
        "atmosphere": "L2A",
        "normalisation": "clip",
        "grid": {"crs": CRS, "pixel_m": 30.0, "extent": "union", "bounds": [0, 0, 1, 1]},
        "pixels": {"total": SIZE**2, "observed": valid, "valid": valid},
        "masked": {},
        "sensors": sensors,
        "combinations": [
            {"bits": 31, "sensors": list(SENSORS), "pixels": 2000},
            {"bits": 27, "sensors": ["emit", "enmap", "sentinel2", "worldview3"], "pixels": 900},
            {"bits": 0, "sensors": [], "pixels": 48},
        ],
        "excluded_um": [[0.3, 0.4]],
        "bands": [],
        "notes": ["emit, enmap: the nearest pixel, so that no number is made up"],
    }
    (folder / "stack.json").write_text(json.dumps(record))


SKILL = {
    "masked": 0.8,
    "filled": 0.82,
    "unmasked": 0.7,
    "ocsvm": 0.3,
    "isolation_forest": 0.35,
    "sam": 0.6,
    "shape": 0.65,
}
THRESHOLDS = {"validation": 0.0, "oracle": 0.05, "library": -0.05}
LOSS = {"masked": 0.02, "filled": 0.015, "unmasked": 0.06}


def missing_sets() -> list[tuple[str, ...]]:
    """All sets of sensors that can be missing while one is left: 30."""
    return [
        missing
        for number in range(1, len(SENSORS))
        for missing in itertools.combinations(SENSORS, number)
    ]


def score(method: str, mineral: str, sensors: tuple[str, ...] = SENSORS) -> float:
    """A made-up F1."""
    lost = len(SENSORS) - len(sensors) + 3 * (not set(HYPERSPECTRAL) & set(sensors))
    ease = 0.03 * list(CODES).index(mineral) if mineral in CODES else 0.09
    return max(0.02, SKILL[method] - LOSS.get(method, 0.03) * lost - ease)


def interval(name: str, value: float) -> dict[str, str]:
    """Cells of a value and its interval."""
    cells = {name: value, f"{name}_low": value - 0.04, f"{name}_high": value + 0.03}
    return {key: f"{number:.6f}" for key, number in cells.items()}


def write_tests(folder: Path) -> None:
    """Write the tables of the assessment."""
    minerals = [*CODES, "macro"]
    detection = []
    for mineral, method, kind in itertools.product(minerals, METHOD_LABELS, THRESHOLDS):
        f1 = score(method, mineral) + THRESHOLDS[kind]
        detection.append(
            {
                "method": method,
                "mineral": mineral,
                "threshold_kind": kind,
                "threshold": "" if mineral == "macro" else "0.35",
                "n": 1200,
                "n_mineral": 630 if mineral == "macro" else 90,
                "training": "" if mineral == "macro" else 2000,
            }
            | interval("precision", f1 - 0.05)
            | interval("recall", f1 + 0.05)
            | interval("f1", f1)
        )
    write_table(folder / "detection.csv", detection)
    subsets = [
        {"sensors": "+".join(own), "method": method, "mineral": mineral}
        | {"threshold_kind": kind, "n": 1200, "n_mineral": 90}
        | interval("f1", score(method, mineral, own) - 0.1 * (kind == "full"))
        for own in [
            tuple(name for name in SENSORS if name not in missing)
            for missing in [(), *missing_sets()]
        ]
        for method in METHOD_LABELS
        for mineral in minerals
        for kind in ("validation", "full")
    ]
    write_table(folder / "subsets.csv", subsets)
    similarity = [
        {"missing": "+".join(missing), "mineral": mineral, "n": 90}
        | {
            "cosine": f"{1 - 0.03 * len(missing) - 0.01 * place:.6f}",
            "euclidean": f"{0.2 * len(missing) + 0.05 * place:.6f}",
        }
        for missing in missing_sets()
        for place, mineral in enumerate(CODES)
    ]
    write_table(folder / "similarity.csv", similarity)
    coverage = [
        {"method": "masked", "mineral": mineral, "asked": 0.9, "n_calibration": 80}
        | {"calibrated_on": "validation", "limit": 0.4, "n": 90}
        | interval("covered", 0.91 if mineral != "jarosite" else 0.8)
        | {"named": 0.7, "none": 0.1, "several": 0.2, "other_within": 0.05}
        for mineral in CODES
    ]
    write_table(folder / "coverage.csv", coverage)


def write_networks(folder: Path) -> None:
    """Write the networks' records and histories."""
    for name in ("masked", "unmasked", "filler"):
        history = [
            {"epoch": epoch, "loss": f"{1 / epoch:.4f}"}
            | ({"val_loss": f"{1.2 / epoch:.4f}"} if name == "filler" else {"active": "0.5"})
            for epoch in range(1, 13)
        ]
        write_table(folder / f"{name}.csv", history)
        training = {"epochs": 12, "hidden": 256, "embedding": 32, "networks": 1}
        training |= {"max_masked": 0 if name == "unmasked" else 4, "mining": "semi-hard"}
        record = {"libraries": ["library.csv"], "modelled": True, "training": training}
        record["bands"] = dict.fromkeys(SENSORS, 10)
        record |= {"records": {"learnt": 40, "held_out": [f"record {n}" for n in range(60)]}}
        if name == "filler":
            ways = {
                way: {"rmse": 0.01 * place, "angle_rad": 0.02 * place}
                for place, way in enumerate(("network", "interpolation", "mean"), start=1)
            }
            record["reconstruction"] = {
                "spectra": 240,
                "sensors": dict.fromkeys(SENSORS, ways),
                "hyperspectral": dict.fromkeys(HYPERSPECTRAL, ways),
            }
        (folder / f"{name}.json").write_text(json.dumps(record))
    rows = [{"name": name, "library": "library", "record": f"{name} GDS1"} for name in CODES]
    write_table(folder / "records.csv", rows)


def accuracy_records(synthetic: bool, assessed: bool = True) -> list[dict]:
    """Accuracy records of every method."""
    if not assessed:
        reason = {"assessed": False, "reason": "The scene has no reference."}
        return [{"scene": SCENE, "method": "Network, masking", "synthetic": synthetic} | reason]
    return [
        {
            "scene": SCENE,
            "method": label,
            "assessed": True,
            "synthetic": synthetic,
            "reference": {"file": "truth.tif", "kind": "raster", "synthetic": synthetic},
            "scores": {
                name: {"value": 0.7, "low": 0.65, "high": 0.74}
                for name in ("overall_accuracy", "kappa", "macro_f1")
            },
            "n": 1200,
            "split": "blocked: blocks of 16 pixels",
            "bootstrap": 1000,
            "block_px": 16,
            "seed": 42,
        }
        for label in METHOD_LABELS.values()
    ]


def make_study(folder: Path, synthetic: bool = True, assessed: bool = True) -> Path:
    """Write all that draw_embedding and render_report read, the figures excepted."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ground(folder, synthetic)
    write_networks(folder)
    if assessed:
        write_tests(folder)
    accuracy = {"study": "cuprite", "records": accuracy_records(synthetic, assessed)}
    (folder / "accuracy.json").write_text(json.dumps(accuracy))
    return folder


def shared_study(factory) -> Path:
    """The study of `make_study` in the tests' own folder, made once."""
    folder = factory.getbasetemp() / "sensor-study"
    if not folder.exists():
        make_study(factory.mktemp("study") / "scene").rename(folder)
    return folder


TESTS = {
    "detection": "detection.csv",
    "subsets": "subsets.csv",
    "similarity": "similarity.csv",
    "coverage": "coverage.csv",
    "filler": "filler.json",
}
TABLES = {
    "areas": "areas.csv",
    "sensor_areas": "sensor_areas.csv",
    "masked": "masked.json",
    "unmasked": "unmasked.json",
    "references": "references.csv",
    "spectra": "records.csv",
}
FILES = {
    "stack.tif": "stack/cube/cube.tif",
    "stack.json": "stack/cube/cube.json",
    "bands.csv": "stack/cube/bands.csv",
    "sensors.tif": "stack/cube/sensors.tif",
    **{f"{name}.json": f"{name}/cube/cube.json" for name in SENSORS},
    "references.csv": "embedding/library/references.csv",
    "records.csv": "embedding/library/records.csv",
    **{
        f"{name}.{kind}": f"embedding/networks/{name}/{file}"
        for name in ("masked", "unmasked")
        for kind, file in (("json", "record.json"), ("csv", "history.csv"))
    },
    "filler.json": "embedding/filler/record.json",
    "filler.csv": "embedding/filler/history.csv",
    **{
        name: f"embedding/map/{name}"
        for name in ("class.tif", "answer.tif", "distance.tif", "areas.csv", "sensor_areas.csv")
    },
}
ASSESSMENT = {
    f"{name}.csv": f"embedding/assessment/{name}.csv"
    for name in ("detection", "subsets", "similarity", "coverage")
}


def lay_out_study(folder: Path, results: Path, *, tests: bool = True) -> Path:
    """Put what `make_study` wrote where the workflow puts it; returns the scene's folder."""
    scene = put_in_place(folder, results / "scenes" / SCENE, FILES | (ASSESSMENT if tests else {}))
    records = json.loads((folder / "accuracy.json").read_text())["records"]
    (scene / "embedding/accuracy").mkdir(parents=True, exist_ok=True)
    for place, record in enumerate(records):
        (scene / f"embedding/accuracy/{place}.json").write_text(json.dumps(record))
    return scene


def draw_flags(folder: Path, scene: Path, output: Path, *, tests: bool = True) -> list:
    """The command line of draw_embedding."""
    truth = ("--truth", folder / "truth.tif") if tests else ()
    return [
        *("--scene-dir", scene, "--output-dir", output, "--classes", folder / "classes.csv"),
        *("--networks", "masked", "unmasked", "filler", *truth),
        *("--paper", "cuprite", "--published", PUBLISHED),
    ]

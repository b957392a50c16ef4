"""A tiny mapped scene with every file that the accuracy and report tools read."""

import importlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import rasterio
from rasterio.transform import from_origin

import toolkit
from gossan.maps import Ramp, write_maps
from gossan.raster import Grid, decode, read_info

ROOT = Path(__file__).resolve().parents[2]
CRS = "EPSG:32643"
ORIGIN = (430_000.0, 3_990_000.0)
PIXEL_M = 30.0
SIZE = 60
CLASSES = """code,name,label,kind,colour,record,max_angle_rad
2,chalcocite,Chalcocite,mineral,#00FE00,,0.1
12,feldspar,Feldspar (microcline),mineral,#FE00FE,,0.1
6,calcite,Calcite,mineral,#4FC3F7,,0.2
"""
CENTRES_UM = (0.443, 0.4826, 0.5613, 0.6546, 0.8646, 1.609, 2.201)
FWHM_UM = (0.016, 0.060, 0.057, 0.037, 0.028, 0.085, 0.187)
FIGURES = (
    *("composite", "classes", "zones", "angle", "distances", "spectra", "areas"),
    *("confusion", "accuracy"),
)

BLOCKS = ("--spatial-block-px", 32, "--bootstrap", 1000, "--seed", 42)
CONFIGURED = {
    "assess_accuracy": (*BLOCKS, "--design", "census", "--per-class", 100),
    "assess_detectors": (
        *(*BLOCKS, "--validation-share", 0.5, "--per-class", 10_000, "--coverage", 0.9),
        *("--training-spectra", 2000, "--svm-nu", 0.1, "--trees", 100),
    ),
    "assess_zones": (*BLOCKS, "--outside", "other"),
    "compare_wavelets": (
        *(*BLOCKS, "--wavelets", "haar", "db2", "sym4", "coif1", "--level", 1),
        *("--mode", "symmetric", "--transform", "dwt"),
    ),
    "label_iron": (*BLOCKS[2:], "--grades", 0.9, 0.8, 0.7),
    "rank_targets": (*BLOCKS[2:], "--min-area-ha", 1, "--date-attribute", "date"),
    "sample_strata": (
        *("--spatial-block-px", 32, "--seed", 42, "--distances-m", 100, 200, 500, 10_000),
        *("--counts", 20, 20, 20, 40, "--ore-count", 20, "--min-distance-m", 30),
        *("--soil-ndvi", 0.2, "--vegetation-ndvi", 0.5, "--soil-bsi", 0, "--test-share", 0.3),
    ),
    "score_alteration": (*BLOCKS, "--outside", "other", "--folds", 5, "--per-class", 6000),
    "validate_forest": (
        *(*BLOCKS, "--folds", 8, "--chosen-by", "blocked"),
        *("--explain", "importance", "shap"),
    ),
}
"""What a configuration always gives to a tool; a test's own flags come after and win."""


@dataclass(frozen=True)
class Done:
    """How a tool ended: its exit code and its last words."""

    returncode: int
    stderr: str


def run_tool(name: str, *arguments: object) -> Done:
    """Run a tool with its command line, in this process because starting one takes a second."""
    tool = importlib.import_module(name)
    words = map(str, (*CONFIGURED.get(name, ()), *arguments))
    with mock.patch.object(sys, "argv", [f"{name}.py", *words]):
        try:
            toolkit.run(tool.build_parser(), tool.main)
        except SystemExit as end:
            words = end.code if isinstance(end.code, str) else ""
            return Done(1 if words else end.code, words)
    return Done(0, "")


def run_command(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run a tool as a user does, in a process of its own."""
    return subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / f"{name}.py"),
            *map(str, (*CONFIGURED.get(name, ()), *arguments)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def known_tables(folder: Path) -> tuple[object, ...]:
    """Flags of rank_targets for its further tables, and for targets as GPX, in a folder."""
    tables = {"period-": "periods", "district-": "districts", "mine-": "known_mines"}
    tables |= {"": "targets"}
    return (
        *(
            word
            for flag, name in tables.items()
            for word in (f"--{flag}table", folder / f"{name}.csv")
        ),
        *("--gpx", folder / "targets.gpx"),
    )


def write_raster(path: Path, values: np.ndarray, nodata=None, crs=CRS, origin=ORIGIN, **options):
    """Write (rows, columns) or (bands, rows, columns) as a GeoTIFF of 30 m pixels."""
    values = values if values.ndim == 3 else values[None]
    tags = options.pop("tags", {})
    pixel = options.pop("pixel", PIXEL_M)
    scale = options.pop("scale", 1.0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=values.shape[0],
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        nodata=nodata,
        crs=crs,
        transform=from_origin(*origin, pixel, pixel),
        **options,
    ) as dataset:
        dataset.write(values)
        dataset.update_tags(**tags)
        dataset.scales = [scale] * values.shape[0]
    return path


def write_angles(
    path: Path, angles: np.ndarray, high: float, crs=CRS, origin=ORIGIN, pixel=PIXEL_M
):
    """Write angles (rows, columns) in radians, NaN for none, as a map of angles to the origin."""
    known = None if crs is None else rasterio.CRS.from_user_input(crs)
    grid = Grid(known, from_origin(*origin, pixel, pixel), *angles.shape[::-1])
    layer = Ramp.of_angles(path, (f"{path.stem}_rad",), high, reverse=path.stem == "angle")
    write_maps(
        lambda window: angles[window.toslices()], [lambda window: window], [layer], grid=grid
    )
    return path


def read_values(path: Path) -> np.ndarray:
    """The bands of a raster as what they mean, float32, NaN for nodata."""
    with rasterio.open(path) as dataset:
        return decode(dataset.read(), read_info(path))


def make_maps(folder: Path, synthetic: bool = True) -> Path:
    """Write classes.csv, truth.tif and class.tif: a map with known errors, and return `folder`.

    The truth has stripes of codes 2, 12, 6 and 18 (quartz, no class of the study); the map
    errs in a tenth of the pixels, leaves most of quartz unclassified and has a hole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.csv").write_text(CLASSES)
    generator = np.random.default_rng(7)
    truth = np.choose(np.arange(SIZE)[:, None] // 5 % 4, [2, 12, 6, 18]).astype("uint8")
    truth = np.repeat(truth, SIZE, axis=1)
    mapped = np.where(truth == 18, 0, truth).astype("uint8")
    wrong = generator.random(mapped.shape) < 0.1
    mapped[wrong] = generator.choice([0, 2, 12, 6], wrong.sum())
    mapped[10:20, 5:15] = 255
    truth[:2] = 255
    tags = {"SYNTHETIC": "yes" if synthetic else "no"}
    write_raster(folder / "truth.tif", truth, nodata=255, tags=tags)
    write_raster(folder / "class.tif", mapped, nodata=255, tags=tags)
    return folder


def make_scene(folder: Path, synthetic: bool = True) -> Path:
    """Write everything that draw_minerals reads beside an accuracy record."""
    make_maps(folder, synthetic)
    with rasterio.open(folder / "class.tif") as dataset:
        mapped = dataset.read(1)
    generator = np.random.default_rng(8)
    cube = generator.integers(500, 4000, (7, SIZE, SIZE)).astype("int16")
    cube[:, mapped == 255] = -32768
    write_raster(folder / "cube.tif", cube, nodata=-32768, scale=1e-4)
    with rasterio.open(folder / "cube.tif", "r+") as dataset:
        dataset.descriptions = [f"B{number}" for number in range(1, 8)]
        for band, (centre, fwhm) in enumerate(zip(CENTRES_UM, FWHM_UM, strict=True), start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM=str(fwhm)
            )
    angle = generator.random((SIZE, SIZE)).astype("float32") * 0.2
    angle[mapped == 255] = np.nan
    write_angles(folder / "angle.tif", angle, 0.2)
    write_angles(folder / "margin.tif", angle / 2, 0.1)
    for zone, members in {"porphyry": [2], "potassic-phyllic": [12, 6]}.items():
        codes = np.where(np.isin(mapped, members) | (mapped == 255), mapped, 0).astype("uint8")
        write_raster(folder / f"{zone}.tif", codes, nodata=255)
    names = ("chalcocite", "feldspar", "calcite")
    spectra = generator.random((3, 7)) * 0.4 + 0.1
    lines = ["band,wavelength_um,fwhm_um," + ",".join(names)]
    for band in range(7):
        values = ",".join(f"{value:.5f}" for value in spectra[:, band])
        lines.append(f"B{band + 1},{CENTRES_UM[band]},{FWHM_UM[band]},{values}")
    (folder / "references.csv").write_text("\n".join(lines) + "\n")
    write_tables(folder, mapped, names, spectra)
    (folder / "cube.json").write_text(
        json.dumps(
            {
                "product_id": "LC08_L1TP_149035_20240719_20240722_02_T1",
                "sensor": "Landsat-8 OLI_TIRS",
                "acquired": "2024-07-19T05:38:12Z",
                "synthetic": synthetic,
                "atmosphere": "dos1",
                "normalisation": "clip",
                "masked": {"cloud": {"pixels": 100, "share_of_observed": 0.0278}},
                "notes": ["<b>a note</b> with markup & an ampersand"],
            }
        )
    )
    return folder


def write_tables(folder: Path, mapped: np.ndarray, names: tuple, spectra: np.ndarray) -> None:
    """Write signatures, areas, records and separable minerals as tools before the report do."""
    signatures = ["code,name,label,pixels,band,wavelength_um,mean,std"]
    areas = ["code,name,label,pixels,area_km2,share"]
    clear = (mapped != 255).sum()
    for code, name in ((0, "unclassified"), *zip((2, 12, 6), names, strict=True)):
        pixels = (mapped == code).sum()
        area = pixels * PIXEL_M**2 / 1e6
        areas.append(f"{code},{name},{name},{pixels},{area:.6f},{pixels / clear:.6f}")
        if code:
            for band, value in enumerate(spectra[names.index(name)]):
                signatures.append(
                    f"{code},{name},{name},{pixels},B{band + 1},{CENTRES_UM[band]},"
                    f"{value * 0.8:.5f},0.02"
                )
    (folder / "signatures.csv").write_text("\n".join(signatures) + "\n")
    records = [
        "name,library,record",
        "chalcocite,analytic,chalcocite",
        "feldspar,usgs,Microcline_HS151.3B",
        "calcite,usgs,Calcite_WS272",
    ]
    (folder / "records.csv").write_text("\n".join(records) + "\n")
    separable = [
        "mineral,bands,one_with,nearest,separation,angle_rad,note",
        "chalcocite,7,feldspar,feldspar,0.5,0.1,one",
        "feldspar,7,chalcocite,chalcocite,0.5,0.1,one",
        "calcite,7,,feldspar,3.1,0.9,apart",
    ]
    (folder / "separable.csv").write_text("\n".join(separable) + "\n")
    (folder / "areas.csv").write_text("\n".join(areas) + "\n")


def make_record(folder: Path, *flags: object) -> Path:
    """Assess class.tif against truth.tif into sam.json."""
    done = run_tool(
        "assess_accuracy",
        *("--class-map", folder / "class.tif", "--truth", folder / "truth.tif"),
        *("--classes", folder / "classes.csv", "--method", "Spectral Angle Mapper"),
        *("--scene", "tiny", "--spatial-block-px", 8, "--bootstrap", 200, "--threads", 1),
        *("--output", folder / "sam.json", *flags),
    )
    assert done.returncode == 0, done.stderr
    return folder / "sam.json"

"""The alteration score of a full ASTER scene: time and memory of the tool as a process.

2100 x 2500 pixels of nine bands (int16 reflectance), simulated as in `sam.py`: mixtures of
minerals under varying light with noise, those of two zones in rectangles that are also the truth.
What the tool reads is made by the tools before it: normalised bands 4 to 9 split into wavelet
sub-bands, and the zones' fixed ranges. There is no peer; the floor is reading the three rasters
once in as many threads, block by block, as the tool reads them twice.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from shapely.geometry import box

import sam
from gossan.raster import BandTable, iter_blocks
from processes import run_tool

BANDS = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400),
    (0.09, 0.06, 0.1, 0.092, 0.035, 0.04, 0.047, 0.07, 0.068),
)
STUDY_BANDS = slice(3, 9)
SIZES = {"alteration": (2100, 2500), "alteration-quick": (525, 625)}
ZONES = {"phyllic": ("muscovite", "pyrite"), "propylitic": ("chlorite", "epidote", "calcite")}
ROCK = ("feldspar", "biotite", "magnetite", "goethite", "montmorillonite", "gypsum")
RANGES = {"phyllic": (0.6, 0.7, 0.7, 1.0), "propylitic": (0.3, 0.5, 0.5, 0.65)}
PIXEL_M = 30
ORIGIN = (430_000, 3_990_000)


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or the one at full size, so many times each."""
    for name in cases or ():
        if name not in SIZES:
            sys.exit(f"error: no case {name!r}; there are {', '.join(SIZES)}")
    return [measure(name, pairs) for name in cases or ("alteration",)]


def measure(case: str, times: int) -> dict:
    """Time of the tool and of reading, and the tool's peak resident size."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_inputs(folder, *SIZES[case])
        peaks: list[float] = []
        seconds = sam.time_in_turns(
            times, lambda: peaks.append(score(folder)), lambda: read(folder)
        )
    ours, floor = (statistics.median(own) for own in seconds)
    return {
        "case": case,
        "ours_s": ours,
        "peak_mib": max(peaks),
        "floor_ratio": ours / floor,
        "read_s": floor,
        "pixels": SIZES[case][0] * SIZES[case][1],
        "threads": sam.THREADS,
    }


def make_inputs(folder: Path, rows: int, columns: int) -> None:
    """All that the tool reads."""
    codes, polygons = draw_zones(rows, columns)
    reflectance = np.empty((len(BANDS.names), rows, columns), np.float32)
    for code, minerals in enumerate((ROCK, *ZONES.values())):
        references = sam.make_references(BANDS, minerals, None)
        for start in range(0, rows, 64):
            part = slice(start, min(start + 64, rows))
            block = sam.make_rows(references, part.stop - start, columns, sam.SEED + start)
            here = codes[part] == code
            reflectance[:, part][:, here] = block[:, here]
    write_bands(folder / "reflectance.tif", reflectance, BANDS.names)
    bands = reflectance[STUDY_BANDS]
    low, high = (edge(bands, axis=(1, 2), keepdims=True) for edge in (np.min, np.max))
    write_bands(folder / "cube.tif", (bands - low) / (high - low), BANDS.names[STUDY_BANDS])
    polygons.to_file(folder / "zones.gpkg")
    lines = ["band,wavelength_um,fwhm_um,muscovite,chlorite"]
    table = sam.make_references(BANDS, ("muscovite", "chlorite"), None).T
    for name, centre, fwhm, spectra in zip(
        BANDS.names, BANDS.centre_um, BANDS.fwhm_um, table, strict=True
    ):
        lines.append(f"{name},{centre},{fwhm},{spectra[0]:.5f},{spectra[1]:.5f}")
    (folder / "references.csv").write_text("\n".join(lines) + "\n")
    run_tool(
        "transform_wavelets",
        *("--cube", folder / "cube.tif", "--wavelet", "sym4", "--level", 1),
        *("--mode", "symmetric", "--transform", "dwt", "--gaps", "fill"),
        *("--output", folder / "subbands.tif", "--profile", folder / "profile.csv"),
        *("--threads", sam.THREADS),
    )
    for zone, (low, middle, upper, high) in RANGES.items():
        run_tool(
            "map_confidence",
            *("--subbands", folder / "subbands.tif", "--zone", zone),
            *("--medium", low, middle, "--high", upper, high),
            *("--output", folder / f"confidence-{zone}.tif"),
            *("--threads", sam.THREADS),
        )


def draw_zones(rows: int, columns: int) -> tuple[np.ndarray, geopandas.GeoDataFrame]:
    """Codes of the pixels, (rows, columns), and the polygons: rectangles on a lattice."""
    codes = np.zeros((rows, columns), np.uint8)
    names, shapes = [], []
    for number, (top, left) in enumerate(
        (top, left) for top in range(20, rows - 80, 130) for left in range(20, columns - 80, 170)
    ):
        codes[top : top + 60, left : left + 70] = 1 + number % 2
        x, y = ORIGIN[0] + left * PIXEL_M, ORIGIN[1] - top * PIXEL_M
        names.append(list(ZONES)[number % 2])
        shapes.append(box(x, y - 60 * PIXEL_M, x + 70 * PIXEL_M, y))
    return codes, geopandas.GeoDataFrame({"class": names}, geometry=shapes, crs="EPSG:32643")


def write_bands(path: Path, values: np.ndarray, names: tuple[str, ...]) -> None:
    """Numbers as a cube is stored: int16 in steps of 1e-4, tiled, compressed."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype="int16",
        nodata=-32768,
        crs="EPSG:32643",
        transform=rasterio.Affine(PIXEL_M, 0, ORIGIN[0], 0, -PIXEL_M, ORIGIN[1]),
        compress="deflate",
        predictor=2,
        tiled=True,
        blockxsize=512,
        blockysize=512,
        num_threads=sam.THREADS,
    ) as dataset:
        dataset.write(np.rint(values * 1e4).astype(np.int16))
        dataset.descriptions = names
        dataset.scales = [1e-4] * len(values)
        dataset.update_tags(SENSOR="Terra ASTER", SYNTHETIC="yes", NORMALISATION="none")
        for band, name in enumerate(names, start=1):
            place = BANDS.names.index(name)
            centre, fwhm = str(BANDS.centre_um[place]), str(BANDS.fwhm_um[place])
            dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM=fwhm)


def score(folder: Path) -> float:
    """Run the tool by the study's settings; its peak resident size (MiB), on Linux."""
    done = run_tool(
        "score_alteration",
        *("--cube", folder / "cube.tif", "--subbands", folder / "subbands.tif"),
        *("--reflectance", folder / "reflectance.tif", "--zone", *ZONES),
        *("--truth", folder / "zones.gpkg", "--outside", "other", "--confidence"),
        *(folder / f"confidence-{zone}.tif" for zone in ZONES),
        *("--references", folder / "references.csv"),
        *("--minerals", "phyllic", "muscovite", "--minerals", "propylitic", "chlorite"),
        *("--scene", "full", "--spatial-block-px", 32, "--folds", 5, "--per-class", 6000),
        *("--bootstrap", 1000, "--buffer-px", 8, "--seed", 42),
        *("--output", *(folder / f"{zone}.tif" for zone in ZONES)),
        *("--record", folder / "score.json", "--curves", folder / "curves.csv"),
        *("--record-dir", folder / "accuracy"),
        *("--threads", sam.THREADS),
    )
    return done.peak_mib


def read(folder: Path) -> None:
    """Read what the tool reads, once."""
    sources = [folder / f"{name}.tif" for name in ("cube", "subbands", "reflectance")]
    for _ in iter_blocks(lambda *arrays: None, sources, threads=sam.THREADS):
        pass

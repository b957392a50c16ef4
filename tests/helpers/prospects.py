"""A small iron district: class probabilities, geology, mines, claims and occurrences."""

from pathlib import Path

import geopandas
import numpy as np
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, known_tables, run_tool, write_raster
from scipy import ndimage
from shapely.geometry import Point, box

from gossan.legend import read_classes

ROOT = Path(__file__).resolve().parents[2]
NAMES = tuple(item.name for item in read_classes(ROOT / "resources/static/iron.csv"))
ROWS, COLUMNS = 150, 180
# Rows and columns of the ore bodies, of the mines, and of the units that host iron.
BODIES = [(20, 40, 30, 60), (70, 100, 100, 140), (120, 135, 20, 45)]
MINES = {"hematite": (22, 38, 32, 48), "itabirite": (72, 90, 102, 124)}
HOSTS = [(0, 110, 0, 180)]
TAGS = {"SENSOR": "Sentinel-2A", "SYNTHETIC": "yes"}


def pixel_box(top: float, bottom: float, left: float, right: float):
    """The outline of a rectangle of pixels."""
    x, y = ORIGIN
    return box(x + left * PIXEL_M, y - bottom * PIXEL_M, x + right * PIXEL_M, y - top * PIXEL_M)


def pixel_point(row: float, column: float) -> Point:
    """The centre of a pixel."""
    return Point(ORIGIN[0] + (column + 0.5) * PIXEL_M, ORIGIN[1] - (row + 0.5) * PIXEL_M)


def write_shapes(path: Path, shapes, crs: str = CRS, **columns) -> Path:
    """Write geometries, given in CRS, in another reference system."""
    geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=CRS).to_crs(crs).to_file(path)
    return path


def make_probability(seed: int = 3) -> np.ndarray:
    """(7, ROWS, COLUMNS) float32 that add up to 1; high within the bodies; a hole of nodata."""
    generator = np.random.default_rng(seed)
    ore = np.zeros((ROWS, COLUMNS))
    for top, bottom, left, right in BODIES:
        ore[top:bottom, left:right] = 1
    ore = np.clip(
        ndimage.gaussian_filter(ore, 2) + 0.1 * generator.standard_normal(ore.shape), 0, 1
    )
    weights = np.stack(
        [ore**2, ore * 0.4, ore * 0.2, ore**2 * 0.5, ore * 0.2, ore * 0.1, 1.2 - ore]
    )
    weights[:, 5:11, 160:172] = np.nan
    return (weights / weights.sum(axis=0)).astype("float32")


def write_probability(path: Path, values: np.ndarray, names=NAMES, **options) -> Path:
    """Write class probabilities as map_forest does."""
    write_raster(path, values, nodata=np.nan, **{"tags": TAGS, **options})
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = tuple(names)
    return path


def make_district(folder: Path) -> Path:
    """Write probability.tif, uncertainty.tif and the vector files, and return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = make_probability()
    write_probability(folder / "probability.tif", values)
    entropy = -(values * np.log(np.maximum(values, 1e-9))).sum(axis=0) / np.log(len(values))
    write_raster(folder / "uncertainty.tif", entropy.astype("float32"), nodata=np.nan, tags=TAGS)
    hosts = [pixel_box(*host) for host in HOSTS]
    others = [pixel_box(110, 150, 0, 180)]
    write_shapes(
        folder / "geology.gpkg",
        hosts + others,
        unit=["Itabirite"] * len(hosts) + ["Gneiss"] * len(others),
        iron=["yes"] * len(hosts) + ["no"] * len(others),
    )
    write_shapes(
        folder / "mines.gpkg",
        [pixel_box(*place) for place in MINES.values()],
        **{"class": list(MINES)},
    )
    generator = np.random.default_rng(11)
    claims, occurrences = [], []
    for number in range(24):
        row, column = generator.integers(5, 130), generator.integers(5, 160)
        if number % 2:
            top, bottom, left, right = BODIES[number % len(BODIES)]
            row, column = generator.integers(top, bottom - 8), generator.integers(left, right - 8)
        claims.append(pixel_box(row, row + 12, column, column + 12))
        occurrences.append(pixel_point(row + 4, column + 4))
    substances = ["Iron"] * 20 + ["gold"] * 4
    write_shapes(folder / "claims.gpkg", claims, "EPSG:4326", substance=substances)
    write_shapes(folder / "occurrences.gpkg", occurrences, substance=substances)
    return folder


def map_potential(folder: Path, *flags: object):
    """Run map_potential over a folder of `make_district`."""
    return run_tool(
        "map_potential",
        *("--probability", folder / "probability.tif", "--geology", folder / "geology.gpkg"),
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
        *("--medium", 0.34, "--high", 0.67, "--threads", 1, *flags),
    )


def rank_targets(folder: Path, out: Path, *flags: object):
    """Run rank_targets over the maps of `map_potential`, into the folder `out`."""
    return run_tool(
        "rank_targets",
        *("--potential", folder / "potential.tif", "--score", folder / "score.tif"),
        *("--uncertainty", folder / "uncertainty.tif", "--claims", folder / "claims.gpkg"),
        *("--occurrences", folder / "occurrences.gpkg", "--mines", folder / "mines.gpkg"),
        # A list that is given twice is joined.
        *(() if "--substances" in flags else ("--substances", "iron")),
        *("--scene", "tiny", "--spatial-block-px", 16),
        *("--substance-attribute", "substance", "--level", "medium", "--min-area-ha", 1),
        *("--bootstrap", 200, "--seed", 42),
        *("--targets", out / "targets.gpkg", "--kml", out / "targets.kml"),
        *("--overlay", out / "overlay.csv", "--curves", out / "curves.csv"),
        *("--record", out / "targets.json", "--threads", 1, *known_tables(out), *flags),
    )

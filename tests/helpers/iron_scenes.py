"""A small Sentinel-2 composite around two iron mines, with vectors and reference spectra."""

from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely
from samples import ORIGIN, ROOT, write_raster

CRS = "EPSG:32723"
PIXEL_M = 20.0
SIZE = 120
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
CENTRES_UM = (0.4924, 0.5598, 0.6646, 0.7041, 0.7405, 0.7828, 0.8328, 0.8647, 1.6137, 2.2024)
FWHM_UM = (0.066, 0.036, 0.031, 0.015, 0.015, 0.020, 0.106, 0.021, 0.091, 0.175)
SPECTRA = {
    "hematite": (0.021, 0.039, 0.210, 0.264, 0.310, 0.283, 0.247, 0.231, 0.834, 0.813),
    "quartz": (0.793, 0.807, 0.821, 0.824, 0.827, 0.831, 0.834, 0.836, 0.861, 0.872),
    "soil": (0.073, 0.096, 0.140, 0.157, 0.172, 0.186, 0.198, 0.206, 0.325, 0.323),
    "vegetation": (0.068, 0.102, 0.051, 0.109, 0.413, 0.490, 0.511, 0.520, 0.362, 0.205),
}
ITABIRITE = (0.163, 0.186, 0.375, 0.429, 0.473, 0.447, 0.413, 0.397, 0.850, 0.847)
TAGS = {
    "SENSOR": "Sentinel-2A MSI",
    "ACQUIRED": "2022-07-01T13:00:00Z",
    "PRODUCT_ID": "COMPOSITE",
    "SYNTHETIC": "yes",
}
# Mine -> centre column and row of a square of 16 pixels.
MINES = {"hematite": (40, 60), "itabirite": (84, 60)}
HALF_PX = 8


def place(column: float, row: float) -> tuple[float, float]:
    """Coordinates of a position in pixels."""
    return ORIGIN[0] + column * PIXEL_M, ORIGIN[1] - row * PIXEL_M


def square(column: float, row: float, half: float) -> shapely.Polygon:
    """A square of pixels around a position."""
    west, north = place(column - half, row - half)
    east, south = place(column + half, row + half)
    return shapely.box(west, south, east, north)


def truth_codes() -> np.ndarray:
    """Cover codes (rows, columns): ore in the mines, else soil, vegetation and mixed at random."""
    generator = np.random.default_rng(3)
    coarse = generator.integers(2, 5, (SIZE // 3, SIZE // 3))
    truth = np.kron(coarse, np.ones((3, 3), np.int64)).astype(np.uint8)
    for column, row in MINES.values():
        truth[row - HALF_PX : row + HALF_PX, column - HALF_PX : column + HALF_PX] = 1
    return truth


def write_cube(path: Path, values: np.ndarray, crs: str = CRS) -> None:
    """Write (10, rows, columns) reflectance as a cube."""
    stored = np.rint(np.where(np.isfinite(values), values, -3.2768) * 1e4).astype(np.int16)
    write_raster(path, stored, nodata=-32768, scale=1e-4, tags=TAGS, pixel=PIXEL_M, crs=crs)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = BANDS
        for band, (centre, fwhm) in enumerate(zip(CENTRES_UM, FWHM_UM, strict=True), start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM=str(fwhm)
            )


def write_points(path: Path, places: list[tuple[float, float]], **attributes: list) -> None:
    """Write points at positions in pixels."""
    points = [shapely.Point(place(*own)) for own in places]
    geopandas.GeoDataFrame(attributes, geometry=points, crs=CRS).to_file(path)


def write_references(path: Path, names: tuple[str, ...] = ("hematite", "quartz")) -> None:
    """Write spectra at the cube's bands, as resample_library does."""
    lines = [",".join(("band", "wavelength_um", "fwhm_um", *names))]
    for band, name in enumerate(BANDS):
        values = ",".join(str(SPECTRA[own][band]) for own in names)
        lines.append(f"{name},{CENTRES_UM[band]},{FWHM_UM[band]},{values}")
    path.write_text("\n".join(lines) + "\n")


def make_district(folder: Path, noise: float = 0.01) -> Path:
    """Write cube, truth, mines, ore points, geology, references and class tables; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(4)
    truth = truth_codes()
    soil, green = np.array(SPECTRA["soil"]), np.array(SPECTRA["vegetation"])
    values = np.empty((len(BANDS), SIZE, SIZE))
    for code, spectrum in ((2, soil), (3, green), (4, 0.62 * soil + 0.38 * green)):
        values[:, truth == code] = spectrum[:, np.newaxis]
    for mineral, (column, row) in MINES.items():
        spectrum = np.array(SPECTRA["hematite"] if mineral == "hematite" else ITABIRITE)
        rows, columns = (slice(middle - HALF_PX, middle + HALF_PX) for middle in (row, column))
        values[:, rows, columns] = (0.8 * spectrum + 0.2 * soil)[:, np.newaxis, np.newaxis]
    values *= generator.normal(1.0, 0.1, (SIZE, SIZE))
    values += generator.normal(0.0, noise, values.shape)
    values[:, :6, :6] = np.nan
    write_cube(folder / "cube.tif", values)
    write_raster(folder / "truth.tif", truth, nodata=255, tags=TAGS, pixel=PIXEL_M, crs=CRS)
    geopandas.GeoDataFrame(
        {"class": list(MINES)},
        geometry=[square(*middle, HALF_PX) for middle in MINES.values()],
        crs=CRS,
    ).to_file(folder / "mines.gpkg")
    places = [
        (column + dx + 0.5, row + dy + 0.5)
        for column, row in MINES.values()
        for dx in range(-6, 6, 2)
        for dy in range(-6, 6, 2)
    ]
    write_points(folder / "ore.gpkg", places, **{"class": [m for m in MINES for _ in range(36)]})
    west = shapely.box(*place(0, SIZE), *place(64, 0))
    east = shapely.box(*place(64, SIZE), *place(SIZE, 0))
    geopandas.GeoDataFrame(
        {"unit": ["Itabirite formation", "Schist"], "iron": ["yes", "no"]},
        geometry=[west, east],
        crs=CRS,
    ).to_file(folder / "geology.gpkg")
    write_references(folder / "references.csv")
    for name in ("covers.csv", "iron.csv"):
        (folder / name).write_text((ROOT / "resources/static" / name).read_text())
    return folder


def sampling(folder: Path, output: Path, *more: object) -> tuple:
    """Arguments of sample_strata.py; rings that fit a scene of 2.4 km."""
    return (
        *("--cube", folder / "cube.tif", "--mines", folder / "mines.gpkg"),
        *("--ore-points", folder / "ore.gpkg", "--classes", folder / "covers.csv"),
        *("--samples", output / "samples.gpkg", "--table", output / "strata.csv"),
        *("--distances-m", 100, 200, 500, 10_000, "--counts", 20, 20, 20, 40, "--ore-count", 20),
        *("--min-distance-m", 30, "--soil-ndvi", 0.2, "--vegetation-ndvi", 0.5, "--soil-bsi", 0),
        *("--test-share", 0.3, "--seed", 42, *more),
    )

"""A small stack of five sensors and an embedding network that knows three minerals in it."""

import json
from pathlib import Path

import numpy as np
import rasterio
from samples import write_raster

from gossan.cube.bands import StackBands, lay_out, sensors_present, write_bands
from gossan.embedding.model import (
    Branch,
    EmbeddingModel,
    Header,
    read_model,
    write_model,
)
from gossan.raster import BandTable

MINERALS = {"alunite": 7, "jarosite": 16, "kaolinite": 17}
COUNTS = {"emit": 40, "enmap": 36, "prisma": 32, "sentinel2": 8, "worldview3": 10}
TABLES = {
    sensor: BandTable(
        tuple(f"B{place:03d}" for place in range(1, count + 1)),
        tuple(np.round(np.linspace(0.42, 2.38, count) + 0.001 * number, 6).tolist()),
        (0.01 if count > 20 else 0.05,) * count,
    )
    for number, (sensor, count) in enumerate(COUNTS.items())
}
BANDS, ROWS = lay_out(TABLES)
CLASSES = """code,name,label,colour
7,alunite,Alunite,#E53935
16,jarosite,Jarosite,#F4E04D
17,kaolinite,Kaolinite,#7E57C2
"""
SIZE = (40, 50)
EMBEDDING_FLAGS = (
    *("--masking", 2, "--triplets", 256, "--epochs", 2, "--mining", "semi-hard", "--margin", 0.3),
    *("--hidden", 32, "--embedding", 8, "--networks", 1, "--seed", 42, "--threads", 1),
)
"""How an embedding is trained in little time."""


def reflect(wavelength_um: np.ndarray) -> np.ndarray:
    """Reflectance (3, n) of three made-up minerals: a slope and two absorptions each."""
    wavelength_um = np.asarray(wavelength_um, float)
    places = ((1.27, 2.17), (0.86, 2.26), (1.65, 2.21))
    found = []
    for place, (first, second) in enumerate(places):
        dip = np.exp(-0.5 * ((wavelength_um - first) / 0.06) ** 2)
        dip += np.exp(-0.5 * ((wavelength_um - second) / 0.05) ** 2)
        found.append((0.4 + 0.05 * place + 0.05 * wavelength_um) * np.exp(-0.6 * dip))
    return np.array(found, np.float32)


def spectra_of(bands: StackBands = BANDS) -> np.ndarray:
    """The minerals (3, B) at a stack's bands."""
    return reflect(bands.centre_um)


def make_model(
    path: Path,
    bands: StackBands = BANDS,
    masked: bool = True,
    spread: int = 16,
    scene: str = "a-hill",
) -> EmbeddingModel:
    """Write and read a network of random weights whose references are the three minerals."""
    generator = np.random.default_rng(1)
    weights = generator.normal(0, len(bands) ** -0.5, (len(bands), 24)).astype(np.float32)
    branch = Branch(
        weights,
        np.zeros(24, np.float32),
        generator.normal(0, 0.2, (24, spread)).astype(np.float32),
        np.zeros(spread, np.float32),
    )
    header = Header(
        scene,
        bands,
        tuple(MINERALS),
        tuple(MINERALS.values()),
        spread,
        len(bands.sensors) - 1 if masked else 0,
        ("made-up.csv",),
        True,
        (1,) * len(MINERALS),
    )
    write_model(path, header, [branch], spectra_of(bands))
    return read_model(path)


def make_stack(folder: Path, sensors: tuple[str, ...] = tuple(COUNTS)) -> Path:
    """Write stack.tif, sensors.tif, bands.csv, classes.csv and thresholds.json; three stripes.

    Sensors leave gaps in squares, and one corner has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bands, rows = lay_out({name: TABLES[name] for name in sensors})
    write_bands(folder / "bands.csv", rows)
    generator = np.random.default_rng(2)
    kind = np.arange(SIZE[0])[:, None] * 3 // SIZE[0] + np.zeros(SIZE, int)
    values = spectra_of(bands)[kind] * generator.uniform(0.7, 1.2, (*SIZE, 1))
    values += generator.normal(0, 0.002, values.shape)
    squares = generator.random((SIZE[0] // 10, SIZE[1] // 10, len(sensors))) < 0.7
    present = squares.repeat(10, 0).repeat(10, 1)
    present[:10, :10], present[10:20, :10] = False, True
    stored = np.rint(values * 1e4).astype("int16").transpose(2, 0, 1)
    stored[~bands.present_bands(present).transpose(2, 0, 1)] = -32768
    tags = {"SYNTHETIC": "yes", "ACQUIRED": "2024-06-01T18:00:00Z"}
    write_raster(folder / "stack.tif", stored, nodata=-32768, scale=1e-4, tags=tags)
    with rasterio.open(folder / "stack.tif", "r+") as dataset:
        dataset.descriptions = bands.names
        for band, (centre, fwhm) in enumerate(
            zip(bands.centre_um, bands.fwhm_um, strict=True), start=1
        ):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(centre), FWHM_UM=repr(fwhm)
            )
    bits = np.zeros(SIZE, "uint8")
    for place, name in enumerate(COUNTS):
        if name in sensors:
            bits |= (present[..., sensors.index(name)] << place).astype("uint8")
    write_raster(folder / "sensors.tif", bits, nodata=0, tags=tags)
    assert (sensors_present(bits, sensors) == present).all()
    (folder / "classes.csv").write_text(CLASSES)
    limits = {name: {"validation": 0.3, "oracle": 0.3, "conformal": 0.4} for name in MINERALS}
    (folder / "thresholds.json").write_text(json.dumps({"masked": limits}))
    return folder

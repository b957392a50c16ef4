"""Small stacks of simulated sensors with a known truth, and networks without any training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import rasterio
from samples import ROOT, write_raster
from scipy.ndimage import gaussian_filter

from gossan.cube.bands import (
    HYPERSPECTRAL,
    SENSORS,
    StackBands,
    lay_out,
    sensors_present,
    write_bands,
)
from gossan.embedding.filler import Header as FillerHeader
from gossan.embedding.filler_training import export_filler
from gossan.embedding.model import Branch, Header, read_model, write_model
from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
from gossan.embedding.training_spectra import read_training
from gossan.legend import read_classes
from gossan.raster import BandTable

LIBRARY = ROOT / "resources" / "static" / "analytic_library.csv"
MINERALS = ("alunite", "hematite", "kaolinite")
TABLES = {
    "emit": np.r_[np.arange(0.42, 0.90, 0.04), np.arange(2.06, 2.40, 0.015)],
    "sentinel2": np.array([0.443, 0.49, 0.56, 0.665, 0.705, 0.74, 0.783, 0.865, 1.61, 2.19]),
    "worldview3": np.array([0.48, 0.55, 0.66, 0.83, 1.21, 1.66, 2.165, 2.205, 2.26, 2.33]),
    "enmap": np.r_[np.arange(0.43, 0.90, 0.05), np.arange(2.07, 2.40, 0.02)],
    "prisma": np.r_[np.arange(0.45, 0.90, 0.06), np.arange(2.08, 2.40, 0.025)],
    "landsat": np.array([0.443, 0.483, 0.561, 0.655, 0.865, 1.609, 2.201]),
    "aster": np.array([0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.398]),
}
SENSORS_USED = ("emit", "sentinel2", "worldview3")
SIZE = 48


def small_bands(sensors=SENSORS_USED) -> tuple[StackBands, list]:
    """Bands of a few sensors, and the rows of their table."""
    return lay_out(
        {
            name: BandTable(
                tuple(f"B{place:03d}" for place in range(len(TABLES[name]))),
                tuple(np.round(TABLES[name], 4).tolist()),
                (0.01 if name in HYPERSPECTRAL else 0.03,) * len(TABLES[name]),
            )
            for name in sensors
        }
    )


def make_augmenter(bands: StackBands, classes) -> Augmenter:
    """Augmented spectra of the shipped library."""
    return Augmenter(read_training([LIBRARY], classes), bands, Augmentation())


def make_classes(folder: Path, minerals=MINERALS) -> list:
    """Write classes.csv with the codes of the global table, and read it."""
    lines = (ROOT / "resources" / "static" / "minerals.csv").read_text().splitlines()
    rows = {line.split(",")[1]: line for line in lines[1:]}
    text = "\n".join([lines[0], *(rows[name] for name in minerals)])
    (folder / "classes.csv").write_text(text + "\n")
    return read_classes(folder / "classes.csv")


def write_network(path: Path, augmenter: Augmenter, classes, max_masked: int):
    """A network of random weights whose references are the pure spectra."""
    bands, generator = augmenter.bands, np.random.default_rng(max_masked)
    width, size = 32, 8
    branch = Branch(
        (generator.normal(size=(len(bands), width)) / 5).astype(np.float32),
        np.zeros(width, np.float32),
        generator.normal(size=(width, size)).astype(np.float32),
        np.zeros(size, np.float32),
    )
    names = tuple(item.name for item in classes)
    places = [augmenter.labels == augmenter.names.index(name) for name in names]
    header = Header(
        "a-hill",
        bands,
        names,
        tuple(item.code for item in classes),
        size,
        max_masked,
        ("analytic_library.csv",),
        True,
        tuple(int(own.sum()) for own in places),
    )
    references = np.concatenate([augmenter.pure[own] for own in places])
    write_model(path, header, [branch], references)
    return read_model(path)


def write_filler(path: Path, bands: StackBands) -> None:
    """A network that fills gaps with straight lines: its weights, and so its answers, are 0."""
    size = len(bands) + len(bands.sensors)
    weights = [np.zeros((size, len(bands)), np.float32), np.zeros(len(bands), np.float32)]
    layer = SimpleNamespace(name="output", get_weights=lambda: weights)
    model = SimpleNamespace(
        layers=[layer], input_shape=(None, size), output_shape=(None, len(bands))
    )
    path.write_bytes(export_filler(model, FillerHeader("a-hill", bands, ("none",), True, 1)))


def make_scene(folder: Path, sensors=SENSORS_USED, minerals=MINERALS, seed: int = 3) -> Path:
    """Write stack, sensors, bands, classes, truth and two networks; return the folder.

    Patches of the minerals lie among other ground. No sensor saw the two first rows, one sensor
    alone saw a corner, and the two last columns have no reference.
    """
    folder.mkdir(parents=True, exist_ok=True)
    classes = make_classes(folder, minerals)
    bands, rows = small_bands(sensors)
    write_bands(folder / "bands.csv", rows)
    augmenter = make_augmenter(bands, classes)
    generator = np.random.default_rng(seed)
    ground = np.array([augmenter.names.index(name) for name in (*minerals, "quartz", "soil")])
    fields = np.stack([gaussian_filter(generator.normal(size=(SIZE, SIZE)), 2) for _ in ground])
    label = fields.argmax(axis=0)
    records = np.array([np.flatnonzero(augmenter.labels == place)[0] for place in ground])
    spectra = augmenter.augment(records[label.ravel()], generator)
    every = sum(1 << SENSORS.index(name) for name in sensors)
    bits = np.full((SIZE, SIZE), every, np.uint8)
    bits[:2] = 0
    bits[40:, :8] = 1 << SENSORS.index(sensors[-1])
    seen = bands.present_bands(sensors_present(bits.ravel(), bands.sensors))
    stored = np.where(seen, np.rint(spectra * 1e4), -32768).astype(np.int16)
    write_raster(
        folder / "stack.tif",
        stored.T.reshape(-1, SIZE, SIZE),
        nodata=-32768,
        scale=1e-4,
        tags={"SYNTHETIC": "yes"},
    )
    with rasterio.open(folder / "stack.tif", "r+") as dataset:
        dataset.descriptions = bands.names
        for place, (centre, width) in enumerate(
            zip(bands.centre_um, bands.fwhm_um, strict=True), start=1
        ):
            dataset.update_tags(
                place, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(centre), FWHM_UM=repr(width)
            )
    write_raster(folder / "sensors.tif", bits, nodata=0)
    codes = np.array([*(item.code for item in classes), 0, 0], np.uint8)
    truth = codes[label]
    truth[:, -2:] = 255
    write_raster(folder / "truth.tif", truth, nodata=255, tags={"SYNTHETIC": "yes"})
    write_network(folder / "masked.onnx", augmenter, classes, len(sensors) - 1)
    write_network(folder / "unmasked.onnx", augmenter, classes, 0)
    if len(sensors) > 1:
        write_filler(folder / "filler.onnx", bands)
    return folder

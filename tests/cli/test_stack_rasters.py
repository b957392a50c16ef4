import json

import numpy as np
import pytest
import rasterio
from samples import run_tool, write_raster


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(3)
    for name in ("B02", "B03"):
        values = generator.uniform(0, 20000, (40, 50)).astype("float64")
        values[:4, :5] = np.nan
        write_raster(tmp_path / f"{name}.tif", values, nodata=np.nan)
    both = np.stack([np.full((40, 50), 7, "uint16"), np.full((40, 50), 9, "uint16")])
    write_raster(tmp_path / "both.tif", both)
    return tmp_path


def stack(folder, product, *bands, more=()):
    outputs = ("--cube", folder / "out/cube.tif", "--record", folder / "out/cube.json")
    return run_tool("stack_rasters", "--product", product, "--bands", *bands, *outputs, *more)


def test_single_bands_become_a_cube_of_the_same_numbers(folder):
    done = stack(folder, folder, "B03", "B02", more=("--block-px", 16, "--threads", 2))
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "out/cube.tif") as dataset:
        values = dataset.read()
        assert dataset.descriptions == ("B03", "B02")
    for place, name in enumerate(("B03", "B02")):
        with rasterio.open(folder / f"{name}.tif") as dataset:
            np.testing.assert_allclose(values[place], dataset.read(1), rtol=1e-6)
    record = json.loads((folder / "out/cube.json").read_text())
    assert record["pixels"] == {"total": 2000, "observed": 1980, "valid": 1980}
    assert record["synthetic"] is False


def test_bands_of_one_file_are_chosen_by_name(folder):
    assert stack(folder, folder / "both.tif", "band_2").returncode == 0
    with rasterio.open(folder / "out/cube.tif") as dataset:
        assert (dataset.read() == 9).all()


@pytest.mark.parametrize(
    ("product", "bands", "words"),
    [
        (".", ("B02", "B09"), "B09.tif: no such raster file"),
        (".", ("both",), "both.tif: has several bands"),
        ("both.tif", ("B02",), "both.tif: has no band B02"),
        ("both.tif", ("band_1", "band_1"), "named twice"),
        (".", ("B02", "B02"), "named twice"),
        ("empty.tif", ("band_1",), "empty.tif: no pixel has all bands"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(folder, product, bands, words):
    write_raster(folder / "empty.tif", np.zeros((8, 8), "uint8"), nodata=0)
    done = stack(folder, folder / product, *bands)
    assert done.returncode == 1
    assert words in done.stderr
    assert not list((folder / "out").glob("*"))

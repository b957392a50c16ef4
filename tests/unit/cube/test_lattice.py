import numpy as np
import pytest
from samples import write_raster

from gossan.cube.lattice import read_lattice


@pytest.fixture(scope="module")
def rasters(tmp_path_factory):
    """Two rasters on one grid, 70 × 90: numbers that tell their place, and codes."""
    folder = tmp_path_factory.mktemp("lattice")
    place = np.arange(70 * 90, dtype=np.float32).reshape(70, 90)
    place[10, 20] = np.nan
    values = np.stack([place, 2 * place])
    one = write_raster(folder / "one.tif", values, nodata=np.nan)
    two = write_raster(folder / "two.tif", (np.nan_to_num(place) % 250).astype(np.uint8))
    return one, two


@pytest.mark.parametrize(("most", "step"), [(10**6, 1), (6300, 1), (6299, 2), (1600, 2), (100, 8)])
def test_every_kth_pixel_of_every_kth_row_comes(rasters, most, step):
    one, two = read_lattice(rasters, most)
    rows, columns = np.mgrid[0:70:step, 0:90:step]
    wanted = (rows * 90 + columns).ravel().astype(float)
    wanted[wanted == 10 * 90 + 20] = np.nan
    assert np.array_equal(one, np.stack([wanted, 2 * wanted], axis=1), equal_nan=True)
    assert np.array_equal(two[:, 0], np.nan_to_num(wanted) % 250)
    assert most >= len(one) or step == 8


@pytest.mark.parametrize("block_px", [16, 33, 64, 512])
@pytest.mark.parametrize("threads", [1, 2])
def test_neither_blocks_nor_threads_change_the_sample(rasters, block_px, threads):
    found = read_lattice(rasters, 700, block_px=block_px, threads=threads)
    for one, other in zip(found, read_lattice(rasters, 700), strict=True):
        assert np.array_equal(one, other, equal_nan=True)

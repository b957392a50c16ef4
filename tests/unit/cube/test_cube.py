import json
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from gossan.cube.cube import Cube, Pixels, Record, describe_masked
from gossan.errors import InputError
from gossan.raster import BandTable, Grid, map_blocks, read_info

CUBE = Cube(
    bands=BandTable(("B1", "B2"), (0.5, 0.6), (0.01, 0.02)),
    product_id="LC08_1",
    sensor="Landsat-8 OLI_TIRS",
    synthetic=True,
    atmosphere="dos1",
    normalisation="clip",
    spacecraft="LANDSAT_8",
    collection="2",
    level="L1TP",
    acquired="2024-07-19T05:40:11Z",
    sun_elevation_deg=64.9,
)
NUMBERS = Cube(
    BandTable(("dem",)),
    product_id="heights",
    sensor="raster stack",
    synthetic=False,
    reflectance=False,
)
RECORD = Record(
    CUBE,
    Pixels(100, 90, 80),
    describe_masked(["cloud"], [9], 90),
    corrections=[{"method": "dos1"}],
    how={"ndvi_max": 0.3},
    found={"stages": [], "looks": {"pixels_by_count": [1, 2]}},
    notes=["one note"],
)


def write(folder, cube, values):
    grid = Grid(CRS.from_epsg(32643), Affine(30, 0, 430_000, 0, -30, 3_990_000), 16, 16)
    path = folder / "cube.tif"
    map_blocks(
        lambda window: np.broadcast_to(values, (len(values), 16, 16)).astype(np.float32),
        [lambda window: window],
        [cube.layer(path)],
        grid=grid,
    )
    return read_info(path)


def test_reflectance_is_stored_in_steps_of_a_ten_thousandth_and_its_tags_are_read_again(tmp_path):
    info = write(tmp_path, CUBE, np.array([0.5, 1.2])[:, None, None])
    assert (info.dtype, info.nodata, info.scale) == ("int16", -32768, 1e-4)
    assert info.tags["SUN_ELEVATION_DEG"] == "64.9"
    assert info.tags["SYNTHETIC"] == "yes"
    assert "ACQUIRED_FIRST" not in info.tags
    assert Cube.of(info) == replace(CUBE, spacecraft="", collection="", level="")


def test_any_numbers_are_stored_as_they_are_and_nothing_is_said_of_their_making(tmp_path):
    info = write(tmp_path, NUMBERS, np.array([1234.5])[:, None, None])
    assert (info.dtype, info.scale) == ("float32", 1.0)
    assert info.tags == {"SENSOR": "raster stack", "PRODUCT_ID": "heights", "SYNTHETIC": "no"}
    assert Cube.of(info) == replace(NUMBERS, atmosphere="", normalisation="")


def test_a_sun_that_is_no_number_is_named(tmp_path):
    info = write(tmp_path, NUMBERS, np.array([1.0])[:, None, None])
    with pytest.raises(InputError, match=r"cube\.tif: its tag SUN_ELEVATION_DEG is no number"):
        Cube.of(replace(info, tags={"SUN_ELEVATION_DEG": "high"}))


def test_a_record_is_read_as_it_was_written(tmp_path):
    RECORD.write(tmp_path / "cube.json")
    assert Record.read(tmp_path / "cube.json") == RECORD
    value = json.loads((tmp_path / "cube.json").read_text())
    assert value["masked"] == {"cloud": {"pixels": 9, "share_of_observed": 0.1}}
    assert value["bands"][1] == {"name": "B2", "centre_um": 0.6, "fwhm_um": 0.02}
    assert list(value) == [
        *("product_id", "spacecraft", "sensor", "collection", "level", "acquired"),
        *("sun_elevation_deg", "synthetic", "atmosphere", "corrections", "normalisation"),
        *("ndvi_max", "pixels", "masked", "bands", "stages", "looks", "notes"),
    ]


def test_a_record_of_any_numbers_tells_names_only(tmp_path):
    Record(NUMBERS, Pixels(1, 1, 1)).write(tmp_path / "cube.json")
    assert Record.read(tmp_path / "cube.json").cube == NUMBERS
    assert json.loads((tmp_path / "cube.json").read_text())["bands"] == [{"name": "dem"}]


@pytest.mark.parametrize("key", ["product_id", "sensor", "bands", "pixels", "masked", "notes"])
def test_a_record_without_a_key_is_refused(tmp_path, key):
    value = RECORD.describe()
    del value[key]
    (tmp_path / "cube.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"cube\.json: is no record of a cube"):
        Record.read(tmp_path / "cube.json")

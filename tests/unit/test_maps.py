import numpy as np
import pytest
import rasterio
from affine import Affine
from qgis_runs import ask_qgis
from rasterio.crs import CRS

from gossan.legend import MapClass, class_colours, write_class_style, write_continuous_style
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.raster import Grid, Layer, decode, map_blocks, read_info

GRID = Grid(CRS.from_epsg(32643), Affine(30, 0, 430_000, 0, -30, 3_990_000), 20, 16)
CLASSES = [MapClass(3, "alunite", "Alunite", "#FF0000"), MapClass(7, "topaz", "Topaz", "#00FF00")]


def make(window):
    shape = window.height, window.width
    return np.full(shape, 3, np.uint8), np.full((2, *shape), 0.5, np.float32)


def write(folder, **options):
    folder.mkdir()
    maps = [
        ClassMap(folder / "class.tif", CLASSES, tags={"A": "b"}),
        Ramp.of_shares(folder / "share.tif", ("answer", "other"), {"A": "b"}, reverse=True),
    ]
    write_maps(make, [lambda window: window], maps, grid=GRID, **options)


def test_maps_are_the_rasters_and_legends_that_their_parts_write(tmp_path):
    write(tmp_path / "maps")
    parts = tmp_path / "parts"
    parts.mkdir()
    layers = [
        Layer(
            parts / "class.tif",
            "uint8",
            255,
            ("class",),
            overviews="mode",
            colours=class_colours(CLASSES),
            tags={"A": "b"},
        ),
        Layer(
            parts / "share.tif",
            "int16",
            -32768,
            ("answer", "other"),
            scale=1e-4,
            tags={"A": "b"},
        ),
    ]
    map_blocks(make, [lambda window: window], layers, grid=GRID)
    write_class_style(parts / "class.tif", CLASSES)
    write_continuous_style(parts / "share.tif", 0.0, 1.0, reverse=True)
    names = sorted(path.name for path in parts.iterdir())
    assert names == ["class.qml", "class.tif", "class.tif.aux.xml", "share.qml", "share.tif"]
    assert names == sorted(path.name for path in (tmp_path / "maps").iterdir())
    for name in names:
        assert (parts / name).read_bytes() == (tmp_path / "maps" / name).read_bytes()


ANGLE_STEP = 1e-4


def write_angles(path):
    """A map of angles, and what it holds: 1024 x 1024 of them, pi at row 0, column 1."""
    size = 1024
    grid = Grid(GRID.crs, GRID.transform, size, size)
    angles = np.random.default_rng(2).uniform(-np.pi, np.pi, (size, size)).astype(np.float32)
    angles[:4, :4] = [[0.0, np.pi, -np.pi, 0.1]] * 4
    angles[-4:, -4:] = np.nan
    item = Ramp.of_angles(path, ("angle_rad",), 0.5, reverse=True)
    write_maps(lambda window: angles[window.toslices()], [lambda w: w], [item], grid=grid)
    return path, angles


def test_angles_are_right_to_half_a_step(tmp_path):
    path, angles = write_angles(tmp_path / "angle.tif")
    kept = decode(read_stored(path), read_info(path))
    # Half a step, and what single precision leaves open.
    np.testing.assert_allclose(kept, angles, rtol=0, atol=0.51 * ANGLE_STEP)


def test_qgis_reads_angles_as_radians(tmp_path):
    path, _ = write_angles(tmp_path / "angle.tif")
    told = ask_qgis("raster", path, 430_000 + 30 * 1.5, 3_990_000 - 30 * 1.5)
    assert told["value"] == pytest.approx(np.pi, abs=0.51 * ANGLE_STEP)
    assert told["renderer"] == "singlebandpseudocolor"
    assert "0.5 rad" in " ".join(told["legend"])
    assert told["half"] == [pytest.approx(np.pi / 2, abs=0.51 * ANGLE_STEP), None]


def read_stored(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def test_a_class_map_of_several_bands_has_its_colours_beside_it_only(tmp_path):
    item = ClassMap(tmp_path / "many.tif", CLASSES, ("1", "2"))
    write_maps(
        lambda window: np.full((2, window.height, window.width), 7, np.uint8),
        [lambda window: window],
        [item],
        grid=GRID,
    )
    assert item.layer().colours is None
    assert (tmp_path / "many.tif.aux.xml").exists()


def test_a_raster_without_a_legend_comes_before_the_maps(tmp_path):
    bare = Layer(tmp_path / "bare.tif", "uint8", 255, ("any",))
    ramp = Ramp(tmp_path / "ramp.tif", ("a", "b"), 0.0, 2.0, unit="looks")
    write_maps(make, [lambda window: window], [ramp], beside=[bare], grid=GRID)
    with rasterio.open(tmp_path / "bare.tif") as dataset:
        assert (dataset.read() == 3).all()
    assert "2 looks" in (tmp_path / "ramp.qml").read_text()
    assert not (tmp_path / "bare.qml").exists()


def test_where_a_block_fails_there_is_neither_map_nor_legend(tmp_path):
    def fail(window):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_maps(
            fail, [lambda window: window], [ClassMap(tmp_path / "class.tif", CLASSES)], grid=GRID
        )
    assert not list(tmp_path.iterdir())

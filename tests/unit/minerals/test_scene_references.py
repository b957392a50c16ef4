"""References measured in the scene: the means of the pixels that a user's file names."""

from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
from samples import CENTRES_UM, CRS, FWHM_UM, ORIGIN, PIXEL_M, write_raster
from shapely.geometry import Point, box

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.library.scene_spectra import read_scene, stand_in, write_scene
from gossan.minerals.scene_references import measure_references
from gossan.raster import read_info

CLASSES = [
    MapClass(6, "calcite", "Calcite", "#4FC3F7"),
    MapClass(14, "goethite", "Goethite", "#C6C5AD"),
    MapClass(200, "slag", "Black slag", "#000000"),
]
NODATA = -32768
SIDE = 40


@pytest.fixture
def cube(tmp_path):
    """A cube of random reflectance with a masked row; returns a maker, which adds tags."""

    def make(**tags):
        values = np.random.default_rng(0).integers(500, 6000, (7, SIDE, SIDE)).astype(np.int16)
        values[:, 3] = NODATA
        path = write_raster(tmp_path / "cube.tif", values, NODATA, scale=1e-4, tags=tags)
        with rasterio.open(path, "r+") as dataset:
            for band, (centre, fwhm) in enumerate(zip(CENTRES_UM, FWHM_UM, strict=True), start=1):
                dataset.set_band_description(band, f"B{band}")
                dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM=fwhm)
        return path

    return make


def at(row, column):
    return Point(ORIGIN[0] + (column + 0.5) * PIXEL_M, ORIGIN[1] - (row + 0.5) * PIXEL_M)


def area(row, column, rows, columns):
    west, north = ORIGIN[0] + column * PIXEL_M, ORIGIN[1] - row * PIXEL_M
    return box(west, north - rows * PIXEL_M, west + columns * PIXEL_M, north)


def write_known(path, features):
    names, shapes = zip(*features, strict=True)
    geopandas.GeoDataFrame({"class": names}, geometry=list(shapes), crs=CRS).to_file(path)
    return path


def measure(cube, points, block_px=16, threads=2):
    return measure_references(cube, points, CLASSES, block_px=block_px, threads=threads)


def reflectance(cube):
    with rasterio.open(cube) as dataset:
        return dataset.read() * 1e-4


def test_a_class_has_the_mean_and_spread_of_its_clear_pixels_over_all_blocks(cube, tmp_path):
    path = cube()
    known = write_known(
        tmp_path / "known.gpkg",
        [("calcite", area(0, 10, 20, 12)), ("Black slag", area(30, 30, 4, 5))],
    )
    scene = measure(path, known)
    values = reflectance(path)
    own = np.delete(values[:, :20, 10:22], 3, axis=1).reshape(7, -1)
    assert scene.names == ("calcite", "slag")
    assert scene.pixels.tolist() == [19 * 12, 20]
    np.testing.assert_allclose(scene.mean[0], own.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(scene.deviation[0], own.std(axis=1), rtol=1e-5)
    whole = measure(path, known, block_px=512, threads=1)
    np.testing.assert_allclose(whole.mean, scene.mean, rtol=1e-9)


def test_one_point_is_its_pixel_and_has_no_spread(cube, tmp_path):
    path = cube()
    scene = measure(path, write_known(tmp_path / "known.gpkg", [("goethite", at(7, 9))]))
    np.testing.assert_allclose(scene.mean[0], reflectance(path)[:, 7, 9], rtol=1e-6)
    assert np.isnan(scene.deviation).all()
    assert scene.described("goethite") == "1 pixel of the scene"


def test_a_gps_table_places_pixels(cube, tmp_path):
    path, table = cube(), tmp_path / "gps.csv"
    place = geopandas.GeoSeries([at(20, 21)], crs=CRS).to_crs("EPSG:4326").iloc[0]
    table.write_text(f"longitude,latitude,class\n{place.x:.7f},{place.y:.7f},Goethite\n")
    scene = measure(path, table)
    np.testing.assert_allclose(scene.mean[0], reflectance(path)[:, 20, 21], rtol=1e-6)
    assert scene.file == "gps.csv"


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (
            [("calcite", at(5, 5)), ("goethite", at(3, 5))],
            "goethite lies on pixels that are",
        ),
        ([("calcite", at(5, 5)), ("goethite", at(500, 5))], "goethite has no pixel of the scene"),
        ([("calcite", at(5, 5)), ("goethite", at(5, 5))], "calcite has no pixel of the scene"),
        ([("calcite", at(500, 5))], "does not overlap"),
        ([("talc", at(5, 5))], "unknown classes in the attribute 'class': talc"),
        ([("other", at(5, 5))], "names no mineral of the references; they are calcite, goethite"),
    ],
)
def test_a_class_that_gives_no_spectrum_is_told_in_a_line(cube, tmp_path, features, words):
    known = write_known(tmp_path / "known.gpkg", features)
    with pytest.raises(InputError) as fault:
        measure(cube(), known)
    assert words in str(fault.value) and "known.gpkg" in str(fault.value)


@pytest.mark.parametrize(
    "tags", [{"ATMOSPHERE": "dos1 iarr"}, {"NORMALISATION": "minmax"}], ids=["iarr", "minmax"]
)
def test_a_relative_cube_is_refused(cube, tmp_path, tags):
    known = write_known(tmp_path / "known.gpkg", [("calcite", at(5, 5))])
    with pytest.raises(InputError, match="is relative, after"):
        measure(cube(**tags), known)


def test_a_raster_gives_no_points(cube):
    path = cube()
    with pytest.raises(InputError, match="no vector file"):
        measure(path, path)


def test_the_table_is_read_as_it_was_written_and_only_for_its_cube(cube, tmp_path):
    path, table = cube(), tmp_path / "scene.csv"
    known = [("calcite", area(10, 10, 5, 5)), ("slag", area(30, 3, 1, 1))]
    scene = measure(path, write_known(tmp_path / "known.geojson", known))
    write_scene(table, scene)
    bands = read_info(path).bands
    again = read_scene(table, bands, "cube.tif")
    assert (again.names, again.file) == (("calcite", "slag"), "known.geojson")
    np.testing.assert_array_equal(again.pixels, scene.pixels)
    np.testing.assert_allclose(again.mean, scene.mean, rtol=1e-5)
    with pytest.raises(InputError, match=r"has not the bands of other\.tif"):
        read_scene(table, bands.take([0, 1]), "other.tif")


def test_spectra_of_the_scene_stand_in_at_the_bands_that_the_others_keep(cube, tmp_path):
    scene = measure(cube(), write_known(tmp_path / "known.gpkg", [("slag", at(30, 3))]))
    alone = stand_in(None, scene, ["slag"])
    assert alone.band == scene.bands.names
    np.testing.assert_array_equal(alone.reflectance, scene.mean)
    kept = alone.at(["B1", "B7"])
    others = replace(kept, names=("calcite",) * 2, reflectance=np.full((2, 2), 0.5))
    both = stand_in(others, scene, ["slag", "calcite"])
    assert both.names == ("slag", "calcite", "calcite")
    np.testing.assert_array_equal(both.reflectance[0], scene.mean[0][[0, 6]])
    assert (both.reflectance[1:] == 0.5).all()

"""tabulate_classes: areas, signatures and the GeoPackage of pixels."""

import csv

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
from samples import ORIGIN, PIXEL_M, make_scene, read_values, run_tool, write_raster

from gossan.minerals.map_tables import read_signatures
from gossan.raster import read_info

NAMES = {2: "chalcocite", 12: "feldspar", 6: "calcite"}


@pytest.fixture
def folder(tmp_path):
    """A class map, its angles and its cube."""
    return make_scene(tmp_path / "scene")


def tabulate(folder, output, *more, most=50, block_px=16, threads=2):
    return run_tool(
        "tabulate_classes",
        *("--class-map", folder / "class.tif", "--angle", folder / "angle.tif"),
        *("--cube", folder / "cube.tif", "--classes", folder / "classes.csv"),
        *("--areas", output / "areas.csv", "--signatures", output / "signatures.csv"),
        *("--outlines", output / "outlines.gpkg"),
        *("--pixels", output / "pixels.gpkg", "--points-per-class", most),
        *("--block-px", block_px, "--threads", threads, *more),
    )


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_areas_count_every_pixel_once(folder):
    done = tabulate(folder, folder / "out")
    assert done.returncode == 0, done.stderr
    mapped = read(folder / "class.tif")[0]
    table = {int(row["code"]): row for row in rows(folder / "out" / "areas.csv")}
    assert list(table) == [2, 12, 6, 0, 255]
    assert [row["kind"] for row in table.values()] == ["class"] * 3 + ["unclassified", "nodata"]
    for code, row in table.items():
        assert int(row["pixels"]) == (mapped == code).sum()
        assert float(row["area_km2"]) == pytest.approx((mapped == code).sum() * 900 / 1e6)
    shares = [float(row["share"]) for code, row in table.items() if code != 255]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert table[255]["share"] == ""


def test_areas_are_empty_where_pixels_have_no_size_in_metres(folder):
    for name in ("class", "angle", "cube"):
        path = folder / f"{name}.tif"
        info = read_info(path)
        write_raster(path, read(path), info.nodata, crs=None, scale=info.scale)
    assert tabulate(folder, folder / "out").returncode == 0
    assert {row["area_km2"] for row in rows(folder / "out" / "areas.csv")} == {""}
    points = geopandas.read_file(folder / "out" / "pixels.gpkg", layer="pixels")
    assert points.crs is None
    assert points["lon"].isna().all()


def test_signatures_are_the_statistics_of_each_class(folder):
    assert tabulate(folder, folder / "out").returncode == 0
    mapped = read(folder / "class.tif")[0]
    cube = read(folder / "cube.tif") * 1e-4
    signatures = read_signatures(folder / "out" / "signatures.csv", 7)
    assert set(signatures) == set(NAMES.values())
    for code, name in NAMES.items():
        own = cube[:, mapped == code]
        assert signatures[name].pixels == own.shape[1]
        assert np.allclose(signatures[name].mean, own.mean(axis=1), rtol=1e-6)
        assert np.allclose(signatures[name].std, own.std(axis=1), rtol=1e-5)


def test_pixels_are_the_best_matches_at_their_centres(folder):
    assert tabulate(folder, folder / "out", most=50).returncode == 0
    mapped, angle = read(folder / "class.tif")[0], read_values(folder / "angle.tif")[0]
    points = geopandas.read_file(folder / "out" / "pixels.gpkg", layer="pixels")
    assert points.crs.to_epsg() == 32643
    column = (points.geometry.x.to_numpy() - ORIGIN[0]) / PIXEL_M - 0.5
    row = (ORIGIN[1] - points.geometry.y.to_numpy()) / PIXEL_M - 0.5
    assert np.array_equal(column, column.round())
    assert np.array_equal(row, row.round())
    row, column = row.astype(int), column.astype(int)
    assert np.array_equal(mapped[row, column], points["code"])
    assert np.allclose(angle[row, column], points["angle_rad"])
    for code, name in NAMES.items():
        own = points[points["class"] == name]
        assert len(own) == 50
        assert own["angle_rad"].is_monotonic_increasing
        assert own["angle_rad"].max() <= np.sort(angle[mapped == code])[50]
        assert set(own["class_pixels"]) == {(mapped == code).sum()}
    degrees = points.to_crs("EPSG:4326").geometry
    assert np.allclose(points["lon"], degrees.x, atol=1e-6)
    assert np.allclose(points["lat"], degrees.y, atol=1e-6)


def test_the_geopackage_says_how_many_pixels_there_are(folder):
    most = 700
    assert tabulate(folder, folder / "out", most=most).returncode == 0
    path = folder / "out" / "pixels.gpkg"
    assert [name for name, _ in pyogrio.list_layers(path)] == ["pixels", "classes", "layer_styles"]
    mapped = read(folder / "class.tif")[0]
    table = pyogrio.read_dataframe(path, layer="classes", read_geometry=False)
    for row in table.itertuples():
        total = (mapped == row.code).sum()
        assert row.class_pixels == total
        assert row.points == min(total, most)
        assert row.selection.startswith("all" if total <= most else "best")


def test_blocks_and_threads_do_not_change_a_byte(folder):
    for name, options in {
        "first": {"block_px": 16, "threads": 1},
        "second": {"block_px": 16, "threads": 2},
        "third": {"block_px": 512, "threads": 2},
    }.items():
        assert tabulate(folder, folder / name, **options).returncode == 0
    for table in ("areas.csv", "signatures.csv", "pixels.gpkg", "outlines.gpkg"):
        first = (folder / "first" / table).read_bytes()
        assert first == (folder / "second" / table).read_bytes(), table
        assert first == (folder / "third" / table).read_bytes(), table


def test_a_map_without_classes_gives_empty_tables(folder):
    write_raster(folder / "class.tif", np.zeros((60, 60), np.uint8), nodata=255)
    done = tabulate(folder, folder / "out")
    assert done.returncode == 0, done.stderr
    assert len(geopandas.read_file(folder / "out" / "pixels.gpkg", layer="pixels")) == 0
    signatures = rows(folder / "out" / "signatures.csv")
    assert {(row["pixels"], row["mean"], row["std"]) for row in signatures} == {("0", "", "")}


def test_a_class_that_the_table_lacks_is_named(folder):
    text = (folder / "classes.csv").read_text().splitlines()
    (folder / "classes.csv").write_text("\n".join(text[:-1]) + "\n")
    done = tabulate(folder, folder / "out")
    assert done.returncode == 1
    assert "class.tif: has class 6" in done.stderr
    assert not (folder / "out").exists()


def test_maps_on_different_grids_are_refused(folder):
    write_raster(folder / "angle.tif", np.zeros((10, 10), np.float32))
    done = tabulate(folder, folder / "out")
    assert done.returncode == 1
    assert "angle.tif" in done.stderr


def test_points_per_class_must_be_positive(folder):
    done = tabulate(folder, folder / "out", most=0)
    assert done.returncode == 1
    assert "--points-per-class" in done.stderr

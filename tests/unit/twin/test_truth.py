"""What is known of a ground: class rasters, zones, surveys; determinism and faults."""

from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.raster import Grid
from gossan.twin import truth
from gossan.twin.grounds import GROUNDS
from gossan.twin.porphyry import ALTERATION, CONSTITUENTS, DISTRICT_M, FIELD_ZONES, PorphyryGround
from gossan.twin.site import find_site

SIZES = {"porphyry": [72], "porphyry-zones": [147, 87], "iron": [144], "epithermal": [32]}
VECTORS = ("mines", "ore_points", "geology", "claims", "occurrences")


@pytest.fixture(scope="module")
def tables(root):
    static = root / "resources" / "static"
    return {name: read_classes(static / f"{name}.csv") for name in ("minerals", "covers", "iron")}


@pytest.fixture(scope="module")
def sites():
    return {
        name: find_site(name, seed=42, size_px=size_px, difficulty=1.0)
        for name, size_px in SIZES.items()
    }


@pytest.fixture(scope="module")
def folders(sites, tables, tmp_path_factory):
    folders = {}
    for name, site in sites.items():
        folders[name] = tmp_path_factory.mktemp(name)
        truth.write_truth(folders[name], site, tables)
    return folders


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def codes_of(classes) -> dict[str, int]:
    return {entry.name: entry.code for entry in classes}


def whole(site) -> Window:
    return Window(0, 0, site.grid.width, site.grid.height)


@pytest.mark.parametrize("name", list(GROUNDS))
def test_the_files_of_the_catalogue_are_written(folders, name):
    assert {path.name for path in folders[name].iterdir()} == set(GROUNDS[name].files)


@pytest.mark.parametrize("name", list(GROUNDS))
def test_truth_lies_on_the_grid_of_the_ground_and_holds_known_codes(folders, sites, tables, name):
    table = tables[GROUNDS[name].tables[0]]
    with rasterio.open(folders[name] / "truth.tif") as dataset:
        assert dataset.nodata == 255
        assert dataset.tags()["SYNTHETIC"] == "yes"
        assert dataset.tags()["GROUND"] == name
        sites[name].grid.require_same(Grid.of(dataset), "truth")
        values = set(np.unique(dataset.read(1)).tolist())
    # Open water has no cover.
    assert values <= {*codes_of(table).values(), 255, 0 if name == "iron" else 255}


@pytest.mark.parametrize("name", list(GROUNDS))
def test_same_bytes_with_other_threads_and_over_older_files(folders, sites, tables, tmp_path, name):
    (tmp_path / "truth.tif").write_bytes(b"older")
    (tmp_path / "beside.nc").write_bytes(b"a product")
    truth.write_truth(tmp_path, sites[name], tables, threads=2)
    assert (tmp_path / "beside.nc").read_bytes() == b"a product"
    assert len(list(tmp_path.iterdir())) == len(GROUNDS[name].files) + 1
    for path in folders[name].iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
        assert str(tmp_path).encode() not in path.read_bytes()


# ---- minerals and zones -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["porphyry", "epithermal"])
def test_the_truth_is_the_dominant_constituent_where_the_ground_is_known(
    folders, sites, tables, name
):
    site = sites[name]
    shares = site.terrain.abundances(whole(site), 30)
    names = np.array([codes_of(tables["minerals"])[one] for one in CONSTITUENTS], np.uint8)
    expected = names[shares.argmax(axis=0)]
    expected[site.outside(whole(site), site.grid)] = 255
    np.testing.assert_array_equal(read(folders[name] / "truth.tif"), expected)


def test_faults_are_lines_where_the_ground_is_displaced(folders, sites):
    site = sites["porphyry-zones"]
    table = geopandas.read_file(folders["porphyry-zones"] / "faults.gpkg")
    assert table.crs.to_epsg() == 32639
    assert set(table["source"]) == {truth.ORIGIN}
    assert set(table.geom_type) == {"LineString"}
    window = Window(0, 0, site.grid.width, site.grid.height)
    sides = site.terrain.fault_sides(window, 30)
    crossed = {f"F{place}" for place, own in enumerate(sides, 1) if {1, 2} <= set(own.ravel())}
    assert set(table["fault"]) == crossed
    assert crossed
    rows, columns = np.mgrid[: site.grid.height, : site.grid.width]
    x, y = site.grid.place(columns.ravel() + 0.5, rows.ravel() + 0.5)
    away = shapely.distance(shapely.points(x, y), table.union_all()).reshape(rows.shape)
    for own in sides:
        beside = np.zeros(own.shape, bool)
        beside[:, 1:] |= (own[:, 1:] != own[:, :-1]) & (own[:, 1:] > 0) & (own[:, :-1] > 0)
        # No farther than a pixel's diagonal, and what its steps are drawn straight by.
        assert away[beside].max(initial=0) < 75
    assert away.max() > 500


def test_zones_are_polygons_of_both_kinds(folders, sites):
    path, site = folders["porphyry-zones"] / "zones.gpkg", sites["porphyry-zones"]
    table = geopandas.read_file(path)
    assert table.crs.to_epsg() == 32639
    assert set(table["class"]) == set(FIELD_ZONES)
    assert set(table["source"]) == {truth.ORIGIN}
    # Nothing is drawn below the smallest patch, and the polygons lie on the ground's pixels.
    assert table.area.min() >= 10 * 900
    places = [ALTERATION.index(name) for name in table["class"]]
    burnt = rasterize(
        zip(table.geometry, places, strict=True),
        out_shape=site.grid.shape,
        transform=site.grid.transform,
        dtype="uint8",
    )
    field = site.terrain.alteration(whole(site), 30)
    both = np.isin(field, [ALTERATION.index(name) for name in FIELD_ZONES])
    mapped = burnt > 0
    # What is mapped is the field's zone, but for small patches; what is missing is covered.
    assert (burnt[mapped] == field[mapped]).mean() > 0.97
    assert mapped.sum() > 0.8 * both.sum()


def test_covered_ground_and_small_patches_are_not_drawn(sites):
    phyllic = ALTERATION.index("phyllic")
    zones = np.zeros((20, 20), np.uint8)
    zones[2:12, 2:12] = phyllic
    zones[5, 5] = 0
    zones[15:17, 15:17] = phyllic
    transform = sites["porphyry-zones"].grid.transform
    ((name, geometry),) = truth.map_zones(zones, transform)
    assert name == "phyllic"
    assert len(geometry["coordinates"]) == 1


def test_zones_are_fields_of_the_ground():
    ground, hard = (PorphyryGround(42, (DISTRICT_M, DISTRICT_M), d) for d in (1.0, 2.0))
    window = Window(150, 200, 160, 120)
    zones = ground.alteration(window, 30.0)
    assert set(np.unique(zones)) <= set(range(len(ALTERATION)))
    np.testing.assert_array_equal(hard.alteration(window, 30.0), zones)
    part = ground.alteration(Window(170, 210, 30, 20), 30.0)
    np.testing.assert_array_equal(part, zones[10:30, 20:50])


def test_zones_hold_the_minerals_of_their_name():
    ground = PorphyryGround(42, (DISTRICT_M, DISTRICT_M), 0.0)
    window = Window(160, 250, 160, 120)
    zones = ground.alteration(window, 30.0)
    minerals = np.array(CONSTITUENTS)[ground.abundances(window, 30.0).argmax(axis=0)]

    def share(zone, *names):
        return np.isin(minerals[zones == ALTERATION.index(zone)], names).mean()

    assert share("phyllic", "muscovite", "pyrite") > 0.4
    assert share("phyllic", "chlorite", "epidote") < 0.1
    assert share("propylitic", "chlorite", "epidote") > 0.6
    assert share("propylitic", "muscovite") < 0.05


# ---- iron ---------------------------------------------------------------------------------------


def test_cover_and_grade_are_those_of_the_ground(folders, sites, tables):
    ground = sites["iron"].terrain
    shares = ground.abundances(whole(sites["iron"]), 10)
    covers, iron = (codes_of(tables[name]) for name in ("covers", "iron"))
    np.testing.assert_array_equal(read(folders["iron"] / "truth.tif"), ground.cover(shares, covers))
    np.testing.assert_array_equal(
        read(folders["iron"] / "iron_truth.tif"), ground.grade(shares, iron)
    )


def test_vectors_lie_on_the_scene_and_say_that_they_are_simulated(folders, sites):
    bounds = sites["iron"].grid.bounds
    for name in VECTORS:
        table = geopandas.read_file(folders["iron"] / f"{name}.gpkg")
        assert table.crs.to_epsg() == 32723
        assert table["source"].str.contains("gossan").all()
        west, south, east, north = table.total_bounds
        assert bounds[0] <= west <= east <= bounds[2], name
        assert bounds[1] <= south <= north <= bounds[3], name


def test_extra_rasters_cover_the_scene_on_pixels_of_their_own(folders, sites):
    west, south, east, north = sites["iron"].grid.bounds
    for name, pixel_m in (("dem", 30), ("magnetics", 100)):
        with rasterio.open(folders["iron"] / f"{name}.tif") as dataset:
            assert dataset.res == (pixel_m, pixel_m)
            assert dataset.tags()["SYNTHETIC"] == "yes"
            left, low, right, high = dataset.bounds
            assert np.isfinite(dataset.read()).all()
        assert left <= west and low <= south and right >= east and high >= north


# ---- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table", "entry"),
    [
        ("porphyry", "minerals", "serpentine"),
        ("porphyry-zones", "minerals", "alunite"),
        ("epithermal", "minerals", "serpentine"),
        ("iron", "covers", "mixed"),
        ("iron", "iron", "negative"),
    ],
)
def test_a_class_table_without_a_class_is_refused_and_leaves_nothing(
    sites, tables, tmp_path, name, table, entry
):
    short = tables | {table: [one for one in tables[table] if one.name != entry]}
    words = f"no class named {entry}; the truth of the ground {name} needs it in --{table}"
    with pytest.raises(InputError, match=words):
        truth.write_truth(tmp_path / "out", sites[name], short)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_not_given_is_named(sites, tables, tmp_path):
    with pytest.raises(InputError, match="ground iron needs the class table --covers, --iron"):
        truth.write_truth(tmp_path / "out", sites["iron"], {"minerals": tables["minerals"]})
    assert list(tmp_path.iterdir()) == []


def test_a_ground_without_zones_is_refused_and_leaves_nothing(sites, tables, tmp_path, monkeypatch):
    monkeypatch.setattr(truth, "map_zones", lambda *_: [])
    with pytest.raises(InputError, match="porphyry-zones has neither phyllic nor propylitic"):
        truth.write_truth(tmp_path, sites["porphyry-zones"], tables)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_older_files(sites, tables, tmp_path, monkeypatch):
    (tmp_path / "truth.tif").write_bytes(b"older")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(truth, "_write_fields", fail)
    with pytest.raises(OSError, match="disk full"):
        truth.write_truth(tmp_path, sites["iron"], tables)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.tif"]
    assert (tmp_path / "truth.tif").read_bytes() == b"older"

import zipfile
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from patch_scenes import CALCITE, MINERALS, make_ground, split_table
from samples import write_raster

from gossan.errors import InputError
from gossan.patches.cutting import (
    MOST_BANDS,
    UNLABELLED,
    Recipe,
    choose_bands,
    cut_patches,
    dominant_class,
    fill_gaps,
    place_patches,
    read_images,
    read_patches,
    render_codes,
    table_rows,
    write_colours,
    write_reflectance,
)
from gossan.raster import BandTable, read_info
from gossan.tables import write_table

SMALL = Recipe(8, 8, (), 0.01, 0.9)
NOWHERE = {"centre_um": np.zeros(0), "fwhm_um": np.zeros(0)}


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return make_ground(tmp_path_factory.mktemp("ground"))


def test_the_dominant_class_is_the_largest_of_the_members_only():
    shares = np.array([[0.2, 0.1, 0.7], [0.1, 0.3, 0.0], [0.2, 0.2, 0.6], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(dominant_class(shares, [0, 1]), [0, 1, UNLABELLED, UNLABELLED])
    np.testing.assert_array_equal(dominant_class(shares, [0, 1, 2]), [2, 1, 2, 2])


def test_codes_are_painted_exactly_and_background_is_black():
    painted = render_codes(np.array([[2, 12], [0, 255]], np.uint8), MINERALS)
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[[0, 254, 0], [254, 0, 254]], [[0, 0, 0], [0, 0, 0]]]


def test_a_pixel_that_lacks_a_band_is_zero_in_all():
    values = np.ones((2, 1, 3))
    values[1, 0, 1] = np.nan
    np.testing.assert_array_equal(fill_gaps(values), [[[1, 1], [0, 0], [1, 1]]])


def test_patches_lie_whole_in_the_grid(ground):
    grid = read_info(ground / "class.tif").grid
    rows, columns = place_patches(grid, 50, 30)
    assert sorted(set(rows)) == sorted(set(columns)) == [0, 30, 60]
    assert len(rows) == 9
    with pytest.raises(InputError, match="larger than the scene of 120x120"):
        place_patches(grid, 121, 1)


def test_labels_shares_and_places_follow_the_map(ground):
    table = cut_patches(
        ground / "class.tif", MINERALS, Recipe(10, 5, ("feldspar", "chalcocite"), 0.01, 0.9)
    )
    with rasterio.open(ground / "class.tif") as dataset:
        codes = dataset.read(1)
        x, y = dataset.xy(0, 0, offset="ul")
    assert table.classes == ("chalcocite", "feldspar")
    assert table.synthetic
    for place in (0, len(table) // 2, len(table) - 1):
        row, column = table.rows[place], table.columns[place]
        own = codes[row : row + 10, column : column + 10]
        counts = [(own == code).sum() for code in (2, 12, 6)]
        np.testing.assert_allclose(table.shares[place], np.array(counts) / 100)
        assert table.labels[place] == int(counts[1] > counts[0])
        assert table.background[place] == np.isin(own, (0, 255)).mean()
        assert table.x[place] == x + (column + 5) * 30
        assert table.y[place] == y - (row + 5) * 30
    assert len(table.take(np.arange(3))) == 3


def test_patches_of_little_label_or_much_background_are_left_out(ground):
    every = cut_patches(ground / "class.tif", MINERALS, Recipe(8, 8, (), 0, 1))
    pure = cut_patches(ground / "class.tif", MINERALS, Recipe(8, 8, (), 0.6, 1))
    clear = cut_patches(ground / "class.tif", MINERALS, Recipe(8, 8, (), 0, 0.25))
    assert 0 < len(pure) < len(every)
    assert pure.shares.max(axis=1).min() >= 0.6
    assert 0 < len(clear) < len(every)
    assert clear.background.max() <= 0.25


def test_a_store_is_read_back_as_it_was_cut(ground, tmp_path):
    table = cut_patches(ground / "class.tif", MINERALS, SMALL)
    write_colours(tmp_path / "colour.npz", ground / "class.tif", MINERALS, table)
    write_reflectance(
        tmp_path / "reflectance.npz", ground / "cube.tif", ground / "class.tif", table
    )
    write_table(tmp_path / "patches.csv", table_rows(table))
    again = read_patches(tmp_path / "patches.csv")
    for name in ("rows", "columns", "x", "y", "labels", "blocks", "sides"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name), err_msg=name)
    np.testing.assert_allclose(again.shares, table.shares, atol=1e-6)
    assert (again.classes, again.share_names) == (table.classes, table.share_names)
    colours, bands = read_images(tmp_path / "colour.npz", again)
    assert bands == BandTable(("red", "green", "blue"))
    share = (colours == CALCITE.rgb).all(axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(share, table.shares[:, 2])
    values, bands = read_images(tmp_path / "reflectance.npz", again)
    assert values.dtype == np.float32
    assert bands.names == ("band_1", "band_2", "band_3")
    with rasterio.open(ground / "cube.tif") as dataset:
        stored = dataset.read()
    row, column = table.rows[-1], table.columns[-1]
    np.testing.assert_allclose(
        values[-1],
        np.moveaxis(stored[:, row : row + 8, column : column + 8], 0, -1) * 1e-4,
        rtol=1e-6,
    )
    assert np.isfinite(values).all()
    first = np.flatnonzero((table.rows == 0) & (table.columns == 0))
    assert (values[first, 0, 0] == 0).all()


def test_a_map_with_codes_that_are_no_class_is_refused(ground, tmp_path):
    with pytest.raises(InputError, match=r"class\.tif: class 6 is not in the table"):
        cut_patches(ground / "class.tif", MINERALS[:2], SMALL)
    with pytest.raises(InputError, match="labels: quartz is no class"):
        cut_patches(ground / "class.tif", MINERALS, replace(SMALL, labels=("quartz", "feldspar")))
    write_raster(tmp_path / "angle.tif", np.zeros((20, 20), "float32"))
    with pytest.raises(InputError, match="no class map"):
        cut_patches(tmp_path / "angle.tif", MINERALS, SMALL)


def test_fewer_patches_than_classes_are_refused(ground):
    with pytest.raises(InputError, match="1 labelled patches for 3 classes"):
        cut_patches(ground / "class.tif", MINERALS, replace(SMALL, size_px=100, stride_px=100))
    with pytest.raises(InputError, match="only feldspar to label"):
        cut_patches(ground / "class.tif", MINERALS[1:2], SMALL)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"size_px": 0}, "size-px: 0"),
        ({"stride_px": -1}, "stride-px: -1"),
        ({"min_label_share": 1.5}, "min-label-share"),
        ({"max_background_share": float("nan")}, "max-background-share"),
        ({"labels": ("calcite",)}, "two or more"),
        ({"labels": ("calcite", "calcite")}, "different"),
    ],
)
def test_recipes_that_cannot_be_used(numbers, words):
    with pytest.raises(InputError, match=words):
        replace(SMALL, **numbers)


def test_of_hundreds_of_bands_a_few_are_kept(ground, tmp_path):
    table = cut_patches(ground / "class.tif", MINERALS, SMALL)
    generator = np.random.default_rng(7)
    stored = generator.integers(1, 9999, (40, 120, 120)).astype("int16")
    write_raster(tmp_path / "cube.tif", stored, nodata=-32768, scale=1e-4)
    # Detectors overlap: wavelengths do not ascend.
    centres = generator.permutation(np.linspace(0.4, 2.4, 40))
    with rasterio.open(tmp_path / "cube.tif", "r+") as dataset:
        for band, centre in enumerate(centres, start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(float(centre)), FWHM_UM="0.01"
            )
    write_reflectance(
        tmp_path / "reflectance.npz", tmp_path / "cube.tif", ground / "class.tif", table
    )
    values, bands = read_images(tmp_path / "reflectance.npz", table)
    assert values.shape[-1] == len(bands.names) == MOST_BANDS
    steps = np.diff(sorted(bands.centre_um))
    assert min(bands.centre_um) == 0.4 and max(bands.centre_um) == 2.4
    assert steps.max() < 2.1 * steps.min()
    places = [int(name.removeprefix("band_")) - 1 for name in bands.names]
    assert places == sorted(places)
    assert np.allclose(centres[places], bands.centre_um)
    row, column = table.rows[3], table.columns[3]
    expected = stored[places, row : row + 8, column : column + 8] * 1e-4
    assert np.allclose(values[3], np.moveaxis(expected, 0, -1), rtol=1e-6)
    assert choose_bands(BandTable(("a", "b"))) == [0, 1]
    assert len(set(choose_bands(BandTable(tuple(map(str, range(285))))))) == MOST_BANDS


def test_a_cube_on_another_grid_is_refused(ground, tmp_path):
    table = cut_patches(ground / "class.tif", MINERALS, SMALL)
    write_raster(tmp_path / "cube.tif", np.ones((3, 60, 60), "int16"), nodata=-32768)
    with pytest.raises(InputError, match=r"cube\.tif: 60x60 pixels"):
        write_reflectance(tmp_path / "r.npz", tmp_path / "cube.tif", ground / "class.tif", table)
    assert not (tmp_path / "r.npz").exists()


def test_damaged_and_foreign_stores_are_refused(tmp_path):
    table = split_table()
    path = tmp_path / "colour.npz"
    with pytest.raises(InputError, match="no such file"):
        read_images(path, table)
    path.write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="no readable store"):
        read_images(path, table)
    np.savez_compressed(
        path, images=np.zeros((2, 8, 8, 3), np.uint8), bands=np.array(["a"] * 3), **NOWHERE
    )
    with pytest.raises(InputError, match=r"\(2, 8, 8, 3\) uint8 where the table has"):
        read_images(path, table)
    right = np.zeros((len(table), 8, 8, 3), np.uint8)
    np.savez_compressed(path, images=right, bands=np.array(["a"]), **NOWHERE)
    with pytest.raises(InputError, match="names 1 bands of 3"):
        read_images(path, table)
    np.savez_compressed(path, images=right)
    with pytest.raises(InputError, match="no readable store"):
        read_images(path, table)
    np.savez_compressed(path, images=right, bands=np.array(["a", "b", "c"]), **NOWHERE)
    assert read_images(path, table)[0].shape == right.shape
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no readable store"):
        read_images(path, table)


def test_a_byte_gone_wrong_in_a_store_raises_nothing_but_one_line(tmp_path):
    table = split_table()
    path = tmp_path / "colour.npz"
    images = np.random.default_rng(0).integers(0, 99, (len(table), 8, 8, 3)).astype(np.uint8)
    np.savez_compressed(path, images=images, bands=np.array(["a", "b", "c"]), **NOWHERE)
    content = path.read_bytes()
    # The places of the first member's flags and compression, and others all over the archive.
    for place in (6, 8, *np.linspace(0, len(content) - 1, 300).astype(int)):
        for mask in (1, 8, 255):
            changed = bytearray(content)
            changed[place] ^= mask
            path.write_bytes(changed)
            try:
                read_images(path, table)
            except InputError as error:
                assert "colour.npz" in str(error)


def test_a_pickle_in_a_store_is_not_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    table = split_table()
    pickled = np.full((len(table), 8, 8, 3), None)
    pickled[0, 0, 0, 0] = Trap()
    np.savez(tmp_path / "images.npz", images=pickled, bands=np.array(["a", "b", "c"]), **NOWHERE)
    np.savez(
        tmp_path / "bands.npz",
        images=np.zeros(pickled.shape, np.uint8),
        bands=np.array([Trap()] * 3, object),
        **NOWHERE,
    )
    for name in ("images", "bands"):
        with pytest.raises(InputError):
            read_images(tmp_path / f"{name}.npz", table)
    assert not (tmp_path / "sprung").exists()


def test_a_size_that_lies_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "colour.npz"
    with zipfile.ZipFile(path, "w") as file, file.open("images.npy", "w") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6, 8, 3)}
        np.lib.format.write_array_header_1_0(stream, header)
    with pytest.raises(InputError, match="make both together"):
        read_images(path, split_table())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "held-out"}, "split must be"),
        ({"label": "quartz"}, "label quartz has no column"),
        ({"row": "x"}, "column row holds no whole number"),
        ({"size_px": 9}, "several sizes"),
        ({"patch": 5}, "out of order"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, change, words):
    rows = table_rows(split_table())
    rows[0] |= change
    write_table(tmp_path / "patches.csv", rows)
    with pytest.raises(InputError, match=words):
        read_patches(tmp_path / "patches.csv")


def test_a_table_without_its_columns_is_refused(tmp_path):
    write_table(tmp_path / "patches.csv", [{"patch": 0, "label": "feldspar"}])
    with pytest.raises(InputError, match="lacks the column row"):
        read_patches(tmp_path / "patches.csv")

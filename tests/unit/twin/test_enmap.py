"""The twin as an EnMAP product: native layout, numbers, flags, metadata, determinism."""

import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from gossan.cube.bands import is_excluded, lay_out
from gossan.products.enmap import FLAGS, open_product
from gossan.products.enmap_nominal import enmap_bands
from gossan.products.sun import sun_position
from gossan.raster import BandTable, Grid
from gossan.twin import enmap
from gossan.twin.enmap import write_enmap

ACQUIRED = datetime(2022, 6, 12, 18, 45, 1, 250_000, tzinfo=UTC)
NAME = "ENMAP01-____L2A-DT0000000000_20220612T184501Z_001_V010303_20220613T000000Z"
GRID = Grid(CRS.from_epsg(32611), Affine(30, 0, 500_010, 0, -30, 4_160_010), 50, 40)
WHOLE = Window(0, 0, GRID.width, GRID.height)
BANDS = enmap_bands()
EMPTY = tuple(f"B{place:03d}" for place in range(130, 136))
LAYERS = (
    "METADATA.XML",
    "QL_PIXELMASK.TIF",
    "QL_QUALITY_CIRRUS.TIF",
    "QL_QUALITY_CLASSES.TIF",
    "QL_QUALITY_CLOUD.TIF",
    "QL_QUALITY_CLOUDSHADOW.TIF",
    "QL_QUALITY_HAZE.TIF",
    "QL_QUALITY_SNOW.TIF",
    "QL_QUALITY_TESTFLAGS.TIF",
    "SPECTRAL_IMAGE.TIF",
)


def places(window: Window) -> tuple[np.ndarray, np.ndarray]:
    rows = (np.arange(window.height) + window.row_off)[:, None]
    columns = (np.arange(window.width) + window.col_off)[None, :]
    return rows, columns


def observe(window: Window) -> np.ndarray:
    """Reflectance that tells band, row and column apart; nothing in the first three columns."""
    rows, columns = places(window)
    centres = np.array(BANDS.centre_um, np.float32)[:, None, None]
    values = 0.1 * centres + np.float32(0.004) * rows + np.float32(0.0001) * columns - 0.05
    values = values.astype(np.float32)
    values[:, :, columns[0] < 3] = np.nan
    return values


def flags(window: Window) -> dict[str, np.ndarray]:
    rows, columns = places(window)
    return {
        "cloud": rows + columns < 20,
        "cloud_shadow": (rows < 9) & (columns > 40),
        "cirrus": (rows > 30) & (columns > 30),
        "saturation": (rows == 20) & (columns == 20),
    }


def make(folder: Path, **changes) -> Path:
    options = {"flags": flags, "bands": BANDS, "acquired": ACQUIRED, "block_px": 16} | changes
    write_enmap(folder, options.pop("observe", observe), GRID, **options)
    return folder


@pytest.fixture(scope="module")
def twin(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("twin") / "enmap")


@pytest.fixture(scope="module")
def document(twin) -> ElementTree.Element:
    return ElementTree.parse(twin / f"{NAME}-METADATA.XML").getroot()


# ---- bands --------------------------------------------------------------------------------------


def test_bands_are_those_of_the_instrument(shared_data):
    lines = shared_data("sensor_responses/bands_centre_fwhm.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines if line.startswith("EnMAP,")]
    centres, widths = (np.array([float(row[i]) for row in rows]) / 1000 for i in (2, 3))
    assert BANDS.names == tuple(f"B{place:03d}" for place in range(1, 225))
    np.testing.assert_allclose(BANDS.centre_um, centres, atol=1e-4)
    np.testing.assert_allclose(BANDS.fwhm_um, widths, atol=5e-5)
    # As many as of the real table stay in a stack.
    kept = ~is_excluded(np.array(BANDS.centre_um))
    np.testing.assert_array_equal(kept, ~is_excluded(centres))


def test_bands_ascend_though_the_detectors_overlap():
    centres = np.array(BANDS.centre_um)
    assert np.all(np.diff(centres) > 1e-4)
    assert np.sum((centres > 0.9) & (centres < 1.0)) == 22
    channels = enmap._channels(BANDS)
    assert (len(channels["vnir"]), len(channels["swir"])) == (91, 133)
    # As the metadata of a real product list them.
    assert channels["vnir"][-12:] == [81, 82, 84, 86, 88, 90, 92, 93, 95, 97, 99, 100]
    assert channels["swir"][:10] == [80, 83, 85, 87, 89, 91, 94, 96, 98, 101]


# ---- files --------------------------------------------------------------------------------------


def test_the_layout_is_the_native_one(twin):
    assert sorted(path.name for path in twin.iterdir()) == [f"{NAME}-{layer}" for layer in LAYERS]
    for layer in LAYERS[1:]:
        with rasterio.open(twin / f"{NAME}-{layer}") as dataset:
            is_image, is_mask = layer.startswith("SPECTRAL"), layer.startswith("QL_PIXEL")
            assert dataset.driver == "GTiff" and not dataset.profile["tiled"]
            assert dataset.interleaving.value == "BAND" and dataset.compression.value == "DEFLATE"
            assert dataset.dtypes[0] == ("int16" if is_image else "uint8")
            assert dataset.count == (224 if is_image or is_mask else 1)
            assert dataset.tags() == {"AREA_OR_POINT": "Area"}
            GRID.require_same(Grid.of(dataset), layer)
            nodata = {"SPECTRAL_IMAGE.TIF": -32768, "QL_QUALITY_CLASSES.TIF": 3}
            assert dataset.nodata == nodata.get(layer)
            if is_mask:
                assert not dataset.read().any()


def test_elements_stand_where_the_real_ones_do(document, shared_data):
    archive = shared_data("enmap/metadata_xml/enmap_L2A_gtif_qualification.zip")
    with zipfile.ZipFile(archive) as packed:
        name = next(n for n in packed.namelist() if n.endswith("METADATA.XML"))
        real = ElementTree.fromstring(packed.read(name))

    def paths(element: ElementTree.Element, above: str = "") -> list[str]:
        found = []
        for child in element:
            path = f"{above}/{child.tag}"
            if path not in found:
                found.append(path)
            found += [deeper for deeper in paths(child, path) if deeper not in found]
        return found

    real_paths, own_paths = paths(real), paths(document)
    assert set(own_paths) <= set(real_paths)
    # Sections and what they hold come in the real order.
    for depth in (1, 2):
        own = [path for path in own_paths if path.count("/") == depth]
        assert own == [path for path in real_paths if path in own]


def test_metadata_tell_the_scene(document):
    assert document.findtext("metadata/comment") == enmap.ORIGIN
    assert "not an EnMAP product" in enmap.ORIGIN
    assert document.findtext("base/level") == "L2A"
    assert document.findtext("base/temporalCoverage/startTime") == "2022-06-12T18:45:01.250000Z"
    entries = document.findall("specific/bandCharacterisation/bandID")
    assert [entry.get("number") for entry in entries] == [str(n) for n in range(1, 225)]
    assert entries[0].findtext("wavelengthCenterOfBand") == "418.20"
    assert document.findtext("product/image/merge/dimension/columns") == "50"
    assert document.findtext("product/ortho/projection") == "UTM_Zone11_North"
    corner = document.find("base/spatialCoverage/boundingPolygon/point")
    assert float(corner.findtext("latitude")) == pytest.approx(37.5872, abs=1e-3)
    assert float(corner.findtext("longitude")) == pytest.approx(-116.9999, abs=1e-3)
    read = np.rint(observe(WHOLE).astype(np.float64) / 1e-4) * 1e-4
    statistics = document.findall("product/bandStatistics/bandID")
    for place in (1, 129, 136, 224):
        told = statistics[place - 1]
        assert float(told.findtext("mean")) == pytest.approx(np.nanmean(read[place - 1]), rel=1e-5)
        deviation = float(told.findtext("stdDeviation"))
        assert deviation == pytest.approx(np.nanstd(read[place - 1]), rel=1e-5)
    for entry in statistics[129:135]:
        assert (entry.findtext("mean"), entry.findtext("stdDeviation")) == ("-1000000", "0")
    seen = ~np.isnan(read[0])
    share = 100 * (flags(WHOLE)["cloud"] & seen).sum() / seen.sum()
    assert int(document.findtext("specific/qualityFlag/cloudCover")) == round(share)


# ---- round trip ---------------------------------------------------------------------------------


def test_the_reader_reads_it_and_knows_that_it_is_simulated(twin):
    with open_product(twin) as product:
        assert product.synthetic and product.surface_reflectance
        assert product.product_id == NAME
        assert product.acquired == "2022-06-12T18:45:01.250000Z"
        assert product.grid == GRID
        lon, lat = -116.99154, 37.58178
        elevation, *_ = sun_position(ACQUIRED, lon, lat)
        assert product.sun_elevation_deg == pytest.approx(elevation, abs=1e-3)
        assert product.notes == ("bands left out (no data): B130-B135 (1.331-1.391 µm)",)
        kept = [place for place, name in enumerate(BANDS.names) if name not in EMPTY]
        assert product.bands == BandTable(
            *(tuple(column[place] for place in kept) for column in vars(BANDS).values())
        )
        read = product.read_reflectance(WHOLE)
        told = dict(zip(FLAGS, product.read_flags(WHOLE, FLAGS), strict=True))
    expected = observe(WHOLE)[kept]
    np.testing.assert_allclose(read, expected, atol=5.001e-5)
    fill = np.isnan(expected[0])
    np.testing.assert_array_equal(told.pop("fill"), fill)
    for flag, layer in flags(WHOLE).items():
        np.testing.assert_array_equal(told.pop(flag), layer & ~fill, err_msg=flag)
    assert not any(layer.any() for layer in told.values())


def test_the_empty_bands_are_found_in_the_image_too(twin, tmp_path):
    """Without the statistics the reader looks, and finds the same."""
    for file in twin.iterdir():
        (tmp_path / file.name).symlink_to(file)
    path = tmp_path / f"{NAME}-METADATA.XML"
    text = path.read_text().replace("<mean>-1000000</mean>", "<mean>0.1</mean>")
    path.unlink()
    path.write_text(text)
    with open_product(twin) as told, open_product(tmp_path) as found:
        assert found.notes == told.notes
        assert found.bands == told.bands


def test_its_bands_stay_in_a_stack(twin):
    with open_product(twin) as product:
        bands, rows = lay_out({"enmap": product.bands})
    assert len(rows) == 218
    # 1.331 µm, one of the empty ones, is the only one of them outside of the excluded ranges.
    assert len(bands) == np.sum(~is_excluded(np.array(BANDS.centre_um))) - 1


@pytest.mark.parametrize("flag", ["snow", "haze", "water"])
def test_every_flag_has_its_layer(tmp_path, flag):
    def one(window: Window) -> dict[str, np.ndarray]:
        rows, columns = places(window)
        return {flag: (rows > 3) & (columns > 5)}

    with open_product(make(tmp_path / "x", flags=one)) as product:
        told = dict(zip(FLAGS, product.read_flags(WHOLE, FLAGS), strict=True))
    np.testing.assert_array_equal(told.pop(flag), one(WHOLE)[flag])
    told.pop("fill")
    assert not any(layer.any() for layer in told.values())


def test_numbers_keep_within_their_type(tmp_path):
    def extreme(window: Window) -> np.ndarray:
        values = observe(window)
        values[0], values[1] = 9.0, -9.0
        values[2, :, :] = np.inf
        return values

    with open_product(make(tmp_path / "x", observe=extreme)) as product:
        assert product.bands.names[:2] == ("B001", "B002")
        assert "B003" not in product.bands.names
        read = product.read_reflectance(Window(10, 10, 1, 1))
    np.testing.assert_allclose(read[:2, 0, 0], [3.2767, -3.2767], rtol=1e-6)


# ---- determinism, failure -----------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"threads": 3}, {"block_px": 23}, {"block_px": 512}])
def test_same_bytes_with_other_threads_and_blocks(twin, tmp_path, changes):
    other = make(tmp_path / "other", **changes)
    for path in twin.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_the_time_zone_does_not_matter(twin, tmp_path):
    local = ACQUIRED.astimezone(timezone(timedelta(hours=-7)))
    other = make(tmp_path / "other", acquired=local)
    name = f"{NAME}-METADATA.XML"
    assert (other / name).read_bytes() == (twin / name).read_bytes()


def test_an_older_folder_is_replaced(tmp_path):
    folder = tmp_path / "enmap"
    folder.mkdir()
    (folder / "older.TIF").write_bytes(b"")
    make(folder)
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}-{name}" for name in LAYERS]
    assert [path.name for path in tmp_path.iterdir()] == ["enmap"]


def test_a_failure_leaves_the_older_folder(tmp_path):
    folder = tmp_path / "enmap"
    folder.mkdir()
    (folder / "older.TIF").write_bytes(b"older")

    def fail(window: Window) -> np.ndarray:
        raise OSError("disk full")

    with pytest.raises(OSError, match="No space left"):
        make(folder, observe=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["enmap"]
    assert [path.name for path in folder.iterdir()] == ["older.TIF"]


def test_the_files_tell_nothing_of_the_machine(twin):
    for path in twin.iterdir():
        assert str(twin.parent).encode() not in path.read_bytes(), path.name

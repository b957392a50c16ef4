"""compare_wavelets: energies, entropy, error and the separation of zones; bad input."""

import csv

import geopandas
import numpy as np
import pytest
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, run_command, run_tool, write_raster
from scipy.ndimage import gaussian_filter
from shapely.geometry import box
from sklearn.metrics import roc_auc_score
from whole_bands import make_transform, split_band

ROWS, COLUMNS = 120, 150
CLASSES = """code,name,label,colour
9,muscovite,Muscovite,#FF0000
4,pyrite,Pyrite,#FFFF00
11,chlorite,Chlorite,#00FF00
"""


def make_scene():
    """A cube of two bands of which one shows the zones, and the truth in class codes."""
    generator = np.random.default_rng(5)
    field = gaussian_filter(generator.standard_normal((ROWS, COLUMNS)), 6)
    truth = np.select([field > 0.04, field > 0.03, field < -0.03], [9, 4, 11], 30).astype("uint8")
    noise = generator.normal(0, 0.05, (2, ROWS, COLUMNS))
    cube = np.rint((0.4 + np.stack([2 * field, 0 * field]) + noise) * 1e4).astype("int16")
    cube[:, 20:30, 40:50] = -32768
    truth[100:] = 255
    return cube, truth


def write_cube(path, cube):
    write_raster(path, cube, nodata=-32768, scale=1e-4)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("4", "6")


@pytest.fixture
def folder(tmp_path):
    cube, truth = make_scene()
    write_cube(tmp_path / "cube.tif", cube)
    write_raster(tmp_path / "truth.tif", truth, nodata=255)
    (tmp_path / "classes.csv").write_text(CLASSES)
    return tmp_path


ZONES = ("--zone", "phyllic", "muscovite", "pyrite", "--zone", "propylitic", "chlorite")


WAVELETS = (
    *("--wavelets", "haar", "db2", "sym4", "coif1", "--level", 1, "--mode", "symmetric"),
    *("--transform", "dwt", "--gaps", "fill", "--bootstrap", 200, "--seed", 42),
)


def compare(folder, *more, output="comparison.csv", truth="truth.tif"):
    known = ()
    if truth:
        known = ("--truth", folder / truth, "--classes", folder / "classes.csv")
    return run_tool(
        "compare_wavelets",
        *("--cube", folder / "cube.tif", "--output", folder / output, *WAVELETS),
        *known,
        *more,
    )


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("kind", ["dwt", "swt"])
def test_the_table_says_what_whole_bands_say(folder, kind):
    done = compare(folder, *ZONES, "--wavelets", "haar", "sym4", "--transform", kind)
    assert done.returncode == 0, done.stderr
    table = rows(folder / "comparison.csv")
    assert [(row["wavelet"], row["band"]) for row in table] == [
        (wavelet, band) for wavelet in ("haar", "sym4") for band in ("4", "6")
    ]
    cube, truth = make_scene()
    for row in table:
        band = cube[int(row["band"] == "6")]
        values = np.where(band == -32768, np.nan, band * np.float32(1e-4)).astype("float32")
        parts = split_band(values, make_transform(row["wavelet"], kind=kind)).astype(float)
        valid = ~np.isnan(values)
        assert int(row["pixels"]) == valid.sum()
        variance = parts[:, valid].var(axis=1)
        for name, share in zip(("LL", "LH", "HL", "HH"), variance / variance.sum(), strict=True):
            assert float(row[f"share_{name}"]) == pytest.approx(share, abs=1e-5)
        _, counts = np.unique(np.rint(parts[1:, valid] / 1e-4), return_counts=True)
        frequency = counts / counts.sum()
        assert float(row["entropy_bits"]) == pytest.approx(
            -(frequency * np.log2(frequency)).sum(), abs=1e-3
        )
        assert float(row["reconstruction_error"]) < 1e-5
        tested = valid & (truth != 255)
        smooth = np.rint(parts[0][tested] / 1e-4)
        for zone, codes in {"phyllic": (9, 4), "propylitic": (11,)}.items():
            inside = np.isin(truth[tested], codes)
            auc = roc_auc_score(inside, smooth)
            assert float(row[f"auc_{zone}"]) == pytest.approx(auc, abs=1e-4)
            assert int(row[f"pixels_{zone}"]) == inside.sum()
            assert int(row[f"pixels_rest_{zone}"]) == (~inside).sum()
            assert float(row[f"auc_{zone}_low"]) < auc < float(row[f"auc_{zone}_high"])


def test_a_band_that_shows_the_zone_separates_it_and_noise_does_not(folder):
    assert compare(folder, *ZONES, "--wavelets", "sym4").returncode == 0
    first, second = rows(folder / "comparison.csv")
    assert float(first["auc_phyllic_low"]) > 0.85
    assert float(first["auc_propylitic_high"]) < 0.25
    assert float(second["auc_phyllic_low"]) < 0.5 < float(second["auc_phyllic_high"])


def test_without_a_reference_nothing_is_said_about_zones(folder):
    done = compare(folder, truth=None)
    assert done.returncode == 0, done.stderr
    table = rows(folder / "comparison.csv")
    assert [row["wavelet"] for row in table] == [
        name for name in ("haar", "db2", "sym4", "coif1") for _ in range(2)
    ]
    assert [row["taps"] for row in table] == ["2", "2", "4", "4", "8", "8", "6", "6"]
    assert not any(name.startswith("auc") for name in table[0])


def test_every_class_is_a_zone_where_none_are_given(folder):
    assert compare(folder, "--wavelets", "haar").returncode == 0
    names = rows(folder / "comparison.csv")[0]
    assert [name for name in names if name.startswith("pixels_rest_")] == [
        "pixels_rest_muscovite",
        "pixels_rest_pyrite",
        "pixels_rest_chlorite",
    ]


def test_the_ground_outside_polygons_is_the_rest(folder):
    def place(left, top, right, bottom):
        x, y = ORIGIN
        return box(x + left * PIXEL_M, y - bottom * PIXEL_M, x + right * PIXEL_M, y - top * PIXEL_M)

    features = geopandas.GeoDataFrame(
        {"class": ["muscovite", "chlorite"]},
        geometry=[place(0, 0, 30, 40), place(20, 0, 60, 20)],
        crs=CRS,
    )
    features.to_crs("EPSG:4326").to_file(folder / "zones.geojson")
    more = ("--zone", "muscovite", "--wavelets", "haar")
    done = compare(folder, *more, truth="zones.geojson")
    assert done.returncode == 0, done.stderr
    row = rows(folder / "comparison.csv")[0]
    both = 10 * 20
    valid = ROWS * COLUMNS - 100
    assert int(row["pixels_muscovite"]) == 30 * 40 - both
    assert int(row["pixels_rest_muscovite"]) == valid - 30 * 40


def test_threads_do_not_change_a_byte(folder):
    for threads in (1, 2):
        done = compare(folder, *ZONES, "--threads", threads, output=f"{threads}.csv")
        assert done.returncode == 0, done.stderr
    assert (folder / "1.csv").read_bytes() == (folder / "2.csv").read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--wavelets", "sym99"), "wavelet 'sym99' is unknown"),
        (("--level", 5), "cube.tif: 150x120 pixels are too few"),
        (("--zone", "phyllic", "illite"), "classes.csv: has no class 'illite'"),
        (("--zone", "a", "pyrite", "--zone", "b", "pyrite"), "class pyrite is named twice"),
        (("--zone", "pyrite", "--zone", "pyrite"), "zone pyrite is named twice"),
        (("--bootstrap", 10), "bootstrap: 10 is too small"),
        (("--spatial-block-px", 0), "block-px: 0 is too small"),
    ],
)
def test_bad_settings_are_named_and_leave_nothing(folder, more, message):
    done = compare(folder, *more)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "comparison.csv").exists()


def test_a_cube_of_too_many_bands_is_refused(folder):
    cube = np.zeros((65, ROWS, COLUMNS), "int16")
    write_raster(folder / "cube.tif", cube, nodata=-32768, scale=1e-4)
    assert "has 65 bands, and zones are found on 64 at most" in compare(folder).stderr


def test_references_that_cannot_tell_are_named(folder):
    _, truth = make_scene()
    write_raster(folder / "truth.tif", np.where(truth == 11, 30, truth), nodata=255)
    done = compare(folder, *ZONES, "--wavelets", "haar")
    assert "truth.tif: no valid pixel" in done.stderr
    assert "in the zone propylitic" in done.stderr
    write_raster(folder / "truth.tif", np.full_like(truth, 9), nodata=255)
    done = compare(folder, "--zone", "phyllic", "muscovite", "--wavelets", "haar")
    assert "every tested pixel lies in the zone phyllic" in done.stderr
    write_raster(folder / "truth.tif", truth, nodata=255, origin=(0.0, 0.0))
    assert "does not overlap" in compare(folder, *ZONES).stderr
    write_cube(folder / "cube.tif", np.full((2, ROWS, COLUMNS), -32768, "int16"))
    assert "band 4: has no valid pixel" in compare(folder, truth=None).stderr


def test_raster_ground_truth_needs_its_classes(folder):
    done = compare(folder, "--truth", folder / "truth.tif", truth=None)
    assert done.returncode == 1
    assert "truth.tif: not a vector file that can be read; give polygons" in done.stderr


def test_polygons_name_their_zones_themselves(folder):
    x, y = ORIGIN
    square = box(x, y - 40 * PIXEL_M, x + 30 * PIXEL_M, y)
    zones = geopandas.GeoDataFrame({"class": ["phyllic"]}, geometry=[square], crs=CRS)
    zones.to_file(folder / "zones.gpkg")
    more = ("--truth", folder / "zones.gpkg", "--zone", "phyllic", "--wavelets", "haar")
    done = compare(folder, *more, truth=None)
    assert done.returncode == 0, done.stderr
    row = rows(folder / "comparison.csv")[0]
    assert int(row["pixels_phyllic"]) == 30 * 40


def test_the_tool_runs_as_a_command(folder):
    more = (*WAVELETS, "--wavelets", "haar", "--output", folder / "out.csv", "--threads", 1)
    done = run_command("compare_wavelets", "--cube", folder / "cube.tif", *more)
    assert done.returncode == 0, done.stderr
    assert len(rows(folder / "out.csv")) == 2

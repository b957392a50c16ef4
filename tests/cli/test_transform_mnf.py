"""transform_mnf: components, purity and end-members of a file, bytes, memory, bad input."""

import csv
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import rasterio
import spectral
from samples import ORIGIN, PIXEL_M, ROOT, run_command, run_tool, write_raster

from gossan.library.readers import read_references
from gossan.transforms.pixel_purity import make_skewers

NAMES = ("B02", "B03", "B04", "B08", "B11", "B12")
CENTRES_UM = (0.492, 0.56, 0.665, 0.833, 1.61, 2.19)
TAGS = {"SENSOR": "Sentinel-2A MSI", "SYNTHETIC": "yes"}
SHAPE = (75, 90)
PURE = ((5, 80), (20, 10), (40, 44), (60, 71))
OUTPUTS = (
    *("mnf.tif", "mnf.qml", "purity.tif", "purity.qml"),
    *("eigenvalues.csv", "endmembers.csv", "places.csv"),
)


def write_cube(path, cube, wavelengths=True, **options):
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=TAGS, **options)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = NAMES[: len(cube)]
        for band in dataset.indexes if wavelengths else ():
            centre = CENTRES_UM[band - 1]
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM="0.03"
            )
    return path


def make_cube(shape=SHAPE, seed=5):
    """Noisy mixtures of four spectra, each pure in one of PURE, the less the farther from it."""
    generator = np.random.default_rng(seed)
    spectra = generator.uniform(800, 6000, (4, 6))
    place = np.indices(shape).reshape(2, -1, 1)
    distance = np.sqrt(((place - np.transpose(PURE)[:, np.newaxis]) ** 2).sum(axis=0))
    weights = 0.3 + np.exp(-distance / 12)
    shares = (weights / weights.sum(axis=1, keepdims=True)).reshape(*shape, 4)
    shares[*np.transpose(PURE)] = np.eye(4)
    cube = np.moveaxis(shares @ spectra, -1, 0)
    cube += generator.standard_normal(cube.shape) * 15
    return np.rint(cube).astype("int16")


@pytest.fixture
def folder(tmp_path):
    write_cube(tmp_path / "cube.tif", make_cube())
    return tmp_path


def arguments(folder, output, *more):
    return (
        *("--cube", folder / "cube.tif", "--output", output / "mnf.tif"),
        *("--eigenvalues", output / "eigenvalues.csv", "--purity", output / "purity.tif"),
        *("--endmembers", output / "endmembers.csv", "--places", output / "places.csv"),
        *("--components", 6, "--skewers", 200, "--purity-threshold", 2.5, "--endmember-count", 0),
        *("--seed", 42, "--block-px", 32, "--threads", 2, *more),
    )


def read_rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_components_and_purity_are_those_of_spy(folder):
    more = ("--components", 3, "--purity-threshold", 1.5, "--seed", 9)
    done = run_tool("transform_mnf", *arguments(folder, folder, *more))
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "mnf.tif") as dataset:
        assert dataset.descriptions == ("MNF 1", "MNF 2", "MNF 3")
        assert set(dataset.dtypes) == {"float32"}
        assert dataset.tags()["SYNTHETIC"] == "yes"
        components = dataset.read()
    image = np.moveaxis(make_cube(), 0, -1) * 1e-4
    expected = spectral.mnf(spectral.calc_stats(image), spectral.noise_from_diffs(image))
    reduced = np.moveaxis(expected.reduce(image, num=3), -1, 0)
    same_way = np.sign((reduced * components).sum(axis=(1, 2)))[:, None, None]
    np.testing.assert_allclose(components * same_way, reduced, rtol=1e-5, atol=1e-4)
    rows = read_rows(folder / "eigenvalues.csv")
    assert [int(row["component"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    found = [float(row["eigenvalue"]) for row in rows]
    np.testing.assert_allclose(found, expected.napc.eigenvalues, rtol=1e-5)
    drawn = iter(make_skewers(200, 3, seed=9) + 0.5)
    with mock.patch("numpy.random.rand", lambda bands: next(drawn)):
        counts = spectral.ppi(np.moveaxis(components, 0, -1).astype(float), 200, threshold=1.5)
    with rasterio.open(folder / "purity.tif") as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("int32",), -1)
        assert dataset.tags()["THRESHOLD"] == "1.5"
        np.testing.assert_array_equal(dataset.read(1), counts)


def test_end_members_are_the_pure_pixels(folder):
    done = run_tool("transform_mnf", *arguments(folder, folder, "--components", 3))
    assert done.returncode == 0, done.stderr
    rows = read_rows(folder / "places.csv")
    places = {(int(row["row"]), int(row["column"])) for row in rows}
    assert places == set(PURE)
    references = read_references(folder / "endmembers.csv")
    assert references.names == tuple(row["name"] for row in rows)
    assert references.names[0] == "endmember-1"
    assert references.band == NAMES
    np.testing.assert_allclose(references.wavelength_um, CENTRES_UM)
    cube = make_cube()
    with rasterio.open(folder / "purity.tif") as dataset:
        purity = dataset.read(1)
    for row, spectrum in zip(rows, references.reflectance, strict=True):
        place = int(row["row"]), int(row["column"])
        np.testing.assert_allclose(spectrum, cube[:, *place] * 1e-4, atol=1e-6)
        assert float(row["x"]) == ORIGIN[0] + PIXEL_M * (place[1] + 0.5)
        assert float(row["y"]) == ORIGIN[1] - PIXEL_M * (place[0] + 0.5)
        assert int(row["purity"]) == purity[place]
    assert int(rows[0]["purity"]) == purity.max()


def test_no_more_end_members_are_written_than_asked_for(folder):
    more = ("--components", 3, "--endmember-count", 2)
    done = run_tool("transform_mnf", *arguments(folder, folder, *more))
    assert done.returncode == 0, done.stderr
    assert len(read_rows(folder / "places.csv")) == 2
    assert len(read_references(folder / "endmembers.csv").names) == 2


def make_wide(bands, shape=(80, 90), seed=4):
    """Mixtures of five smooth spectra at many bands, with noise that differs from band to band."""
    generator = np.random.default_rng(seed)
    centres = np.linspace(0.4, 2.45, bands)
    spectra = np.array(
        [
            0.3 - 0.15 * np.exp(-(((centres - middle) / 0.08) ** 2))
            for middle in (0.55, 0.9, 1.4, 2.2, 2.33)
        ]
    )
    shares = generator.dirichlet(np.full(5, 0.3), shape)
    noise = generator.uniform(0.001, 0.004, bands) * generator.standard_normal((*shape, bands))
    return centres, np.moveaxis(np.rint((shares @ spectra + noise) * 1e4).astype("int16"), -1, 0)


def write_wide(path, bands, names):
    centres, cube = make_wide(bands)
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=TAGS)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
        for band, centre in enumerate(centres, start=1):
            tags = {"CENTRAL_WAVELENGTH_UM": str(centre), "FWHM_UM": "0.01"}
            dataset.update_tags(band, ns="IMAGERY", **tags)
    return np.moveaxis(cube, 0, -1) * 1e-4


@pytest.mark.parametrize(
    ("bands", "prefix"), [(7, "B"), (9, "aster:"), (230, "emit:B")], ids=["7", "9", "230"]
)
def test_few_and_many_bands_of_any_sensor_are_transformed_as_by_spy(tmp_path, bands, prefix):
    names = tuple(f"{prefix}{place}" for place in range(1, bands + 1))
    image = write_wide(tmp_path / "cube.tif", bands, names)
    done = run_tool("transform_mnf", *arguments(tmp_path, tmp_path, "--components", 6))
    assert done.returncode == 0, done.stderr
    expected = spectral.mnf(spectral.calc_stats(image), spectral.noise_from_diffs(image))
    found = [float(row["eigenvalue"]) for row in read_rows(tmp_path / "eigenvalues.csv")]
    np.testing.assert_allclose(found, expected.napc.eigenvalues, rtol=1e-5)
    with rasterio.open(tmp_path / "mnf.tif") as dataset:
        assert dataset.count == 6
        assert np.isfinite(dataset.read()).all()
    references = read_references(tmp_path / "endmembers.csv")
    assert references.band == names
    assert 2 <= len(references.names) <= 7


def test_more_components_than_bands_are_refused_in_one_line(tmp_path):
    write_wide(tmp_path / "cube.tif", 4, ("1", "2", "3N", "4"))
    done = run_tool("transform_mnf", *arguments(tmp_path, tmp_path))
    assert done.returncode == 1
    assert "cube.tif has 4 bands to make components of; give 1 to 4" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cube.tif"]


def test_nodata_stays_nodata(folder):
    cube = make_cube()
    cube[:, 10:14, 20:60] = -32768
    cube[2, 50] = -32768
    write_cube(folder / "cube.tif", cube)
    assert run_tool("transform_mnf", *arguments(folder, folder)).returncode == 0
    missing = (cube == -32768).any(axis=0)
    with rasterio.open(folder / "mnf.tif") as dataset:
        components = dataset.read()
    np.testing.assert_array_equal(np.isnan(components), np.broadcast_to(missing, components.shape))
    with rasterio.open(folder / "purity.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1) == -1, missing)


def test_styles_span_what_they_show(folder):
    assert run_tool("transform_mnf", *arguments(folder, folder)).returncode == 0
    with rasterio.open(folder / "purity.tif") as dataset:
        purest = dataset.read(1).max()
    renderer = ET.parse(folder / "purity.qml").find(".//rasterrenderer")
    assert float(renderer.get("classificationMax")) == purest
    renderer = ET.parse(folder / "mnf.qml").find(".//rasterrenderer")
    with rasterio.open(folder / "mnf.tif") as dataset:
        limits = np.percentile(dataset.read(2), [2, 98])
    assert [renderer.get(f"{name}Band") for name in ("red", "green", "blue")] == ["1", "2", "3"]
    drawn = [renderer.findtext(f"greenContrastEnhancement/{end}Value") for end in ("min", "max")]
    assert [float(value) for value in drawn] == pytest.approx(limits, rel=1e-3)


def test_blocks_and_threads_do_not_change_a_byte(folder):
    # Equal pixels are where rounding could decide.
    write_cube(folder / "cube.tif", np.tile(make_cube(), (1, 2, 2)))
    for name, more in {
        "first": ("--block-px", 32, "--threads", 1),
        "second": ("--block-px", 32, "--threads", 2),
        "third": ("--block-px", 512, "--threads", 2),
    }.items():
        done = run_tool("transform_mnf", *arguments(folder, folder / name, *more))
        assert done.returncode == 0, done.stderr
    for output in OUTPUTS:
        first = (folder / "first" / output).read_bytes()
        assert first == (folder / "second" / output).read_bytes(), output
        assert first == (folder / "third" / output).read_bytes(), output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--components", 7), "--components 7: "),
        (("--components", 0), "--components 0: "),
        (("--skewers", 0), "--skewers 0: give 1 or more"),
        (("--purity-threshold", -1), "--purity-threshold -1.0: give 0 or more"),
        (("--purity-threshold", "nan"), "--purity-threshold nan: give 0 or more"),
        (("--seed", -1), "--seed -1: give 0 or more"),
        (("--endmember-count", -1), "--endmember-count -1: give 0 or more"),
    ],
)
def test_wrong_settings_are_refused(folder, more, message):
    done = run_tool("transform_mnf", *arguments(folder, folder, *more))
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "mnf.tif").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cube: cube.fill(-32768), "no pixel is valid in all bands"),
        (lambda cube: cube[2].fill(-32768), "no pixel is valid in all bands"),
        (lambda cube: cube[2].fill(700), "band B04 does not differ between neighbours"),
        (lambda cube: cube.__setitem__(4, cube[1]), "copies or mixtures of others"),
    ],
)
def test_cubes_without_noise_fraction_are_refused(folder, spoil, message):
    cube = make_cube()
    spoil(cube)
    write_cube(folder / "cube.tif", cube)
    done = run_tool("transform_mnf", *arguments(folder, folder))
    assert done.returncode == 1
    assert message in done.stderr
    assert [path.name for path in folder.iterdir()] == ["cube.tif"]


def test_a_cube_without_wavelengths_is_refused(folder):
    write_cube(folder / "cube.tif", make_cube(), wavelengths=False)
    done = run_tool("transform_mnf", *arguments(folder, folder))
    assert done.returncode == 1
    assert "cube.tif: its bands lack wavelengths" in done.stderr


def test_the_command_ends_with_one_line(folder):
    done = run_command("transform_mnf", *arguments(folder / "absent", folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "cube.tif: no such raster file" in done.stderr


PEAK = """
import sys
from pathlib import Path
import toolkit, transform_mnf
toolkit.run(transform_mnf.build_parser(), transform_mnf.main)
status = Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_peak_memory_is_set_by_the_block_not_by_the_scene(tmp_path):
    peaks = {}
    for size in (4096, 6144):
        folder = tmp_path / str(size)
        folder.mkdir()
        noise = np.random.default_rng(1).integers(500, 6000, (6, size, size), "int16")
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512}
        write_cube(folder / "cube.tif", noise, **layout)
        more = ("--components", 3, "--skewers", 20, "--block-px", 256)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *map(str, arguments(folder, folder, *more))],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[size] = int(done.stdout) / 1024
    # The cube alone grows by 240 MiB. Smaller scenes do not fill GDAL's cache.
    assert peaks[6144] < peaks[4096] + 48, peaks

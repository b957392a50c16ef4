"""The twin as a Landsat product: names, metadata, numbers, flags, determinism."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.library.readers import read_library
from gossan.library.spectrum import Spectrum
from gossan.products.landsat import open_product, parse_mtl
from gossan.twin import landsat
from gossan.twin.optics import (
    DEPTH_NODES,
    BandSpectra,
    band_spectra,
    rayleigh_optical_depth,
    surface_reflectance,
    top_of_atmosphere,
)
from gossan.twin.porphyry import CONSTITUENTS, COVERS
from gossan.twin.site import find_site
from gossan.twin.terrain import Sky, Variability

SIZE = 72
PRODUCT_ID = "LC08_L1TP_149035_20240719_20240729_02_T1"
WHOLE = Window(0, 0, SIZE, SIZE)


@pytest.fixture(scope="module")
def library(root):
    return read_library(root / "resources" / "static" / "analytic_library.csv")


def place(seed: int = 42, difficulty: float = 1.0, size_px: int = SIZE):
    return find_site("porphyry", seed=seed, size_px=[size_px], difficulty=difficulty)


@pytest.fixture(scope="module")
def write(library):
    def make(folder: Path, threads: int = 1, block_px: int = 32, **ground) -> Path:
        product = folder / "landsat.tar"
        options = {"threads": threads, "block_px": block_px}
        landsat.simulate_landsat(place(**ground), library, product, **options)
        return product

    return make


@pytest.fixture(scope="module")
def scene(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("scene"))


def read_member(product: Path, ending: str) -> np.ndarray:
    with tarfile.open(product) as archive:
        content = archive.extractfile(f"{PRODUCT_ID}_{ending}.TIF").read()
    with rasterio.open(io.BytesIO(content)) as dataset:
        return dataset.read(1)


def read_metadata(product: Path) -> dict:
    with tarfile.open(product) as archive:
        text = archive.extractfile(f"{PRODUCT_ID}_MTL.txt").read().decode("ascii")
    return parse_mtl(text, "MTL")["LANDSAT_METADATA_FILE"]


def test_native_names_and_only_files_that_exist(scene):
    product = scene
    with tarfile.open(product) as archive:
        members = archive.getmembers()
    names = {member.name for member in members}
    endings = {name.removeprefix(f"{PRODUCT_ID}_") for name in names}
    bands = {f"B{n}.TIF" for n in (1, 2, 3, 4, 5, 6, 7, 9)}
    assert endings == bands | {"QA_PIXEL.TIF", "QA_RADSAT.TIF", "MTL.txt"}
    contents = read_metadata(product)["PRODUCT_CONTENTS"]
    assert {value for key, value in contents.items() if key.startswith("FILE_NAME_")} == names
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {
        (0, 0, 0, "")
    }


def test_metadata_says_what_it_is_and_fits_itself(scene):
    groups = read_metadata(scene)
    assert "Simulated by gossan; not a satellite image" in groups["PRODUCT_CONTENTS"]["ORIGIN"]
    image = groups["IMAGE_ATTRIBUTES"]
    assert image["DATE_ACQUIRED"] == "2024-07-19"
    assert 0 <= float(image["CLOUD_COVER"]) < 60
    projection = groups["PROJECTION_ATTRIBUTES"]
    assert int(projection["REFLECTIVE_LINES"]) == SIZE
    assert float(projection["CORNER_UL_LAT_PRODUCT"]) == pytest.approx(35.9, abs=0.1)
    assert float(projection["CORNER_UL_LON_PRODUCT"]) == pytest.approx(74.3, abs=0.1)
    assert float(projection["CORNER_UL_PROJECTION_X_PRODUCT"]) % 30 == 0
    rescaling = groups["LEVEL1_RADIOMETRIC_RESCALING"]
    for number in (1, 4, 7):
        radiance = [float(rescaling[f"RADIANCE_{part}_BAND_{number}"]) for part in ("MULT", "ADD")]
        # Both calibrations put zero at the same number.
        assert radiance[1] / radiance[0] == pytest.approx(-0.1 / 2e-5, rel=1e-3)


def test_real_metadata_has_every_key_of_ours(scene, shared_data):
    path = shared_data("landsat/mtl") / "test_L8C2L1_MTL.txt"
    real = parse_mtl(path.read_text(), path.name)["LANDSAT_METADATA_FILE"]
    for group, entries in read_metadata(scene).items():
        assert set(entries) <= set(real[group]), group


def test_the_reader_reads_it(scene):
    with open_product(scene) as product:
        assert product.synthetic
        assert product.sensor == landsat.SENSOR
        assert product.acquired.startswith("2024-07-19T05:37")
        assert product.grid == place().grid
        reflectance = product.read_reflectance(WHOLE)
        fill = product.read_flags(WHOLE, ["fill"]).any(axis=0)
    np.testing.assert_array_equal(np.isnan(reflectance).any(axis=0), fill)
    assert np.nanmin(reflectance) > -0.05
    assert np.nanmax(reflectance) < 1.4
    assert 0.05 < np.nanmedian(reflectance) < 0.6


def test_fill_slants_and_is_fill_everywhere(scene):
    product = scene
    fill = read_member(product, "QA_PIXEL") == 1
    assert 0.02 < fill.mean() < 0.12
    left = np.argmin(fill, axis=1)
    assert (np.diff(left) <= 0).all()
    assert left[0] > left[-1]
    for band in landsat.BANDS.names:
        numbers = read_member(product, band)
        assert numbers.dtype == np.uint16
        np.testing.assert_array_equal(numbers == 0, fill)
    site = place()
    np.testing.assert_array_equal(site.outside(WHOLE, site.grid), fill)


def test_quality_bits_follow_the_format(write, tmp_path):
    product = write(tmp_path, difficulty=2.0, seed=3)
    quality = read_member(product, "QA_PIXEL")
    seen = quality[quality != 1]
    cloud, dilated = (seen >> 3 & 1).astype(bool), (seen >> 1 & 1).astype(bool)
    assert cloud.any()
    assert dilated.any()
    assert (seen >> 4 & 1).any()
    np.testing.assert_array_equal((seen >> 6 & 1).astype(bool), ~(cloud | dilated))
    np.testing.assert_array_equal(seen >> 8 & 3 == 3, cloud)
    np.testing.assert_array_equal(seen >> 10 & 3 == 3, (seen >> 4 & 1).astype(bool))
    for low_bit in (8, 10, 12, 14):
        assert (seen >> low_bit & 3 > 0).all()
    assert (seen[~cloud & ~dilated] == 21824).mean() > 0.4


def test_clouds_are_bright_in_the_bands_they_are_flagged_in(write, tmp_path):
    product = write(tmp_path, difficulty=2.0, seed=3)
    cloud = read_member(product, "QA_PIXEL") >> 3 & 1 == 1
    fill = read_member(product, "B2") == 0
    blue = read_member(product, "B2")
    assert np.median(blue[cloud]) > 1.5 * np.median(blue[~cloud & ~fill])


def test_same_bytes_again_with_other_threads_and_blocks(scene, write, tmp_path):
    assert write(tmp_path, threads=2).read_bytes() == scene.read_bytes()
    other = write(tmp_path, block_px=50)
    for ending in ("B1", "B7", "B9", "QA_PIXEL", "QA_RADSAT"):
        np.testing.assert_array_equal(read_member(scene, ending), read_member(other, ending))


def test_seeds_differ(scene, write, tmp_path):
    product = write(tmp_path, seed=43)
    assert (read_member(product, "B4") != read_member(scene, "B4")).mean() > 0.5


def test_nothing_is_left_when_writing_fails(write, tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("full")

    monkeypatch.setattr(landsat, "_pack", refuse)
    with pytest.raises(RuntimeError, match="full"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_saturation_is_flagged_and_clipped(library):
    clean = landsat.plan_scene(place(seed=1, difficulty=0.0), library)
    reflectance = np.full((8, 2, 2), 0.3)
    reflectance[3, 0, 0] = 1.5
    reflectance[6, 1, 1] = -0.5
    stored, saturated = landsat._digital_numbers(clean, Window(0, 0, 2, 2), reflectance)
    assert saturated[0, 0] == 1 << 3
    assert saturated.sum() == 1 << 3
    assert stored[3, 0, 0] == 65535
    assert stored[6, 1, 1] == 1
    expected = (0.3 * np.sin(np.radians(64.9)) + 0.1) / 2e-5
    assert abs(int(stored[0, 0, 0]) - expected) <= 1


def test_a_library_without_a_constituent_is_refused(library):
    short = [spectrum for spectrum in library if spectrum.name != "alunite"]
    with pytest.raises(InputError, match="alunite"):
        band_spectra(short, landsat.BANDS, landsat.SENSOR, CONSTITUENTS)


def test_a_spectrum_with_a_gap_over_a_band_is_refused(library):
    changed = []
    for spectrum in library:
        values = spectrum.reflectance.copy()
        if spectrum.name == "calcite":
            values[spectrum.wavelength_um > 2.0] = np.nan
        changed.append(Spectrum(spectrum.name, spectrum.wavelength_um, values, "some.csv"))
    with pytest.raises(InputError, match=r"some\.csv.*calcite"):
        band_spectra(changed, landsat.BANDS, landsat.SENSOR, CONSTITUENTS)


def test_mixing_is_linear_in_the_shares():
    bands = 3
    values = np.random.default_rng(1).uniform(0.1, 0.6, (1, len(CONSTITUENTS), bands))
    spectra = BandSpectra(np.repeat(values, DEPTH_NODES.size, 0), np.array([0.5, 1.0, 2.2]))
    shares = np.zeros((len(CONSTITUENTS), 1, 3), np.float32)
    shares[0, 0] = (1, 0, 0.25)
    shares[4, 0] = (0, 1, 0.75)
    plain = np.ones(shares.shape, np.float32)
    mixed = surface_reflectance(shares, Variability(plain, plain, 0 * plain), spectra)
    np.testing.assert_allclose(mixed[:, 0, 0], values[0, 0], rtol=1e-5)
    np.testing.assert_allclose(
        mixed[:, 0, 2], 0.25 * mixed[:, 0, 0] + 0.75 * mixed[:, 0, 1], rtol=1e-5
    )
    dark = surface_reflectance(shares, Variability(plain, 0.5 * plain, 0 * plain), spectra)
    np.testing.assert_allclose(dark, 0.5 * mixed, rtol=1e-5)


def test_depth_deepens_absorptions_and_not_the_continuum(library):
    spectra = band_spectra(library, landsat.BANDS, landsat.SENSOR, CONSTITUENTS)
    alunite = spectra.values[:, CONSTITUENTS.index("alunite")]
    # Hydroxyl absorption in band 7 (2.2 µm) against the shoulder in band 5.
    quotient = alunite[:, 6] / alunite[:, 4]
    assert (np.diff(quotient) < 0).all()
    assert np.ptp(alunite[:, 4]) < 0.15 * np.ptp(alunite[:, 6])


def atmosphere(surface: float, wavelength: tuple[float, ...], **changes) -> np.ndarray:
    shape = (1, 1)
    values = {"cloud": 0.0, "shadow": 0.0, "cirrus": 0.0, "haze": 1.0} | changes
    sky = Sky(*(np.full(shape, values[name], np.float32) for name in values))
    one = np.ones(shape, np.float32)
    reflectance = top_of_atmosphere(
        np.full((len(wavelength), *shape), surface, np.float32),
        one,
        one,
        0 * one,
        sky,
        np.array(wavelength),
        np.ones(len(wavelength), np.float32),
        60.0,
        0.1,
    )
    return reflectance[:, 0, 0]


def test_air_brightens_dark_ground_most_in_the_blue_and_dims_bright_ground():
    waves = (0.443, 0.655, 0.865, 2.2)
    dark, bright = atmosphere(0.0, waves), atmosphere(0.9, waves)
    assert (np.diff(dark) < 0).all()
    # Molecules alone give about 0.09 in the coastal band over sea level.
    assert 0.06 < dark[0] < 0.14
    assert (bright < 0.93).all()
    assert bright[3] == pytest.approx(0.9, abs=0.03)
    assert rayleigh_optical_depth(0.55) == pytest.approx(0.097, abs=0.002)


def test_clouds_hide_and_their_shadows_dim():
    waves = (0.482, 1.609)
    clear = atmosphere(0.2, waves)
    np.testing.assert_allclose(atmosphere(0.2, waves, cloud=20.0), atmosphere(0.6, waves, cloud=20))
    shaded = atmosphere(0.2, waves, shadow=10.0)
    assert (shaded < 0.7 * clear).all()
    # What light is left comes from the sky, which is blue.
    assert shaded[0] / clear[0] > 3 * shaded[1] / clear[1]


def test_covers_are_constituents():
    assert set(COVERS) < set(CONSTITUENTS)
    assert len(set(CONSTITUENTS)) == len(CONSTITUENTS)

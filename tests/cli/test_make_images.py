"""make_images: composites, ratios, components and a stretch of a cube, bytes, bad input."""

import csv
import re

import numpy as np
import pytest
import rasterio
from samples import run_tool, write_raster

from gossan.raster import read_info

NAMES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
CENTRES_UM = (0.443, 0.483, 0.561, 0.655, 0.865, 1.609, 2.201)
FWHM_UM = (0.016, 0.06, 0.057, 0.037, 0.028, 0.085, 0.187)
TAGS = {"SENSOR": "Landsat-8 OLI_TIRS", "SYNTHETIC": "yes"}
SHAPE = (70, 90)
IMAGES = ("ratios", "pca", "selective", "stretch")
COMPOSITES = ("colour-infrared", "false-colour", "short-wave-broad", "true-colour")


def make_cube():
    generator = np.random.default_rng(4)
    shares = generator.dirichlet([0.5] * 6, SHAPE)
    spectra = generator.uniform(800, 5000, (6, 7))
    cube = np.moveaxis(shares @ spectra, -1, 0) + generator.standard_normal((7, *SHAPE)) * 20
    cube = np.rint(cube).astype("int16")
    cube[:, :5, :9] = -32768
    cube[6, 50, 60] = 0
    return cube


def write_cube(path, cube, wavelengths=True, tags=TAGS):
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = NAMES[: len(cube)]
        for band in dataset.indexes if wavelengths else ():
            dataset.update_tags(
                band,
                ns="IMAGERY",
                CENTRAL_WAVELENGTH_UM=str(CENTRES_UM[band - 1]),
                FWHM_UM=str(FWHM_UM[band - 1]),
            )
    return path


def arguments(cube, output, *more):
    return (
        *("--cube", cube, "--ratios", output / "ratios.tif", "--components", output / "pca.tif"),
        *("--selective", output / "selective.tif", "--stretch", output / "stretch.tif"),
        *("--composites", output / "composites", "--table", output / "images.csv"),
        *("--loadings", output / "pca.csv", *more),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    cube = write_cube(folder / "cube.tif", make_cube())
    done = run_tool("make_images", *arguments(cube, folder, "--block-px", 32, "--threads", 2))
    assert done.returncode == 0, done.stderr
    return folder


def read(path):
    with rasterio.open(path) as dataset:
        values = dataset.read(masked=True).astype("f8").filled(np.nan) * dataset.scales[0]
        return dict(zip(dataset.descriptions, values, strict=True)), dataset.tags()


def read_rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def reflectance():
    cube = make_cube().astype("f8")
    return dict(zip(NAMES, np.where(cube == -32768, np.nan, cube * 1e-4), strict=True))


def test_ratios_are_those_of_the_bands_and_nothing_over_zero(made):
    ratios, tags = read(made / "ratios.tif")
    bands = reflectance()
    with np.errstate(divide="ignore"):
        clay = bands["B6"] / bands["B7"]
    clay[50, 60] = np.nan
    assert ratios["clay"] == pytest.approx(np.minimum(clay, 32767 * 5e-4), abs=3e-4, nan_ok=True)
    assert ratios["iron_oxide"][50, 60] == pytest.approx(
        bands["B4"][50, 60] / bands["B2"][50, 60], abs=3e-4
    )
    assert tags["SYNTHETIC"] == "yes" and "clay = B6/B7" in tags["FORMULAS"]


def test_composites_are_pictures_of_three_bands(made):
    assert sorted(path.stem for path in (made / "composites").glob("*.tif")) == list(COMPOSITES)
    for name in COMPOSITES:
        info = read_info(made / f"composites/{name}.tif")
        assert (info.dtype, info.nodata, info.tags["SYNTHETIC"]) == ("uint8", 0, "yes")
    picture, tags = read(made / "composites/true-colour.tif")
    assert list(picture) == ["red B4", "green B3", "blue B2"]
    red, band = picture["red B4"], reflectance()["B4"]
    low, high = np.nanpercentile(band, (2, 98))
    wanted = 1 + 254 * np.clip((band - low) / (high - low), 0, 1)
    assert red == pytest.approx(wanted, abs=1.01, nan_ok=True)
    assert tags["RGB_BANDS"] == "B4 B3 B2"


def test_components_stand_by_variance_and_their_weights_in_a_table(made):
    components, _ = read(made / "pca.tif")
    values = np.stack(list(components.values()))[:, np.isfinite(components["PC1"])]
    assert list(components) == [f"PC{number}" for number in range(1, 7)]
    assert (np.diff(values.var(axis=1)) < 0).all()
    assert np.abs(np.corrcoef(values[:3])[np.triu_indices(3, 1)]).max() < 0.01
    rows = read_rows(made / "pca.csv")
    weights = np.array([[float(row[name]) for name in NAMES] for row in rows])
    assert weights @ weights.T == pytest.approx(np.eye(6), abs=1e-3)
    bands = reflectance()
    own = sum(weights[0, place] * bands[name] for place, name in enumerate(NAMES))
    apart = own - np.nanmean(own)
    assert components["PC1"] == pytest.approx(apart, abs=1e-3, nan_ok=True)


def test_what_stands_for_minerals_and_the_stretch_are_there(made):
    selective, tags = read(made / "selective.tif")
    assert list(selective) == ["hydroxyl", "iron", "hydroxyl and iron"]
    assert "Crósta" in tags["METHOD"]
    stretched, tags = read(made / "stretch.tif")
    assert tags["COMPOSITE"] == "False colour"
    values = np.stack(list(stretched.values()))
    values = values[:, np.isfinite(values).all(axis=0)]
    assert np.abs(np.corrcoef(values)[np.triu_indices(3, 1)]).max() < 0.1
    assert np.isnan(stretched["red B7"][:5, :9]).all()


def test_the_table_says_what_each_band_is_and_the_style_draws_what_it_says(made):
    rows = read_rows(made / "images.csv")
    for name in (*IMAGES, *(f"composites/{one}" for one in COMPOSITES)):
        path = made / f"{name}.tif"
        mine = [row for row in rows if row["image"] == path.name]
        assert tuple(row["name"] for row in mine) == read_info(path).bands.names
        assert all(row["formula"] and row["source"] for row in mine)
        style = path.with_suffix(".qml").read_text()
        assert 'type="multibandcolor"' in style
    style = (made / "ratios.qml").read_text()
    clay = next(row for row in rows if row["name"] == "clay")
    assert f'redBand="{clay["band"]}"' in style
    lowest = float(re.search(r"<minValue>([^<]+)", style)[1])
    assert lowest == pytest.approx(float(clay["low"]), rel=1e-3)


def test_bytes_depend_neither_on_threads_nor_on_blocks(made, tmp_path):
    for threads, block_px in ((1, 64), (3, 512)):
        more = ("--block-px", block_px, "--threads", threads)
        done = run_tool("make_images", *arguments(made / "cube.tif", tmp_path, *more))
        assert done.returncode == 0, done.stderr
        for path in sorted(made.rglob("*")):
            if path.is_file() and path.name != "cube.tif":
                other = tmp_path / path.relative_to(made)
                assert path.read_bytes() == other.read_bytes(), path.name


def test_numbers_without_wavelengths_have_components_and_a_stretch(tmp_path):
    cube = write_cube(tmp_path / "cube.tif", make_cube(), wavelengths=False)
    done = run_tool("make_images", *arguments(cube, tmp_path))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ratios.tif").read_bytes()
    assert not (tmp_path / "selective.tif").read_bytes()
    assert list((tmp_path / "composites").iterdir()) == []
    assert len(read(tmp_path / "pca.tif")[0]) == 6
    assert list(read(tmp_path / "stretch.tif")[0]) == ["red B1", "green B2", "blue B3"]


def test_a_band_of_nothing_and_a_single_band_are_no_fault(tmp_path):
    values = make_cube()
    values[0] = -32768
    cube = write_cube(tmp_path / "cube.tif", values)
    done = run_tool("make_images", *arguments(cube, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "B1" not in read_rows(tmp_path / "pca.csv")[0]
    assert np.isfinite(read(tmp_path / "pca.tif")[0]["PC1"]).any()
    single = write_cube(tmp_path / "single.tif", make_cube()[:1])
    done = run_tool("make_images", *arguments(single, tmp_path / "single"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "single/stretch.tif").read_bytes()
    assert 'type="singlebandpseudocolor"' in (tmp_path / "single/pca.qml").read_text()


def test_a_cube_of_nothing_is_told_in_one_line_and_nothing_is_written(tmp_path):
    cube = write_cube(tmp_path / "cube.tif", np.full((7, 20, 20), -32768, "int16"))
    done = run_tool("make_images", *arguments(cube, tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        f"error: {cube}: no pixel is valid in all bands; choose another scene"
    )
    assert not (tmp_path / "out").exists()

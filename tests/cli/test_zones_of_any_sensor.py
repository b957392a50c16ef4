"""The tools for zones on cubes of other sensors than ASTER, one after the other."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from samples import run_tool, write_raster
from whole_bands import make_transform
from zone_scenes import COLUMNS, MAD, ROWS, TRANSFORM, write_zones, zone_codes

from gossan.errors import InputError
from gossan.raster import BandTable, Grid, RasterInfo
from gossan.zones.cube_limits import require_fit

EMIT = tuple(np.round(np.arange(0.40, 2.49, 0.0074), 4))
# Names, centres and widths (µm) of a sensor's bands, and the bands that zones are looked for on.
SENSORS = {
    "landsat": (
        ("B2", "B3", "B4", "B5", "B6", "B7"),
        (0.483, 0.561, 0.655, 0.865, 1.609, 2.201),
        (0.06, 0.057, 0.037, 0.028, 0.085, 0.187),
        ("B4", "B6", "B7"),
    ),
    "sentinel2": (
        ("B02", "B03", "B04", "B08", "B8A", "B11", "B12"),
        (0.493, 0.56, 0.665, 0.833, 0.865, 1.614, 2.202),
        (0.066, 0.036, 0.031, 0.106, 0.021, 0.091, 0.175),
        ("B04", "B11", "B12"),
    ),
    "worldview3": (
        ("G", "R", "N", "S3", "S5", "S6", "S7", "S8"),
        (0.547, 0.66, 0.827, 1.661, 2.165, 2.205, 2.26, 2.33),
        (0.07, 0.06, 0.12, 0.07, 0.04, 0.04, 0.05, 0.07),
        ("S5", "S6", "S7", "S8"),
    ),
    "emit": (
        tuple(f"B{place:03}" for place in range(len(EMIT))),
        EMIT,
        (0.0085,) * len(EMIT),
        ("B238", "B244", "B251", "B261"),
    ),
}
RATIOS = {
    "landsat": {"ferric_iron", "ferric_oxide", "gossan", "clay"},
    "sentinel2": {"ferric_iron", "ferric_oxide", "gossan", "clay"},
    "worldview3": {
        *("al_oh", "kaolinite_alunite", "dolomite", "muscovite", "kaolinite", "phengite"),
        *("ferrous_silicate", "ferric_iron", "ferric_oxide", "gossan"),
    },
    "emit": {
        *("al_oh", "kaolinite_alunite", "mg_oh", "carbonate", "epidote_chlorite", "dolomite"),
        *("muscovite", "kaolinite", "phengite", "ferrous_silicate"),
        *("ferric_iron", "ferric_oxide", "gossan"),
    },
}
# Centre, width (µm) and depth of the absorption that marks each zone.
ABSORPTIONS = {"phyllic": (2.205, 0.03, 0.35), "propylitic": (2.335, 0.03, 0.35)}
THREADS = ("--threads", 2)


def reflectance_of(centres, widths):
    """(bands, ROWS, COLUMNS): rock, and two zones with an absorption as the bands see it."""
    codes = zone_codes()
    spectra = np.full((3, len(centres)), 0.3)
    for row, (centre, width, depth) in enumerate(ABSORPTIONS.values(), start=1):
        reach = width**2 + (np.array(widths) / 2.355) ** 2
        seen = depth * width / np.sqrt(reach)
        spectra[row] -= 0.3 * seen * np.exp(-((np.array(centres) - centre) ** 2) / (2 * reach))
    generator = np.random.default_rng(2)
    light = 1 + 0.2 * generator.standard_normal((ROWS, COLUMNS)).clip(-2, 2)
    noise = 1 + 0.02 * generator.standard_normal((len(centres), ROWS, COLUMNS))
    values = spectra[codes].transpose(2, 0, 1) * light * noise
    values[:, :3, :4] = np.nan
    return values


def write_cube(path, values, names, centres, widths):
    stored = np.where(np.isfinite(values), np.rint(np.nan_to_num(values) * 1e4), -32768)
    tags = {"SYNTHETIC": "yes"}
    write_raster(path, stored.astype("int16"), nodata=-32768, scale=1e-4, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
        for band, (centre, width) in enumerate(zip(centres, widths, strict=True), start=1):
            tags = {"CENTRAL_WAVELENGTH_UM": str(centre), "FWHM_UM": str(width)}
            dataset.update_tags(band, ns="IMAGERY", **tags)
    return path


@pytest.fixture
def folder(tmp_path, sensor):
    names, centres, widths, chosen = SENSORS[sensor]
    values = reflectance_of(centres, widths)
    write_cube(tmp_path / "reflectance.tif", values, names, centres, widths)
    places = [names.index(name) for name in chosen]
    own = [[values_[place] for place in places] for values_ in (names, centres, widths)]
    # Relative to the brightness of the pixel, as the corrections for zones are.
    relative = values[places] / values[places].mean(axis=0)
    write_cube(tmp_path / "cube.tif", relative / 2, *own)
    write_zones(tmp_path / "zones.gpkg")
    return tmp_path


def run(tool, *flags):
    done = run_tool(tool, *flags, *THREADS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("sensor", list(SENSORS))
def test_zones_are_found_on_the_bands_of_any_sensor(folder, sensor):
    chosen = SENSORS[sensor][3]
    cube, subbands = ("--cube", folder / "cube.tif"), folder / "subbands.tif"
    outputs = ("--output", folder / "mad.tif", "--table", folder / "mad.csv")
    run("map_anomalies", *cube, *MAD, *outputs)
    profile = ("--profile", folder / "profile.csv")
    run(
        "transform_wavelets", *cube, "--wavelet", "haar", *TRANSFORM, "--output", subbands, *profile
    )
    run(
        *("compare_wavelets", *cube, "--wavelets", "haar", *TRANSFORM, "--bootstrap", 100),
        *("--seed", 1, "--truth", folder / "zones.gpkg", "--output", folder / "wavelets.csv"),
    )
    ranges = ("--medium", 0.2, 0.5, "--high", 0.5, 1)
    confidence = folder / "confidence.tif"
    run(
        *("map_confidence", "--subbands", subbands, "--zone", "phyllic", *ranges),
        *("--output", confidence),
    )
    for path in (folder / "mad.tif", confidence):
        with rasterio.open(path) as dataset:
            assert dataset.descriptions == chosen
            assert (dataset.read()[:, :3, :4] == 255).all()
    run(
        *("score_alteration", *cube, "--subbands", subbands, "--zone", "phyllic", "propylitic"),
        *("--reflectance", folder / "reflectance.tif", "--truth", folder / "zones.gpkg"),
        *("--outside", "other", "--confidence", confidence, "--scene", sensor),
        *("--spatial-block-px", 16, "--folds", 4, "--buffer-px", 4, "--per-class", 400),
        *("--bootstrap", 100, "--seed", 1, "--record", folder / "score.json"),
        *("--curves", folder / "curves.csv", "--record-dir", folder / "accuracy"),
        *("--output", folder / "phyllic.tif", folder / "propylitic.tif"),
    )
    record = json.loads((folder / "score.json").read_text())
    assert record["bands"] == list(chosen)
    assert set(record["ratios"]) == RATIOS[sensor]
    assert not RATIOS[sensor] & set(record["ratios_left_out"])
    assert len(RATIOS[sensor]) + len(record["ratios_left_out"]) == 14
    (phyllic,) = (item for item in record["zones"] if item["zone"] == "phyllic")
    (score,) = (item for item in phyllic["methods"] if item["method"] == "score")
    # A broad band dilutes the absorption, but both zones stand out from the rock.
    assert score["average_precision"]["value"] > (
        0.5 if sensor in ("landsat", "sentinel2") else 0.9
    )


@pytest.mark.parametrize("sensor", ["landsat"])
def test_a_scene_smaller_than_the_filter_is_refused_in_one_line(folder, sensor):
    names, centres, widths, _ = SENSORS[sensor]
    values = reflectance_of(centres, widths)[:, 10:16, 10:20]
    small = write_cube(folder / "small.tif", values, names, centres, widths)
    done = run_tool(
        *("transform_wavelets", "--cube", small, "--wavelet", "sym4", *TRANSFORM),
        *("--output", folder / "out.tif", "--profile", folder / "profile.csv"),
    )
    assert "small.tif: 10x6 pixels are too few for level 1 of sym4" in done.stderr
    assert not (folder / "out.tif").exists()


def test_a_transform_that_would_not_fit_into_memory_is_refused_in_one_line(tmp_path):
    bands = BandTable(tuple(map(str, range(48))))
    grid = Grid(None, Affine.identity(), 9000, 9000)
    info = RasterInfo(tmp_path / "cube.tif", grid, bands, "int16", -32768, 1e-4, 0.0, {})
    require_fit(info, make_transform(level=5))
    with pytest.raises(InputError, match=r"level 6 of sym4 looks 882 pixels far, .* 612 MiB; use"):
        require_fit(info, make_transform(level=6))


@pytest.mark.parametrize("sensor", ["worldview3"])
def test_a_score_without_wavelengths_has_no_ratios_and_says_so(folder, sensor):
    with rasterio.open(folder / "cube.tif") as dataset:
        stored, names = dataset.read(), dataset.descriptions
    plain = write_raster(folder / "plain.tif", stored, nodata=-32768, scale=1e-4)
    with rasterio.open(plain, "r+") as dataset:
        dataset.descriptions = names
    subbands = folder / "subbands.tif"
    run(
        *("transform_wavelets", "--cube", plain, "--wavelet", "haar", *TRANSFORM),
        *("--output", subbands, "--profile", folder / "profile.csv"),
    )
    run(
        *("score_alteration", "--cube", plain, "--subbands", subbands, "--zone", "phyllic"),
        *("--truth", folder / "zones.gpkg", "--outside", "other", "--scene", sensor),
        *("--spatial-block-px", 16, "--folds", 4, "--buffer-px", 4, "--per-class", 400),
        *("--bootstrap", 100, "--seed", 1, "--record", folder / "score.json"),
        *("--curves", folder / "curves.csv", "--output", folder / "phyllic.tif"),
    )
    record = json.loads((folder / "score.json").read_text())
    assert record["ratios"] == {}
    assert len(record["ratios_left_out"]) == 14
    assert len(record["features"]) == 6 * 4

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from samples import run_tool, write_raster
from zone_scenes import RANGES, STUDY_BANDS, make_zones, map_zone, name_bands


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_zones(tmp_path_factory.mktemp("zones") / "scene")


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(), dataset.tags(), dataset.descriptions, dataset.nodata


@pytest.mark.parametrize(
    ("zone", "medium", "high"),
    [("phyllic", (0.6, 0.7), (0.7, 1.001)), ("propylitic", (0.3, 0.5), (0.5, 0.65))],
)
def test_the_ranges_are_cut_from_each_bands_scaled_low_pass(folder, zone, medium, high):
    done = map_zone(folder, zone)
    assert done.returncode == 0, done.stderr
    codes, tags, names, nodata = read(folder / "confidence" / f"{zone}.tif")
    assert names == STUDY_BANDS
    assert nodata == 255
    assert tags["ZONE"] == zone
    assert tags["SYNTHETIC"] == "yes"
    subbands, _, parts, _ = read(folder / "subbands.tif")
    for band, found in zip(STUDY_BANDS, codes, strict=True):
        values = subbands[parts.index(f"{band} LL")].astype(float)
        low, most = np.nanmin(values), np.nanmax(values)
        scaled = (values - low) / (most - low)
        expected = np.zeros(scaled.shape, "uint8")
        expected[(scaled >= medium[0]) & (scaled < medium[1])] = 1
        expected[(scaled >= high[0]) & (scaled < high[1])] = 2
        expected[np.isnan(scaled)] = 255
        assert np.array_equal(found, expected)


def test_every_band_has_a_legend(folder):
    assert map_zone(folder, "phyllic").returncode == 0
    root = ET.parse(folder / "confidence" / "phyllic.tif.aux.xml").getroot()
    bands = root.findall("PAMRasterBand")
    assert [band.get("band") for band in bands] == [str(n) for n in range(1, 7)]
    for band in bands:
        names = [item.text or "" for item in band.find("CategoryNames")]
        assert names == ["Unclassified", "Medium confidence", "High confidence"]
    assert "High confidence" in (folder / "confidence" / "phyllic.qml").read_text()


def test_threads_and_blocks_do_not_change_a_byte(folder, tmp_path):
    for name, threads, block_px in (("one", 1, 512), ("two", 2, 512), ("small", 2, 48)):
        done = run_tool(
            "map_confidence",
            *("--subbands", folder / "subbands.tif", *RANGES["phyllic"]),
            *("--zone", "phyllic", "--output", tmp_path / f"{name}.tif"),
            *("--threads", threads, "--block-px", block_px),
        )
        assert done.returncode == 0, done.stderr
    one, two, small = ((tmp_path / f"{n}.tif").read_bytes() for n in ("one", "two", "small"))
    assert one == two
    assert one == small


def test_every_zone_needs_its_ranges(folder):
    assert map_zone(folder, "argillic").returncode == 2
    done = map_zone(folder, "argillic", "--medium", 0.2, 0.4, "--high", 0.4, 0.8)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--medium", 0.7, 0.6), "medium: 0.7 to 0.6"),
        (("--medium", 0.6, 0.8), "medium ends at 0.8"),
        (("--subbands", "cube.tif"), "cube.tif: has no LL of any band (it has: 4, 5, 6"),
        (("--subbands", "gone.tif"), "gone.tif: no such raster file"),
    ],
)
def test_wrong_input_is_named(folder, flags, said):
    flags = [folder / flag if flag == "cube.tif" else flag for flag in flags]
    done = map_zone(folder, "phyllic", *flags)
    assert done.returncode == 1
    assert said in done.stderr
    assert not list(folder.glob("confidence/.*"))


def test_a_constant_band_is_refused(tmp_path):
    path = write_raster(tmp_path / "flat.tif", np.full((1, 20, 20), 0.5, "float32"), nodata=np.nan)
    name_bands(path, ["4 LL"])
    done = run_tool(
        "map_confidence",
        *("--subbands", path, "--zone", "phyllic", *RANGES["phyllic"], "--threads", 1),
        *("--output", tmp_path / "out.tif"),
    )
    assert "flat.tif: the LL of band 4 is 0.5 everywhere" in done.stderr
    assert not (tmp_path / "out.tif").exists()

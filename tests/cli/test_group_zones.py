"""group_zones: the classes of one zone as a map with its legend."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from samples import make_maps, run_tool, write_raster


@pytest.fixture
def folder(tmp_path):
    """A class map of codes 0, 2, 12, 6 and nodata, with its class table."""
    return make_maps(tmp_path)


def group(folder, output, *members, classes="classes.csv"):
    return run_tool(
        "group_zones",
        *("--class-map", folder / "class.tif", "--classes", folder / classes),
        *("--zone", "potassic-phyllic", "--members", *members, "--output", output),
        *("--block-px", 16, "--threads", 2),
    )


def test_only_members_and_nodata_stay(folder):
    output = folder / "zones" / "zone.tif"
    done = group(folder, output, "calcite", "chalcocite")
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "class.tif") as dataset:
        mapped = dataset.read(1)
    with rasterio.open(output) as dataset:
        zone = dataset.read(1)
        assert dataset.nodata == 255
        assert dataset.tags()["ZONE"] == "potassic-phyllic"
        assert dataset.tags()["SYNTHETIC"] == "yes"
        assert dataset.colormap(1)[6] == (0x4F, 0xC3, 0xF7, 255)
    assert np.array_equal(zone, np.where(np.isin(mapped, [2, 6, 255]), mapped, 0))
    entries = ET.parse(output.with_suffix(".qml")).iter("paletteEntry")
    assert [entry.get("label") for entry in entries] == ["Unclassified", "Chalcocite", "Calcite"]
    assert (folder / "zones" / "zone.tif.aux.xml").exists()


def test_an_unknown_member_is_named_and_nothing_is_written(folder):
    output = folder / "zones" / "zone.tif"
    done = group(folder, output, "calcite", "biotit")
    assert done.returncode == 1
    assert "classes.csv: has no class 'biotit'" in done.stderr
    assert "potassic-phyllic" in done.stderr
    assert not output.parent.exists()


def test_a_raster_of_another_type_is_refused(folder):
    write_raster(folder / "class.tif", np.zeros((4, 4), np.int16))
    done = group(folder, folder / "zone.tif", "calcite")
    assert done.returncode == 1
    assert "class.tif: int16, not uint8" in done.stderr

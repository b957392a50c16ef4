"""map_rules, and the ranges of bands that minerals are compared at: values, nodata, bad input."""

import numpy as np
import pytest
import rasterio
from mixed_ground import BANDS, map_flags, mixed_ground, write_ground
from samples import run_tool

from gossan.legend import read_classes
from gossan.library.readers import read_references
from gossan.minerals.groups import bands_within, group_bands
from gossan.minerals.spectral_angle import map_angles
from gossan.raster import BandTable


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    cube, _ = mixed_ground()
    cube[:, 4:9, 10:30] = np.nan
    return write_ground(tmp_path_factory.mktemp("ground"), cube)


def flags_of(folder, output, match="scene", *more):
    """Flags of map_rules, of those that map_mineral_group gets."""
    told = list(map_flags(folder, folder / "group", "2um"))
    kept = []
    for name in ("--cube", "--cube-record", "--references", "--classes"):
        kept += [name, told[told.index(name) + 1]]
    return (*kept, "--match", match, "--rules", output, "--threads", 2, *more)


def read(path):
    with rasterio.open(path) as dataset:
        values = dataset.read(masked=True).astype("f8").filled(np.nan) * dataset.scales[0]
        return dict(zip(dataset.descriptions, values, strict=True)), dataset.tags(), dataset.dtypes


def done(tool, *flags):
    end = run_tool(tool, *flags)
    assert end.returncode == 0, end.stderr


@pytest.mark.parametrize("match", ["scene", "sid"])
def test_the_least_of_a_groups_distances_is_that_of_its_map(folder, tmp_path, match):
    done("map_rules", *flags_of(folder, tmp_path / "rules.tif", match))
    rules, tags, kinds = read(tmp_path / "rules.tif")
    classes = read_classes(dict_of(folder)["--classes"])
    assert set(rules) == {item.label for item in classes if item.group}
    assert set(kinds) == {"int16" if match == "scene" else "float32"}
    assert tags["SYNTHETIC"] == "yes"
    for group in ("1um", "2um"):
        end = [*map_flags(folder, tmp_path / group, group), "--match", match]
        done("map_mineral_group", *end)
        mine = np.stack([rules[item.label] for item in classes if item.group == group])
        with rasterio.open(tmp_path / group / "angle.tif") as dataset:
            nearest = dataset.read(1)
        assert np.isnan(mine[:, 4:9, 10:30]).all()
        assert mine.min(axis=0) == pytest.approx(nearest, abs=1e-4, nan_ok=True)


def dict_of(folder):
    flags = list(map_flags(folder, folder / "group", "2um"))
    return dict(zip(flags[::2], flags[1::2], strict=False))


def test_angles_to_the_origin_are_those_of_the_mapper_in_the_range(folder, tmp_path):
    lines = dict_of(folder)["--classes"].read_text().splitlines(keepends=True)
    table = tmp_path / "classes.csv"
    table.write_text("".join(line for line in lines if "quartz" not in line))
    more = ("--range-um", 2.0, 2.5, "--classes", table)
    done("map_rules", *flags_of(folder, tmp_path / "rules.tif", "origin", *more))
    rules, *_ = read(tmp_path / "rules.tif")
    classes = read_classes(table)
    references = read_references(dict_of(folder)["--references"])
    with rasterio.open(dict_of(folder)["--cube"]) as dataset:
        cube = dataset.read(masked=True).astype("f4").filled(np.nan) * np.float32(dataset.scales[0])
    within = (references.wavelength_um >= 2.0) & (references.wavelength_um <= 2.5)
    rows = [references.names.index(item.name) for item in classes]
    own = references.reflectance[rows][:, within]
    wanted = map_angles(cube[within], own, every_angle=True)[3]
    assert np.stack([rules[item.label] for item in classes]) == pytest.approx(
        wanted, abs=2e-4, nan_ok=True
    )


def test_a_group_is_compared_at_the_bands_of_the_range(folder, tmp_path):
    flags = map_flags(folder, tmp_path / "2um", "2um")
    done("map_mineral_group", *flags, "--range-um", 2.1, 2.3)
    with rasterio.open(tmp_path / "2um/class.tif") as dataset:
        named = dataset.tags()["GROUP_BANDS"].split()
    assert 3 <= len(named) < len(BANDS[7:]) and set(named) < set(BANDS[7:])


@pytest.mark.parametrize(("tool", "group"), [("map_rules", "1um"), ("map_mineral_group", "1um")])
def test_a_range_of_too_few_bands_says_how_many_there_are(folder, tmp_path, tool, group):
    more = ("--range-um", 0.5, 0.57)
    flags = (
        flags_of(folder, tmp_path / "rules.tif", "scene", *more)
        if tool == "map_rules"
        else (*map_flags(folder, tmp_path / group, group), *more)
    )
    end = run_tool(tool, *flags)
    assert end.returncode == 1
    assert "error: minerals.range_um: the group 1um of" in end.stderr
    assert "bands within 0.5 to 0.57 µm; spectra are compared at 3 at least" in end.stderr
    assert list(tmp_path.iterdir()) == []


def test_bands_of_a_range_are_centred_in_it():
    bands = BandTable(tuple("abcdef"), (0.5, 0.9, 2.0, 2.2, 2.45, 2.46))
    assert bands_within(bands, [(2.0, 2.45)]) == [2, 3, 4]
    assert bands_within(bands, [(0.4, 0.6), (2.4, 2.5)]) == [0, 4, 5]
    assert bands_within(bands, []) == list(range(6))
    assert group_bands(bands, "2um") == [2, 3, 4, 5]
    assert group_bands(bands, "2um", [(2.0, 2.3)]) == []
    assert group_bands(bands, "2um", [(0.8, 2.3)]) == [1, 2, 3]

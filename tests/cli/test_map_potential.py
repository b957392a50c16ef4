import numpy as np
import pytest
import rasterio
from prospects import (
    COLUMNS,
    NAMES,
    ROWS,
    make_district,
    make_probability,
    map_potential,
    pixel_box,
    write_probability,
    write_shapes,
)
from samples import run_tool

from gossan.prospects.potential import classify_potential, grade_weights, score_potential


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_district(tmp_path_factory.mktemp("district"))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.tags(), dataset.nodata


def test_potential_and_score_follow_probability_and_geology(folder):
    done = map_potential(folder)
    assert done.returncode == 0, done.stderr
    hosting = np.zeros((ROWS, COLUMNS), bool)
    hosting[:110] = True
    expected = score_potential(make_probability(), grade_weights(NAMES, ""), hosting)
    score, tags, _ = read(folder / "score.tif")
    assert np.array_equal(score, expected, equal_nan=True)
    codes, _, nodata = read(folder / "potential.tif")
    assert nodata == 255
    assert np.array_equal(codes, classify_potential(expected, 0.34, 0.67))
    assert set(np.unique(codes)) == {1, 2, 3, 255}
    assert tags["SYNTHETIC"] == "yes"
    assert (tags["MEDIUM"], tags["HIGH"], tags["GEOLOGY"]) == ("0.34", "0.67", "geology.gpkg")
    assert "High potential" in (folder / "potential.qml").read_text()
    assert "Medium potential" in (folder / "potential.tif.aux.xml").read_text()
    assert (folder / "score.qml").exists()


def test_without_geology_all_ground_counts(folder, tmp_path):
    flags = ("--potential", tmp_path / "potential.tif", "--score", tmp_path / "score.tif")
    done = map_potential(folder, *flags, "--geology", folder / "geology.gpkg")
    assert done.returncode == 0, done.stderr
    constrained = read(tmp_path / "score.tif")[0]
    done = run_tool(
        *("map_potential", "--probability", folder / "probability.tif", *flags),
        *("--medium", 0.34, "--high", 0.67),
    )
    assert done.returncode == 0, done.stderr
    score, tags, _ = read(tmp_path / "score.tif")
    assert tags["GEOLOGY"] == "none"
    assert (constrained[110:] == 0).all()
    assert score[122:130, 25:40].min() > 0.3
    assert np.array_equal(score[:110], constrained[:110], equal_nan=True)


def test_thresholds_move_the_classes(folder, tmp_path):
    flags = ("--potential", tmp_path / "potential.tif", "--score", tmp_path / "score.tif")
    assert map_potential(folder, *flags, "--medium", 0.2, "--high", 0.5).returncode == 0
    codes, tags, _ = read(tmp_path / "potential.tif")
    score = read(tmp_path / "score.tif")[0]
    assert np.array_equal(codes == 3, score >= np.float32(0.5))
    assert np.array_equal(codes == 1, score < np.float32(0.2))
    assert tags["HIGH"] == "0.5"


def test_threads_and_blocks_do_not_change_a_byte(folder, tmp_path):
    found = []
    for threads, block_px in ((1, 512), (2, 48)):
        paths = (tmp_path / f"p{threads}.tif", tmp_path / f"s{threads}.tif")
        done = map_potential(
            folder,
            *("--potential", paths[0], "--score", paths[1]),
            *("--threads", threads, "--block-px", block_px),
        )
        assert done.returncode == 0, done.stderr
        found.append([path.read_bytes() for path in paths])
    assert found[0] == found[1]


def fault(folder, tmp_path, *flags):
    done = map_potential(
        folder, "--potential", tmp_path / "p.tif", "--score", tmp_path / "s.tif", *flags
    )
    assert done.returncode == 1
    assert not list(tmp_path.glob("[ps].tif*"))
    return done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--medium", 0.7), "medium 0.7, high 0.67: thresholds of the score rise"),
        (("--probability", "gone.tif"), "gone.tif: no such raster"),
        (("--geology", "gone.gpkg"), "gone.gpkg: no such file of geological units"),
    ],
)
def test_wrong_input_is_named(folder, tmp_path, flags, said):
    assert said in fault(folder, tmp_path, *flags)


def test_other_rasters_and_geology_elsewhere_are_refused(folder, tmp_path):
    values = make_probability()
    path = write_probability(tmp_path / "cover.tif", values[:4], ("ore", *NAMES[1:4]))
    assert "cover.tif: band ore is no iron class" in fault(folder, tmp_path, "--probability", path)
    path = write_probability(tmp_path / "part.tif", values[:4], NAMES[:4])
    message = fault(folder, tmp_path, "--probability", path)
    assert "part.tif: probabilities: those of a pixel do not add up to 1" in message
    far = write_shapes(tmp_path / "far.gpkg", [pixel_box(900, 950, 0, 9)], iron=["yes"])
    message = fault(folder, tmp_path, "--geology", far)
    assert "far.gpkg: none of the geological units lies over the map" in message

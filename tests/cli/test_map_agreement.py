"""map_agreement: shares of opinions, other grids, gaps, targets of them, bad input."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
from samples import ORIGIN, PIXEL_M, known_tables, run_command, run_tool, write_raster

ROWS, COLUMNS = 60, 80
TABLE = "code,name,label,colour\n1,alunite,Alunite,#FF0000\n2,kaolinite,Kaolinite,#00FF00\n"
TABLE += "3,calcite,Calcite,#0000FF\n"
TAGS = {"SYNTHETIC": "no", "METHOD": "Spectral Angle Mapper", "SENSOR": "ASTER"}


def make_maps():
    """Codes of a class map, of the confidence in two zones on three bands, and of potential."""
    generator = np.random.default_rng(6)
    classes = generator.integers(0, 4, (ROWS, COLUMNS)).astype("uint8")
    confidence = generator.integers(0, 3, (2, 3, ROWS, COLUMNS)).astype("uint8")
    potential = generator.integers(1, 4, (ROWS, COLUMNS)).astype("uint8")
    classes[20:40, 30:50] = 1
    confidence[0, :, 20:40, 30:50] = 2
    potential[20:40, 30:50] = 3
    classes[:10] = confidence[:, :, :5] = potential[:3] = 255
    confidence[0, 1, 50] = 255
    return classes, confidence, potential


@pytest.fixture
def folder(tmp_path):
    classes, confidence, potential = make_maps()
    write_raster(tmp_path / "class.tif", classes, nodata=255, tags=TAGS)
    for zone, codes in zip(("phyllic", "argillic"), confidence, strict=True):
        write_raster(tmp_path / f"{zone}.tif", codes, nodata=255, tags=TAGS)
    write_raster(tmp_path / "iron.tif", potential, nodata=255, tags=TAGS)
    (tmp_path / "classes.csv").write_text(TABLE)
    return tmp_path


def maps_of(folder):
    return (
        *("--map", "classes", "minerals", folder / "class.tif", folder / "classes.csv"),
        *("alunite", "kaolinite"),
        *("--map", "confidence", "zones", folder / "phyllic.tif", folder / "argillic.tif"),
        *("--map", "potential", "prospects", folder / "iron.tif"),
    )


def flags_of(folder, out):
    return (
        *("--medium", 0.5, "--high", 0.75, "--scene", "tiny", "--threads", 2),
        *("--potential", out / "potential.tif", "--score", out / "score.tif"),
        *("--record", out / "agreement.json"),
    )


def agree(folder, out, *more, maps=None):
    given = maps_of(folder) if maps is None else maps
    return run_tool("map_agreement", *given, *flags_of(folder, out), *more)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.tags()


def test_the_score_is_the_share_of_those_with_an_answer_that_say_yes(folder):
    done = agree(folder, folder)
    assert done.returncode == 0, done.stderr
    classes, confidence, potential = make_maps()
    known = confidence != 255
    zones = 2 * np.isin(confidence, (1, 2)).sum(axis=1) >= known.sum(axis=1)
    answered = np.array([classes != 255, known.any(axis=(0, 1)), potential != 255])
    yes = np.array(
        [np.isin(classes, (1, 2)), (zones & known.any(axis=1)).any(axis=0), potential >= 2]
    )
    answers = answered.sum(axis=0)
    expected = np.where(answers, (yes & answered).sum(axis=0) / np.maximum(answers, 1), np.nan)
    score, tags = read(folder / "score.tif")
    np.testing.assert_allclose(score, expected, atol=1e-6)
    assert np.isnan(score[:3]).all()
    assert not np.isnan(score[3:]).any()
    codes, _ = read(folder / "potential.tif")
    wanted = np.where(expected >= 0.75, 3, np.where(expected >= 0.5, 2, 1))
    assert np.array_equal(codes, np.where(np.isnan(expected), 255, wanted))
    assert (tags["METHODS"], tags["SYNTHETIC"]) == ("minerals, zones, prospects", "no")
    assert "High potential" in (folder / "potential.qml").read_text()
    record = json.loads((folder / "agreement.json").read_text())
    assert [item["title"] for item in record["maps"]] == ["minerals", "zones", "prospects"]
    assert record["maps"][0]["favourable"] == ["alunite", "kaolinite"]
    assert record["maps"][1]["files"] == ["phyllic.tif", "argillic.tif"]
    for item, told, said in zip(record["maps"], answered, yes, strict=True):
        assert item["answered_pixels"] == told.sum()
        assert item["favourable_pixels"] == (said & told).sum()
        assert item["resampled"] is False
    assert record["pixels_by_answers"] == {str(n): int((answers == n).sum()) for n in (1, 2, 3)}
    assert record["potential"]["high"] == (codes == 3).sum()


def test_targets_are_ranked_on_what_the_methods_agree_on(folder):
    assert agree(folder, folder).returncode == 0
    done = run_tool(
        *("rank_targets", "--potential", folder / "potential.tif"),
        *("--score", folder / "score.tif", "--substance-attribute", "substance"),
        *("--level", "high", "--min-area-ha", 20, "--spatial-block-px", 16),
        *("--bootstrap", 100, "--seed", 1, "--scene", "tiny", "--threads", 1),
        *("--targets", folder / "targets.gpkg", "--kml", folder / "targets.kml"),
        *("--overlay", folder / "overlay.csv", "--curves", folder / "curves.csv"),
        *("--record", folder / "targets.json", *known_tables(folder)),
    )
    assert done.returncode == 0, done.stderr
    targets = geopandas.read_file(folder / "targets.gpkg", layer="targets")
    x, y = ORIGIN[0] + 40 * PIXEL_M, ORIGIN[1] - 30 * PIXEL_M
    assert targets.geometry.iloc[0].contains(geopandas.points_from_xy([x], [y])[0])
    assert "<name>Targets, tiny</name>" in (folder / "targets.kml").read_text()
    assert json.loads((folder / "targets.json").read_text())["thresholds"]["high"] == "0.75"


def test_all_classes_count_where_none_is_named(folder):
    maps = ("--map", "classes", "minerals", folder / "class.tif", folder / "classes.csv")
    assert agree(folder, folder, maps=maps).returncode == 0
    classes = make_maps()[0]
    score, _ = read(folder / "score.tif")
    np.testing.assert_array_equal(score[10:], classes[10:] > 0)
    record = json.loads((folder / "agreement.json").read_text())
    assert record["maps"][0]["favourable"] == ["alunite", "kaolinite", "calcite"]


def test_maps_on_other_grids_are_taken_from_the_pixel_below(folder):
    coarse = np.repeat([[1, 0, 255, 2]], 3, axis=0).astype("uint8")
    origin = (ORIGIN[0] - 10 * PIXEL_M, ORIGIN[1])
    tags = TAGS | {"SYNTHETIC": "yes"}
    write_raster(folder / "far.tif", coarse, 255, origin=origin, pixel=20 * PIXEL_M, tags=tags)
    far = ("classes", "embedding", folder / "far.tif", folder / "classes.csv", "alunite")
    maps = (*maps_of(folder), "--map", *far)
    assert agree(folder, folder, maps=maps).returncode == 0
    record = json.loads((folder / "agreement.json").read_text())
    assert [item["resampled"] for item in record["maps"]] == [False, False, False, True]
    # Columns 0 to 9 hold the first coarse pixel, 10 to 29 the second, 50 to 69 the fourth.
    assert record["maps"][3]["answered_pixels"] == ROWS * (10 + 20 + 20)
    assert record["maps"][3]["favourable_pixels"] == ROWS * 10
    assert record["synthetic"] is True
    assert read(folder / "score.tif")[1]["SYNTHETIC"] == "yes"
    only = ("--map", "classes", "a", folder / "class.tif", folder / "classes.csv", "alunite")
    assert agree(folder, folder / "b", maps=(*only, "--map", *far)).returncode == 0
    score, _ = read(folder / "b" / "score.tif")
    classes = make_maps()[0]
    assert (score[10:, :10] == ((classes[10:, :10] == 1) + 1) / 2).all()
    assert (score[10:, 30:50] == (classes[10:, 30:50] == 1)).all()
    assert np.isnan(score[:10, 70:]).all()


def test_a_first_map_in_degrees_gives_targets_in_metres(folder):
    codes = np.zeros((50, 60), "uint8")
    codes[10:20, 15:40] = 1
    path = folder / "emit.tif"
    write_raster(path, codes, 255, crs="EPSG:4326", origin=(-117.2, 37.6), pixel=0.000542)
    maps = ("--map", "classes", "minerals", path, folder / "classes.csv", "alunite")
    assert agree(folder, folder, maps=maps).returncode == 0
    with rasterio.open(folder / "potential.tif") as dataset:
        assert dataset.crs.to_epsg() == 32611
        # 60.2 m from south to north, 47.9 m from west to east.
        assert dataset.res == (54, 54)
        found = dataset.read(1)
    assert (found == 3).sum() * 54**2 == pytest.approx(250 * 60.15 * 47.86, rel=0.03)
    write_raster(path, codes, 255, crs=None)
    done = agree(folder, folder / "out", maps=maps)
    assert "emit.tif: has no coordinate system; assign one" in done.stderr


def test_blocks_and_threads_do_not_change_a_byte(folder):
    for name, more in {
        "first": ("--block-px", 16, "--threads", 1),
        "second": ("--block-px", 512, "--threads", 2),
    }.items():
        assert agree(folder, folder / name, *more).returncode == 0
    for output in ("potential.tif", "score.tif", "agreement.json", "potential.qml"):
        first, second = (folder / name / output for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("guess", "a", "class.tif"), "map: 'guess' is no kind of map"),
        (("classes", "a", "class.tif"), "map a: give its raster, its class table"),
        (("classes", "a", "class.tif", "classes.csv", "gold"), "has no class 'gold'"),
        (("confidence", "a"), "map a: give its rasters"),
        (("potential", "a", "iron.tif", "class.tif"), "map a: give its raster"),
        (("potential", "zones", "iron.tif"), "two are called 'zones'"),
        (("potential", "a", "gone.tif"), "gone.tif: no such raster file"),
        (("potential", "a", "floats.tif"), "floats.tif: float32 with nodata nan, not uint8"),
        (("potential", "a", "elsewhere.tif"), "elsewhere.tif: does not overlap the first map"),
        (("potential", "a", "nowhere.tif"), "no coordinate system; assign one"),
    ],
)
def test_maps_that_cannot_be_used_are_named_and_leave_nothing(folder, words, said):
    write_raster(folder / "floats.tif", np.zeros((5, 5), "float32"), np.nan)
    write_raster(folder / "elsewhere.tif", np.ones((5, 5), "uint8"), 255, origin=(0.0, 0.0))
    write_raster(folder / "nowhere.tif", np.ones((5, 5), "uint8"), 255, crs=None)
    words = [folder / word if "." in word else word for word in words]
    done = agree(folder, folder / "out", maps=(*maps_of(folder), "--map", *words))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (folder / "out").exists()


def test_shares_must_rise(folder):
    done = agree(folder, folder / "out", "--medium", 0.8)
    assert "medium 0.8, high 0.75" in done.stderr


def test_the_tool_runs_as_a_command(folder):
    done = run_command("map_agreement", *maps_of(folder), *flags_of(folder, folder))
    assert done.returncode == 0, done.stderr
    (folder / "iron.tif").unlink()
    done = run_command("map_agreement", *maps_of(folder), *flags_of(folder, folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")

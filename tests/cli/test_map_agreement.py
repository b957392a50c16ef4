"""map_agreement: shares of opinions, other grids, gaps, targets of them, bad input."""

import csv
import json

import geopandas
import numpy as np
import pytest
import rasterio
from samples import CRS, ORIGIN, PIXEL_M, known_tables, run_command, run_tool, write_raster
from shapely.geometry import box

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
    write_raster(tmp_path / "margin.tif", make_margin(), nodata=np.nan, tags=TAGS)
    for zone, codes in zip(("phyllic", "argillic"), confidence, strict=True):
        write_raster(tmp_path / f"{zone}.tif", codes, nodata=255, tags=TAGS)
    write_raster(tmp_path / "iron.tif", potential, nodata=255, tags=TAGS | {"MEDIUM": "0.4"})
    score = np.where(potential == 255, np.nan, potential / 4).astype("float32")
    write_raster(tmp_path / "grade.tif", score, nodata=np.nan, tags=TAGS)
    (tmp_path / "classes.csv").write_text(TABLE)
    return tmp_path


def make_margin():
    """Margins of the class map, NaN where it has no data."""
    margin = np.random.default_rng(7).random((ROWS, COLUMNS)).astype("float32")
    margin[:10] = np.nan
    return margin


def maps_of(folder):
    return (
        *("--map", "margins", "minerals", folder / "class.tif", folder / "margin.tif"),
        *(folder / "classes.csv", "alunite", "kaolinite"),
        *("--map", "confidence", "zones", folder / "phyllic.tif", folder / "argillic.tif"),
        *("--map", "potential", "prospects", folder / "iron.tif", folder / "grade.tif"),
    )


def flags_of(folder, out):
    return (
        *("--medium", 0.4, "--high", 0.7, "--seed", 1, "--scene", "tiny", "--threads", 2),
        *("--bootstrap", 100, "--spatial-block-px", 10, "--comparison", out / "combined.csv"),
        *("--potential", out / "potential.tif", "--score", out / "score.tif"),
        *("--support", out / "support.tif", "--record", out / "agreement.json"),
    )


def agree(folder, out, *more, maps=None):
    given = maps_of(folder) if maps is None else maps
    return run_tool("map_agreement", *given, *flags_of(folder, out), *more)


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1), dataset.tags()


def votes_of_maps():
    """Who has an answer, and who is in favour: (3, rows, columns) bool each."""
    classes, confidence, potential = make_maps()
    known = confidence != 255
    zones = 2 * np.isin(confidence, (1, 2)).sum(axis=1) >= known.sum(axis=1)
    answered = np.array([classes != 255, known.any(axis=(0, 1)), potential != 255])
    yes = np.array(
        [np.isin(classes, (1, 2)), (zones & known.any(axis=1)).any(axis=0), potential >= 2]
    )
    return answered, yes & answered


def test_the_support_counts_the_methods_and_has_the_vote_of_each(folder):
    done = agree(folder, folder)
    assert done.returncode == 0, done.stderr
    answered, yes = votes_of_maps()
    with rasterio.open(folder / "support.tif") as dataset:
        support, names = dataset.read(), dataset.descriptions
    assert names[:3] == ("methods in favour", "methods with an answer", "disagreement")
    assert names[3:] == ("minerals", "zones", "prospects")
    answers = answered.sum(axis=0)
    seen = answers > 0
    np.testing.assert_array_equal(support[1][seen], answers[seen])
    np.testing.assert_array_equal(support[0][seen], yes.sum(axis=0)[seen])
    assert np.isnan(support[:, ~seen]).all() and (~seen).any()
    share = yes.sum(axis=0)[seen] / answers[seen]
    np.testing.assert_allclose(support[2][seen], 1 - np.abs(2 * share - 1), atol=1e-6)
    for band, told, said in zip(support[3:], answered, yes, strict=True):
        np.testing.assert_array_equal(band[told], said[told])
        assert np.isnan(band[~told]).all()


def test_the_score_keeps_what_methods_say_apart_by_thirds(folder):
    assert agree(folder, folder).returncode == 0
    answered, yes = votes_of_maps()
    answers, favour = answered.sum(axis=0), yes.sum(axis=0)
    score, tags = read(folder / "score.tif")
    seen = answers > 0
    assert np.array_equal(np.isfinite(score), seen)
    least = 2 * favour[seen] / (3 * answers[seen])
    assert (score[seen] >= least - 1e-6).all()
    assert (score[seen] <= least + 1 / 3 + 1e-6).all()
    codes, _ = read(folder / "potential.tif")
    wanted = np.where(score >= np.float32(0.7), 3, np.where(score >= np.float32(0.4), 2, 1))
    assert np.array_equal(codes, np.where(seen, wanted, 255))
    assert (tags["METHODS"], tags["SYNTHETIC"]) == ("minerals, zones, prospects", "no")
    assert "High potential" in (folder / "potential.qml").read_text()
    record = json.loads((folder / "agreement.json").read_text())
    assert [item["title"] for item in record["maps"]] == ["minerals", "zones", "prospects"]
    assert record["maps"][0]["favourable"] == ["alunite", "kaolinite"]
    assert record["maps"][1]["favourable"] == ["phyllic", "argillic"]
    for item, told, said in zip(record["maps"], answered, yes, strict=True):
        assert item["answered_pixels"] == told.sum()
        assert item["favourable_pixels"] == said.sum()
        assert item["resampled"] is False
    assert record["pixels_by_answers"] == {str(n): int((answers == n).sum()) for n in (1, 2, 3)}
    assert record["potential"]["high"] == (codes == 3).sum()
    assert record["scale"] == "ranks"


def test_within_a_vote_pixels_keep_the_order_of_the_maps_own_evidence(folder):
    maps = ("--map", "margins", "a", folder / "class.tif", folder / "margin.tif")
    assert agree(folder, folder, maps=(*maps, folder / "classes.csv", "alunite")).returncode == 0
    classes, margin = make_maps()[0], make_margin()
    score, _ = read(folder / "score.tif")
    yes, other = classes == 1, np.isin(classes, (2, 3))
    assert score[yes].min() >= 2 / 3 - 1e-6 and score[~yes & (classes != 255)].max() <= 1 / 3 + 1e-6
    assert (np.diff(score[yes][np.argsort(margin[yes])]) >= 0).all()
    # The surer another mineral is, the less favourable is the pixel.
    assert (np.diff(score[other][np.argsort(margin[other])]) <= 0).all()
    record = json.loads((folder / "agreement.json").read_text())
    assert record["notes"] == ["Only a speaks here, so there is nothing to agree on."]


def test_a_potential_that_stands_alone_is_passed_on_with_its_own_limits(folder):
    maps = ("--map", "potential", "prospects", folder / "iron.tif", folder / "grade.tif")
    assert agree(folder, folder, maps=maps).returncode == 0
    potential = make_maps()[2]
    codes, tags = read(folder / "potential.tif")
    assert np.array_equal(codes, potential)
    assert (tags["MEDIUM"], tags["METHOD"]) == ("0.4", TAGS["METHOD"])
    score, _ = read(folder / "score.tif")
    np.testing.assert_array_equal(score[3:], potential[3:] / 4)
    assert json.loads((folder / "agreement.json").read_text())["scale"] == "own"


def test_maps_of_one_method_speak_with_one_voice(folder):
    table = folder / "classes.csv"
    maps = (
        *("--map", "classes", "minerals", folder / "class.tif", table, "alunite"),
        *("--map", "classes", "minerals", folder / "second.tif", table, "kaolinite"),
    )
    second = np.full((ROWS, COLUMNS), 255, "uint8")
    second[:20] = 2
    write_raster(folder / "second.tif", second, nodata=255, tags=TAGS)
    assert agree(folder, folder, maps=maps).returncode == 0
    with rasterio.open(folder / "support.tif") as dataset:
        favour, answers = dataset.read((1, 2))
        assert dataset.count == 4
    assert (favour[:20] == 1).all() and (answers == 1).all()
    assert np.array_equal(favour[20:], make_maps()[0][20:] == 1)


def test_nothing_favourable_and_no_answer_are_said(folder):
    table = folder / "classes.csv"
    write_raster(folder / "none.tif", np.zeros((9, 9), "uint8"), nodata=255)
    maps = ("--map", "classes", "a", folder / "none.tif", table, "alunite")
    assert agree(folder, folder, maps=maps).returncode == 0
    notes = json.loads((folder / "agreement.json").read_text())["notes"]
    assert notes[0] == "No method calls any pixel favourable."
    write_raster(folder / "none.tif", np.full((9, 9), 255, "uint8"), nodata=255)
    assert agree(folder, folder, maps=maps).returncode == 0
    notes = json.loads((folder / "agreement.json").read_text())["notes"]
    assert notes[0] == "No method has an answer at any pixel."
    assert np.isnan(read(folder / "score.tif")[0]).all()
    assert (read(folder / "potential.tif")[0] == 255).all()


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
    assert json.loads((folder / "targets.json").read_text())["thresholds"]["high"] == "0.7"


def test_all_classes_count_where_none_is_named(folder):
    maps = ("--map", "classes", "minerals", folder / "class.tif", folder / "classes.csv")
    assert agree(folder, folder, maps=maps).returncode == 0
    classes = make_maps()[0]
    score, _ = read(folder / "score.tif")
    np.testing.assert_array_equal(score[10:] > 0.5, classes[10:] > 0)
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
    # Of a map of classes alone all pixels of a vote are alike: 5/6 or 1/6.
    near = np.where(classes == 1, 5 / 6, 1 / 6)
    np.testing.assert_allclose(score[10:, :10], (near[10:, :10] + 5 / 6) / 2, atol=1e-6)
    np.testing.assert_allclose(score[10:, 30:50], near[10:, 30:50], atol=1e-6)
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
    for output in ("potential.tif", "score.tif", "support.tif", "agreement.json"):
        first, second = (folder / name / output for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("guess", "a", "class.tif"), "map: 'guess' is no kind of map"),
        (("classes", "a", "class.tif"), "map a: give its class raster, its class table"),
        (("classes", "a", "class.tif", "classes.csv", "gold"), "has no class 'gold'"),
        (("confidence", "a"), "map a: give its rasters"),
        (("potential", "a", "iron.tif"), "map a: give its potential and score"),
        (("scores", "a", "score.json"), "map a: give the record of its scores"),
        (("scores", "a", "odd.json", "iron.tif"), "odd.json: is no record of scores"),
        (("confidence", "zones", "phyllic.tif", "argillic.tif"), "phyllic.tif is given twice"),
        (("confidence", "a", "gone.tif"), "gone.tif: no such raster file"),
        (("confidence", "a", "floats.tif"), "floats.tif: float32 with nodata nan, not uint8"),
        (("confidence", "a", "elsewhere.tif"), "elsewhere.tif: does not overlap the first map"),
        (("confidence", "a", "nowhere.tif"), "no coordinate system; assign one"),
        (
            ("distances", "a", "class.tif", "floats.tif", "classes.csv", "alunite"),
            "floats.tif: has no distance to alunite",
        ),
    ],
)
def test_maps_that_cannot_be_used_are_named_and_leave_nothing(folder, words, said):
    write_raster(folder / "floats.tif", np.zeros((5, 5), "float32"), np.nan)
    write_raster(folder / "elsewhere.tif", np.ones((5, 5), "uint8"), 255, origin=(0.0, 0.0))
    write_raster(folder / "nowhere.tif", np.ones((5, 5), "uint8"), 255, crs=None)
    (folder / "odd.json").write_text("{}")
    words = [folder / word if "." in word else word for word in words]
    done = agree(folder, folder / "out", maps=(*maps_of(folder), "--map", *words))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (folder / "out").exists()


def test_a_truth_puts_the_methods_on_its_scale_and_tests_them_apart(folder):
    truth = np.random.default_rng(3).integers(0, 2, (ROWS, COLUMNS)).astype("uint8")
    truth[:, 40:] = 3
    truth[50:] = 255
    write_raster(folder / "truth.tif", truth, nodata=255, tags=TAGS | {"SYNTHETIC": "yes"})
    maps = []
    generator = np.random.default_rng(4)
    for name, wrong in (("first", 0.2), ("second", 0.3)):
        codes = np.where(truth == 1, 1, 0).astype("uint8")
        flip = generator.random(codes.shape) < wrong
        write_raster(folder / f"{name}.tif", np.where(flip, 1 - codes, codes), 255, tags=TAGS)
        maps += ["--map", "classes", name, folder / f"{name}.tif", folder / "classes.csv"]
        maps += ["alunite"]
    known = ("--truth", folder / "truth.tif", "--classes", folder / "classes.csv")
    for place, more in {"a": ("--block-px", 16), "b": ("--block-px", 512)}.items():
        done = agree(folder, folder / place, *known, "--favourable", "alunite", *more, maps=maps)
        assert done.returncode == 0, done.stderr
    for output in ("score.tif", "combined.csv", "agreement.json"):
        first, second = (folder / name / output for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes(), output
    record = json.loads((folder / "a/agreement.json").read_text())
    assert record["scale"] == "learned"
    assert record["truth"]["favourable"] == ["alunite"]
    with (folder / "a/combined.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["map"] for row in rows] == [
        *("combined", "combined by the rule"),
        *("first", "first", "second", "second"),
    ]
    assert {row["n"] for row in rows} == {str(50 * COLUMNS)}
    assert {row["synthetic"] for row in rows} == {"yes"}
    assert [row["map"] for row in rows if row["best_alone"]] == ["first"]
    assert float(rows[0]["average_precision"]) > float(rows[2]["average_precision"])
    # The score is a probability: of the pixels with such a score so many are favourable.
    score, _ = read(folder / "a/score.tif")
    tested = truth != 255
    assert score[tested].mean() == pytest.approx((truth[tested] == 1).mean(), abs=0.01)
    # The same answers have the same score on all ground: no seam where spatial blocks meet.
    assert len(np.unique(score[np.isfinite(score)])) == 4


def test_a_truth_of_zones_names_the_zones(folder):
    zone = box(ORIGIN[0], ORIGIN[1] - 40 * PIXEL_M, ORIGIN[0] + 40 * PIXEL_M, ORIGIN[1])
    shapes = geopandas.GeoDataFrame({"class": ["phyllic"]}, geometry=[zone], crs=CRS)
    shapes.to_file(folder / "zones.gpkg")
    known = ("--truth", folder / "zones.gpkg", "--truth-of", "zones", "--outside", "other")
    assert agree(folder, folder, *known, "--favourable", "phyllic").returncode == 0
    record = json.loads((folder / "agreement.json").read_text())
    assert (record["scale"], record["truth"]["file"]) == ("learned", "zones.gpkg")
    done = agree(folder, folder / "out", *known, "--favourable", "skarn")
    assert "no feature has the class 'skarn'" in done.stderr


def test_a_truth_with_too_little_of_either_ground_leaves_the_rule_and_says_so(folder):
    truth = np.zeros((ROWS, COLUMNS), "uint8")
    truth[:3, :3] = 1
    write_raster(folder / "truth.tif", truth, nodata=255, tags=TAGS)
    known = ("--truth", folder / "truth.tif", "--classes", folder / "classes.csv")
    assert agree(folder, folder, *known, "--favourable", "alunite").returncode == 0
    record = json.loads((folder / "agreement.json").read_text())
    assert record["scale"] == "ranks"
    assert "too few to learn from" in record["notes"][0]
    assert len((folder / "combined.csv").read_text().splitlines()) == 1
    done = agree(folder, folder / "out", *known, "--favourable", "gold")
    assert "favourable: 'gold' is no class" in done.stderr
    done = agree(folder, folder / "out", *known[:2])
    assert "give --classes" in done.stderr


def test_shares_must_rise(folder):
    done = agree(folder, folder / "out", "--medium", 0.8)
    assert "medium 0.8, high 0.7" in done.stderr


def test_the_tool_runs_as_a_command(folder):
    done = run_command("map_agreement", *maps_of(folder), *flags_of(folder, folder))
    assert done.returncode == 0, done.stderr
    (folder / "iron.tif").unlink()
    done = run_command("map_agreement", *maps_of(folder), *flags_of(folder, folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")

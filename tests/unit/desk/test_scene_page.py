"""The page of a scene for the one who ordered the map."""

import json
from dataclasses import replace

import numpy as np
import pytest
from samples import write_raster

from gossan.desk.layers import SceneLayer, read_layers
from gossan.desk.scene_page import (
    UNKNOWN_GROUND,
    MapAreas,
    choose_record,
    gravest_doubt,
    make_plain,
    measure_classes,
    read_target_note,
    read_target_rows,
    render_scene,
    tell_better,
    tell_found,
    tell_trust,
)
from gossan.legend import UNCLASSIFIED_COLOUR, MapClass, write_class_style

CLASSES = [
    MapClass(2, "chalcocite", "Chalcocite", "#00FE00"),
    MapClass(12, "feldspar", "<Feldspar>", "#FE00FE"),
]
CODES = np.array([[[0, 2, 2, 12], [0, 2, 255, 255]]], np.uint8)


@pytest.fixture
def layers(tmp_path):
    return make_layers(tmp_path, CODES)


def make_layers(folder, codes):
    path = folder / "landsat/minerals/class.tif"
    path.parent.mkdir(parents=True)
    write_raster(path, codes, nodata=255)
    write_class_style(path, CLASSES)
    entry = {"group": "maps", "kind": "classes", "method": "minerals", "sensor": "landsat"}
    listed = {"scene": "hill", "study": "mine", "synthetic": False}
    listed["layers"] = [{**entry, "title": "Minerals", "file": "landsat/minerals/class.tif"}]
    (folder / "layers.json").write_text(json.dumps(listed))
    return read_layers(folder / "layers.json")


def render(layers, folder, root):
    """The page of a scene, and its summary."""
    return render_scene(
        (root / "resources/static/scene.html.j2").read_text(),
        "",
        layers,
        [record()],
        **{name: folder / f"{name}.html" for name in ("page", "report", "index")},
    )


def value(number, low=None, high=None):
    return {"value": number, "low": low, "high": high}


def record(section="minerals", sensor="landsat", method="Spectral Angle Mapper", classes=3):
    scores = {"n": 400, "overall_accuracy": value(0.9, 0.85, 0.95)}
    scores["classes"] = [{"label": "Phyllic", "n_map": 50, "precision": value(0.3, 0.2, 0.4)}]
    return {
        **{"section": section, "sensor": sensor, "method": method, "assessed": True},
        "confusion_matrix": {
            "labels": [{}] * classes,
            "counts": [[300, 20, 0], [10, 60, 5], [0, 5, 0]],
        },
        "scores": scores,
        "scores_study_classes": {"n": 80, "overall_accuracy": value(0.62, 0.55, 0.68)},
    }


def target(rank, **fields):
    row = {"rank": str(rank), "id": str(rank), "area_ha": "12.5", "mean_score": "0.8", "known": ""}
    return {**row, "dominant": "Alunite", "latitude": "-29.5", "longitude": "70.25", **fields}


def test_areas_are_of_clear_pixels_and_the_largest_comes_first(layers):
    areas = measure_classes(layers.main_map())
    assert [item.label for item in areas.classes] == ["Chalcocite", "<Feldspar>"]
    assert [item.area_km2 for item in areas.classes] == pytest.approx([0.0027, 0.0009])
    assert areas.unclassified == pytest.approx(2 / 6)
    assert areas.masked == pytest.approx(2 / 8)


def test_what_was_found_is_told_in_areas_and_in_the_best_target(layers):
    areas = measure_classes(layers.main_map())
    told = tell_found(layers.main_map(), areas, None)
    assert told.startswith("Mapped: Chalcocite < 0.01 km² and <Feldspar>")
    assert "33.3% of the clear ground" in told
    small = {"area_ha": "0.06"}
    rows = [
        target(1, known="training", id="K1", **small),
        target(2, id="T2", **small),
        target(3, **small),
    ]
    told = tell_found(layers.main_map(), areas, rows)
    assert told.startswith("2 targets to walk to; the best, T2 (0.1 ha, mostly Alunite, ")
    assert "lies at 29.50000° S, 70.25000° E. 1 more is known ground." in told
    assert "No ground stands out" in tell_found(None, None, [])
    known = tell_found(None, None, rows[:1])
    assert "What stands out is known ground (1 in the table), nothing new." in known


def test_a_target_of_most_of_the_ground_is_told_to_set_nothing_apart(layers):
    areas = measure_classes(layers.main_map())
    whole, part = target(1, area_ha="0.5"), target(1, area_ha="0.1")
    assert "of the clear ground, so it sets nothing" in tell_found(None, areas, [whole])
    assert "to walk to" not in tell_found(None, areas, [whole])
    halves = [target(1, area_ha="0.25"), target(2, area_ha="0.25")]
    assert "Together they cover 92.6% of the clear ground, so they" in tell_found(
        None, areas, halves
    )
    assert "sets nothing apart" not in tell_found(None, areas, [part])
    known = tell_found(None, areas, [{**whole, "known": "known deposit"}])
    assert "nothing new. It covers" in known and "under targets.minerals" in known


def test_nobody_is_told_to_walk_to_targets_of_a_doubtful_map(layers):
    areas = measure_classes(layers.main_map())
    part = [target(1, area_ha="0.1")]
    assert tell_found(None, areas, part).startswith("1 target to walk to; the best")
    assert tell_found(None, areas, part, doubt="all is water").startswith("1 target; the best")


def test_where_there_is_no_target_the_highest_score_and_what_to_lower_is_told(layers):
    note = "No ground of 1 ha or more has a score of 0.9; the highest score is 0.33."
    folder = layers.folder / "targets"
    folder.mkdir()
    assert read_target_note(layers) == ""
    (folder / "targets.json").write_text(json.dumps({"note": note}))
    assert tell_found(None, None, [], read_target_note(layers)).startswith(note)
    _, advice = tell_better(layers, None, None, [], [])
    assert any("lower targets.level, targets.medium" in text for text in advice)


def test_ground_outside_of_the_licence_is_not_taken_for_cloud(layers):
    areas = MapAreas([], 0.0, 0.4)
    assert "less cloud" in str(tell_better(layers, areas, None, None, []))
    told = {"numbers": {"ground": {"masked": 0.0}}}
    weak, advice = tell_better(layers, areas, None, None, [told])
    assert not any("masked" in text for text in (*weak, *advice))
    told["numbers"]["ground"]["masked"] = 0.3
    assert "less cloud" in str(tell_better(layers, areas, None, None, [told]))


def test_a_map_that_names_nothing_says_so(tmp_path):
    layers = make_layers(tmp_path, np.zeros((1, 4, 4), np.uint8))
    areas = measure_classes(layers.main_map())
    assert "The map names nothing" in tell_found(layers.main_map(), areas, None)


def test_trust_is_one_sentence_with_one_number_and_its_interval():
    told = tell_trust(record(), synthetic=False)
    assert told.endswith("62 % of 80 tested pixels (95 % interval 55 to 68 %).")
    assert told.count(".") == 1
    one = tell_trust(record(classes=2), synthetic=True)
    assert one.startswith("What the map calls phyllic is right at 30 % of 50 tested pixels")
    assert "simulated ground says nothing of a real place" in one
    without = record()
    without["scores_study_classes"]["overall_accuracy"] = value(0.62)
    assert "no interval" in tell_trust(without, synthetic=False)


def test_a_test_of_the_scene_that_taught_is_not_told_as_one_of_the_whole_ground(layers, root):
    folder = layers.folder
    (folder / "explanation.json").write_text(json.dumps({"teacher": "mines", "sentences": []}))
    page, summary = render(layers, folder, root)
    told = "Tested on mines alone, the scene that taught: where the ground is known"
    assert summary["trust"].startswith(told) and told in page


def test_the_legend_has_the_ground_of_the_picture(layers, tmp_path, root):
    """Ground of several scenes has no cube, and none of it shows in the picture."""
    bare, _ = render(layers, tmp_path, root)
    assert f'"background:{UNCLASSIFIED_COLOUR}"></span>none of these<' in bare
    cube = SceneLayer("scene", "cube", "landsat", "cube", tmp_path / "cube.tif", "Cube")
    shown, _ = render(replace(layers, layers=(*layers.layers, cube)), tmp_path, root)
    assert "none of these (pale picture of the ground)" in shown


def test_unknown_ground_has_no_accuracy():
    reason = "The scene has no ground truth, so no accuracy can be stated."
    assert tell_trust({"assessed": False, "reason": reason}, False) == UNKNOWN_GROUND
    assert "too few" in tell_trust({"assessed": False, "reason": "too few points"}, False)
    assert tell_trust(None, False).startswith("No accuracy can be stated")


def test_the_record_is_of_the_main_map(layers):
    main = layers.main_map()
    other = [record(section="zones"), record(sensor="aster")]
    assert choose_record(main, other) is None
    unassessed = {**record(), "assessed": False}
    assert choose_record(main, [*other, unassessed]) is unassessed
    mine, mapped = record(), record(method="Network, masking, as mapped")
    assert choose_record(main, [*other, unassessed, mine]) is mine
    assert choose_record(main, [mine, mapped]) is mapped


def test_the_record_of_a_zone_is_of_that_zone(tmp_path):
    main = SceneLayer("maps", "zones", "aster", "ramp", tmp_path / "phyllic.tif", "Score")
    made = [record("zones", "aster", "Alteration score") for _ in range(2)]
    for item, zone in zip(made, ("propylitic", "phyllic"), strict=True):
        item["confusion_matrix"]["labels"] = [{"name": "other"}, {"name": zone}]
    assert choose_record(main, made) is made[1]


def test_what_would_help_is_what_explanations_say_and_else_plain_rules(layers):
    areas = measure_classes(layers.main_map())
    weak, advice = tell_better(layers, areas, record(), [], [])
    assert "Of 90 tested pixels that the map names, 30 are something else (33%)." in weak
    assert not any("Tell what you know" in text for text in advice)
    weak, advice = tell_better(layers, areas, None, None, [{"sentences": ["a"], "advice": ["b"]}])
    assert weak[0] == "a" and advice[0] == "b"
    assert any("Tell what you know" in text for text in advice)
    assert any("section targets" in text for text in advice)
    _, advice = tell_better(replace(layers, joined=True), areas, None, None, [])
    assert any("page of the whole ground" in text for text in advice)
    assert not any("section targets" in text for text in advice)


def test_the_gravest_doubt_is_what_the_maps_own_explanation_says_first(layers):
    main, areas = layers.main_map(), measure_classes(layers.main_map())
    of_other = {"method": "embedding", "sensor": "", "doubts": ["of a network"]}
    told = {"method": main.method, "sensor": main.sensor, "doubts": ["grave", "less so"]}
    assert gravest_doubt(main, areas, [of_other, told]) == "grave"
    assert gravest_doubt(main, areas, [{**told, "doubts": []}]) == ""
    nearly_none = MapAreas(areas.classes[:1], 0.999, 0.0)
    assert "99.9% of the clear pixels unclassified" in gravest_doubt(main, nearly_none, [of_other])
    assert gravest_doubt(None, None, []) == ""


def test_a_term_is_explained_where_it_is_first_used_and_only_there():
    plain = make_plain({"phyllic": "white mica", "argillic": "clay"})
    assert plain("Phyllic <b> (argillic)") == (
        '<abbr title="white mica">Phyllic</abbr> (white mica) &lt;b&gt; '
        '(<abbr title="clay">argillic</abbr>, clay)'
    )
    assert plain("phyllic") == '<abbr title="white mica">phyllic</abbr>'
    assert plain("xphyllic, phyllics") == "xphyllic, phyllics"


def test_a_table_of_targets_may_be_missing(layers):
    assert read_target_rows(layers) is None

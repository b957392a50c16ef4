"""Why a mineral map is as it is, and what to try."""

import json
import re

import numpy as np
import pytest

from gossan.accuracy.clear_ground import (
    ClearGround,
    advise_on_ground,
    describe_ground,
    doubt_ground,
    measure_ground,
)
from gossan.legend import MapClass, read_classes
from gossan.maps import Ramp
from gossan.minerals.explanation import (
    RIVALS,
    Distances,
    MineralMaps,
    describe_distances,
    describe_separable,
    doubt_group,
    explain,
)
from gossan.minerals.second_pass import POOR_AGREEMENT
from gossan.raster import encode

MIXED = {"Alunite": 0.3, "Kaolinite": 0.3, "Calcite": 0.2}
ALUNITE = MapClass(1, "alunite", "Alunite", "#112233", max_angle_rad=0.1)
CALCITE = MapClass(2, "calcite", "Calcite", "#445566", max_angle_rad=0.1)
CLASSES = [ALUNITE, CALCITE]
LIMITS = {"alunite": 0.1, "calcite": 0.1}


# ---- the ground ------------------------------------------------------------------------------


def record(*, observed=1000, valid=900, ndvi_max=None, **flags):
    masked = {flag: {"pixels": 1, "share_of_observed": share} for flag, share in flags.items()}
    told = {"pixels": {"total": 1200, "observed": observed, "valid": valid}, "masked": masked}
    return told if ndvi_max is None else told | {"ndvi_max": ndvi_max}


def ground(*, plants=0.0, water=0.0, masked=0.0, named=None, ndvi_max=None):
    covers = {"plants": plants, "water": water}
    return ClearGround(masked, {"cloud": masked}, covers, named or covers, ndvi_max)


def test_shares_of_the_ground_are_of_clear_pixels_and_of_named_ones():
    codes = np.array([0, 0, 1, 2, 255], np.uint8)
    covers = {"plants": np.array([1, 0, 1, 1, 0], bool)}
    found = measure_ground(record(cloud=0.08, snow=0.0), codes, covers)
    assert found.masked == pytest.approx(0.1)
    assert found.flags == {"cloud": 0.08, "snow": 0.0}
    assert found.covers == {"plants": 0.75} and found.named == {"plants": 1.0}
    [sentence] = describe_ground(found)
    assert sentence.startswith("10.0% of the pixels with data are masked (cloud 8.0%); of the")
    assert "75.0% are green plants (NDVI above 0.3)" in sentence


def test_a_record_and_bands_that_tell_nothing_give_no_sentence():
    found = measure_ground({}, np.array([255], np.uint8), {})
    assert describe_ground(found) == doubt_ground(found) == advise_on_ground(found) == []


@pytest.mark.parametrize(
    ("found", "said", "advised"),
    [
        (ground(plants=0.88), "88.0% of the clear pixels are green plants", "cube.ndvi_max: 0.3"),
        (ground(water=0.6), "60.0% of the clear pixels are open water", "cube.polygon"),
        (ground(masked=0.7), "70.0% of the pixels with data are masked (cloud 70.0%)", "date"),
        (
            ground(plants=0.3, named={"plants": 0.7}),
            "70.0% of the pixels that the map names are green plants",
            "70.0% of the clear pixels are left",
        ),
    ],
)
def test_what_hides_the_rock_is_said_with_its_share_and_what_to_try(found, said, advised):
    [sentence] = doubt_ground(found)
    assert said in sentence
    [advice] = advise_on_ground(found)
    assert advised in advice


def test_plants_that_are_masked_already_need_no_advice_and_few_are_not_told_of():
    assert advise_on_ground(ground(plants=0.2, ndvi_max=0.3)) == []
    assert len(advise_on_ground(ground(plants=0.2, ndvi_max=0.5))) == 1
    assert doubt_ground(ground(plants=0.5, water=0.5, masked=0.5)) == []
    assert advise_on_ground(ground(plants=0.1, water=0.1)) == []


def test_little_is_expected_where_little_is_left():
    [few] = advise_on_ground(ground(plants=0.88))
    [enough] = advise_on_ground(ground(plants=0.2))
    assert "12.0% of the clear pixels are left" in few and "Expect little" in few
    assert "Expect little" not in enough
    assert "another scene" in advise_on_ground(ground(water=0.99))[0]


# ---- distances and limits --------------------------------------------------------------------


def distances(values, codes, *, group="", nearest=None, limits=None, step=0.0):
    return Distances(
        group,
        np.asarray(values, np.float32),
        np.asarray(codes, np.uint8),
        limits or LIMITS,
        None if nearest is None else np.asarray(nearest, np.uint8),
        step,
    )


def maps(*found, match="origin", areas=None, on=None, groups=(), separable=()):
    areas = areas or {0: (98, None), 1: (2, None), 2: (0, None)}
    return MineralMaps("hill", match, CLASSES, areas, on or ClearGround(), found, groups, separable)


def nearly_empty():
    """A hundred pixels of 0.09, 0.10, … rad, of which two are within the limit of 0.1."""
    values = 0.085 + np.arange(100) / 100
    codes = np.where(values <= 0.1, 1, 0)
    return distances(values, codes, nearest=np.where(np.arange(100) < 80, 2, 1))


def test_quantiles_and_the_limit_for_a_twentieth_are_those_of_the_clear_pixels():
    told = describe_distances(nearly_empty(), CLASSES)
    assert told["pixels"] == 100 and told["named"] == 0.02 and told["limit"] == [0.1, 0.1]
    assert told["quantiles"]["50"] == pytest.approx(0.58, abs=0.001)
    limit = told["limit_for_5_percent"]
    assert limit == 0.14 and (nearly_empty().values <= limit).mean() >= 0.05
    assert told["nearest_of_unclassified"] == {"calcite": 0.7959, "alunite": 0.2041}
    assert sum(told["histogram"]["counts"]) == 100
    assert len(told["histogram"]["edges"]) == len(told["histogram"]["counts"]) + 1


def limit_of(values, step=0.0):
    told = describe_distances(distances(values, np.zeros(len(values)), step=step), CLASSES)
    return told["limit_for_5_percent"]


def test_a_limit_of_two_digits_stays_what_it_is_in_single_precision():
    for thousandths in range(10, 100):
        value = thousandths / 1000
        assert limit_of([value]) == value
        assert limit_of([-value]) == -value
        assert limit_of([value + 1e-4]) == (thousandths + 1) / 1000


def test_the_limit_names_a_twentieth_though_the_map_holds_steps(tmp_path):
    layer = Ramp.of_angles(tmp_path / "angle.tif", ("angle",), 0.5).layer()

    def kept(angles):
        return encode(np.asarray(angles, np.float32), layer) * np.float32(layer.scale)

    # A pixel at 0.03404 is held as 0.0340, and is farther than 0.034.
    assert limit_of(kept([0.03404]), layer.scale) == 0.035
    assert limit_of(kept([0.03396]), layer.scale) == 0.035
    assert limit_of(kept([0.03394]), layer.scale) == 0.034
    generator = np.random.default_rng(3)
    for spread in generator.uniform(0.02, 0.5, 200):
        angles = generator.uniform(0.01, 0.01 + spread, 101)
        assert (angles <= limit_of(kept(angles), layer.scale)).mean() >= 0.05


def test_a_map_without_a_clear_pixel_is_described_all_the_same():
    told = describe_distances(distances([np.nan], [0]), CLASSES)
    assert told["pixels"] == 0 and told["quantiles"] == {} and told["histogram"] is None
    json.dumps(explain(maps(distances([np.nan], [0]), areas={0: (0, None)})), allow_nan=False)


def test_a_nearly_empty_map_says_how_far_it_is_and_which_limit_would_name_a_twentieth():
    told = explain(maps(nearly_empty()))
    said = " ".join(told["doubts"])
    assert "leaves 98.0% of the clear pixels unclassified" in said
    assert "lie more than 0.58 rad (33°) from every reference" in said
    assert "the limit is 0.10 rad (6°)" in said
    assert "unclassified pixels are nearest to calcite (79.6%), alunite (20.4%)" in said
    [limit, other] = told["advice"]
    assert "With minerals.max_angle_rad: 0.14 the map would name 5% of the clear pixels" in limit
    assert "(now 2.0%), 100.0% of them calcite" in limit
    assert "names more, and not more truly" in limit
    assert "minerals.match: scene" in other


def test_a_map_that_names_its_ground_has_neither_doubts_nor_advice():
    values = np.linspace(0.01, 0.09, 100)
    found = distances(values, np.where(np.arange(100) < 60, 1, 2))
    areas = {0: (0, None), 1: (60, None), 2: (40, None)}
    told = explain(maps(found, areas=areas))
    assert told["doubts"] == told["advice"] == told["sentences"] == []


def test_a_map_that_is_far_from_all_references_is_given_a_narrower_limit():
    values = np.linspace(0.9, 1.5, 100)
    right = {"alunite": np.pi / 2, "calcite": np.pi / 2}
    found = distances(values, np.ones(100), group="2um", limits=right)
    told = explain(maps(found, match="scene", areas={0: (0, None), 1: (100, None)}))
    [advice] = told["advice"]
    assert "minerals.max_angle_rad: 1.05" in advice and "keeps only" in advice
    kept = (values <= np.pi / 3).mean()
    assert f"{kept:.1%} of the clear pixels" in advice


@pytest.mark.parametrize(("on", "told"), [(None, True), (ground(plants=0.9), False)])
def test_bare_ground_that_is_mostly_unclassified_may_be_of_other_minerals(on, told):
    found = distances(np.full(100, 0.2), np.arange(100) < 20, group="2um")
    areas = {0: (80, None), 1: (20, None)}
    said = " ".join(explain(maps(found, match="scene", areas=areas, on=on))["advice"])
    assert ("unclassified at 2 µm is like none of the minerals sought there" in said) == told


@pytest.mark.parametrize(("named", "told"), [(96, True), (94, False)])
def test_a_map_about_the_mean_that_names_nearly_all_does_not_tell_how_much_is_altered(named, told):
    codes = np.where(np.arange(100) < named, np.arange(100) % 2 + 1, 0)
    found = distances(np.full(100, 0.4), codes, group="2um")
    areas = {0: (100 - named, None), 1: (named // 2, None), 2: (named // 2, None)}
    doubts = explain(maps(found, match="scene", areas=areas))["doubts"]
    assert any("something is always nearest" in text for text in doubts) == told


def test_a_mineral_without_a_rival_is_told_which_to_give_it():
    answers = {"shares": {"goethite": 0.5}, "unclassified": 0.5, "median_distance": 0.3}
    alone = {"notes": [], "answers": answers, "minerals": [{"name": "goethite", "records": 1}]}
    found = distances([0.3], [1], group="1um", limits={"goethite": np.pi / 2})
    told = explain(maps(found, match="scene", groups=[("1um", alone, None)]))
    assert any("no rival to goethite" in text for text in told["doubts"])
    assert any("such as hematite, jarosite" in text for text in told["advice"])


def test_rivals_are_minerals_of_their_group(root):
    groups = {
        item.name: item.group for item in read_classes(root / "resources/static/minerals.csv")
    }
    for group, names in RIVALS.items():
        assert {groups[name] for name in names} == {group}


# ---- what the bands cannot tell apart --------------------------------------------------------

ONE = [
    {"mineral": "chalcocite", "bands": "7", "one_with": "feldspar; quartz"},
    {"mineral": "feldspar", "bands": "7", "one_with": "chalcocite; quartz"},
    {"mineral": "quartz", "bands": "7", "one_with": "chalcocite; feldspar"},
    {"mineral": "calcite", "bands": "7", "one_with": "dolomite"},
    {"mineral": "dolomite", "bands": "7", "one_with": "calcite"},
]


def test_minerals_that_are_one_to_the_bands_are_named_once_a_group():
    told = describe_separable(ONE, {"feldspar": "<Feldspar>"})
    assert "With these 7 bands chalcocite, <feldspar> and quartz are one; calcite and" in told
    apart = [row | {"one_with": ""} for row in ONE]
    assert describe_separable(apart, {}).startswith("By their library records, these 7 bands can")
    assert describe_separable(ONE[:1], {}) == ""


def test_advice_on_minerals_that_are_one_names_sensors_only_where_bands_are_broad():
    advice = explain(maps(separable=ONE))["advice"]
    assert "Read calcite and dolomite as one, or keep one of them in minerals.references." in advice
    assert any("EMIT" in text for text in advice)
    fine = [row | {"bands": "200"} for row in ONE]
    assert not any("EMIT" in text for text in explain(maps(separable=fine))["advice"])


# ---- advice and the configuration ------------------------------------------------------------


def test_advice_names_keys_of_the_configuration_with_values_that_they_take(root):
    schema = json.loads((root / "workflow/schemas/config.schema.json").read_text())
    answers = {"shares": {"goethite": 0.5}, "unclassified": 0.5, "median_distance": 0.3}
    alone = {"notes": [], "answers": answers, "minerals": [{"name": "goethite", "records": 1}]}
    far = distances(
        np.linspace(1.1, 1.5, 9), np.ones(9), group="2um", limits={"alunite": np.pi / 2}
    )
    covered = ground(plants=0.6, water=0.2, masked=0.6)
    said = [
        *explain(maps(nearly_empty(), separable=ONE, on=covered))["advice"],
        *explain(maps(far, match="scene", groups=[("1um", alone, None)]))["advice"],
    ]
    found = set()
    for text in said:
        for key, value in re.findall(r"\b((?:cube|minerals)\.[a-z_]+)(?:: ([\w.]+\w))?", text):
            section, name = key.split(".")
            part = schema["$defs"]["study"]["properties"][section]["properties"][name]
            kinds = part.get("enum") or part.get("type")
            if value and isinstance(kinds, list) and "number" in kinds:
                assert float(value) > 0
            elif value:
                assert value in part["enum"]
            found.add(key)
    assert found == {
        *("cube.ndvi_max", "cube.polygon", "cube.mask", "minerals.references"),
        *("minerals.max_angle_rad", "minerals.match"),
    }


# ---- the maps of a group ---------------------------------------------------------------------


def group_maps(*, shares=MIXED, unclassified=0.2, median=0.5, notes=(), second=None):
    answers = {"shares": shares, "unclassified": unclassified, "median_distance": median}
    return "2um", {"answers": answers, "notes": list(notes)}, second


def second(*, shares=MIXED, kappa=0.6, taught=True, notes=()):
    return {
        "taught": [{"name": "alunite"}] if taught else [],
        "answers": {"shares": shares, "unclassified": 0.0 if taught else 1.0},
        "agreement_kappa": kappa,
        "compared_pixels": 75_000,
        "notes": list(notes),
    }


def test_maps_of_a_group_without_signs_are_left_in_peace():
    assert doubt_group(*group_maps(), "scene") == []
    assert doubt_group(*group_maps(second=second(notes=["59% are less sure"])), "scene") == []


@pytest.mark.parametrize("match", ["sid", "matched_filter", "ace"])
def test_distances_of_other_comparisons_are_not_judged_as_angles(match):
    assert doubt_group(*group_maps(median=2.0), match) == []
    assert len(doubt_group(*group_maps(median=2.0), "scene")) == 1


@pytest.mark.parametrize(
    ("group", "said"),
    [
        (
            group_maps(notes=["the scene is one cover"]),
            "The first map at 2 µm: the scene is one cover.",
        ),
        (
            group_maps(shares={"alunite": 0.8}),
            "no rival to alunite: that it names 80.0% of the pixels",
        ),
        (
            group_maps(second=second(taught=False, notes=["too few sure pixels: 9"])),
            "The second map at 2 µm names nothing: too few sure pixels: 9.",
        ),
        (group_maps(second=second(kappa=POOR_AGREEMENT / 2)), "(kappa 0.10 over 75,000 pixels"),
        (
            group_maps(second=second(shares={"Alunite": 0.95, "Calcite": 0.05})),
            "The second map at 2 µm calls 95.0% of the pixels that it names alunite",
        ),
    ],
)
def test_each_sign_of_a_group_is_told_with_its_number(group, said):
    [sentence] = doubt_group(*group, "scene")
    assert said in sentence

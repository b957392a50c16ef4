"""iron_labels: mixtures, references, the scan against brute force, grades, robustness, records."""

import itertools
import json

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iron_scenes import BANDS, CENTRES_UM, FWHM_UM, SPECTRA

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import References
from gossan.prospects.iron_labels import (
    COVER_NAMES,
    REFERENCES,
    SHIFTS,
    Grading,
    Scan,
    classify_angles,
    confuse,
    count_iron,
    hold_out_strata,
    make_references,
    mix_intimately,
    plain_scores,
    point_angles,
    point_record,
    robustness_rows,
    scan_rows,
    scan_steps,
    scan_thresholds,
)
from gossan.prospects.strata import Samples
from gossan.raster import BandTable

TABLE = BandTable(BANDS, CENTRES_UM, FWHM_UM)
LIMITS = (0.10, 0.12, 0.15, 0.15)


NO_POINTS = np.zeros((0, 10))


def table(*names, spectra=SPECTRA):
    reflectance = np.array([spectra[name] for name in names])
    return References(names, BANDS, np.array(CENTRES_UM), np.array(FWHM_UM), reflectance)


def make_samples(covers, strata=None, split=None, block=None):
    n = len(covers)
    text = np.full(n, "a", object)
    return Samples(
        mine=text,
        stratum=np.array(strata or ["0-100 m"] * n, object),
        cover=np.array(covers, object),
        mineral=np.array(["hematite" if cover == "ore" else "" for cover in covers], object),
        split=np.array(split or ["train"] * n, object),
        block=np.arange(n) if block is None else np.array(block),
        block_px=np.full(n, 32),
        row=np.arange(n),
        column=np.arange(n),
        ndvi=np.zeros(n),
        bsi=np.zeros(n),
        rule=np.array(covers, object),
        labelled_by=np.full(n, "indices", object),
    )


def from_library(references):
    return make_references(references, TABLE, "r.csv", NO_POINTS, make_samples([]))


@pytest.fixture
def classes(root):
    return read_classes(root / "resources/static/iron.csv")


@pytest.fixture
def covers(root):
    return read_classes(root / "resources/static/covers.csv")


def test_shipped_tables_have_the_codes_of_the_contract(classes, covers):
    assert [(item.code, item.name) for item in covers] == list(enumerate(COVER_NAMES, start=1))
    assert [item.name for item in classes] == [
        *("hematite-high", "hematite-moderate", "hematite-low"),
        *("itabirite-high", "itabirite-moderate", "itabirite-low"),
        "negative",
    ]
    assert [item.code for item in classes] == list(range(1, 8))


def test_mixture_of_one_mineral_is_that_mineral():
    hematite = np.array(SPECTRA["hematite"])
    assert mix_intimately([hematite, hematite], [0.3, 0.7]) == pytest.approx(hematite)
    assert mix_intimately([np.array([1.0]), np.array([0.0])], [1, 0]) == pytest.approx([1.0])


def test_mixture_is_that_of_albedos_and_darker_than_areas():
    # r = 0.5: w = 1 - (1/3)^2 = 8/9; r = 0.1: w = 1 - (9/11)^2 = 40/121.
    albedo = 0.5 * 8 / 9 + 0.5 * 40 / 121
    gamma = np.sqrt(1 - albedo)
    mixed = mix_intimately([np.array([0.5]), np.array([0.1])], [0.5, 0.5])
    assert mixed == pytest.approx([(1 - gamma) / (1 + gamma)])
    assert mixed[0] < 0.3


def test_references_come_from_the_library_first():
    spectra = from_library(table("hematite", "quartz", "soil", "vegetation"))
    assert spectra.source[0] == spectra.source[2] == spectra.source[3] == "library"
    assert spectra.source[1] == "intimate mixture (hematite 0.37, quartz 0.63)"
    assert spectra.reflectance[0] == pytest.approx(SPECTRA["hematite"])
    itabirite = spectra.reflectance[1]
    assert (itabirite > SPECTRA["hematite"]).all()
    assert (itabirite < SPECTRA["quartz"]).all()
    own = {**SPECTRA, "itabirite": SPECTRA["quartz"], "green_vegetation": SPECTRA["vegetation"]}
    names = ("hematite", "itabirite", "soil", "green_vegetation")
    spectra = from_library(table(*names, spectra=own))
    assert set(spectra.source) == {"library"}
    assert spectra.reflectance[1] == pytest.approx(SPECTRA["quartz"])


def test_covers_that_the_library_lacks_are_means_of_samples():
    samples = make_samples(["ore", "soil", "soil", "vegetation", "mixed"])
    points = np.arange(50, dtype=np.float32).reshape(5, 10) / 100 + 0.1
    spectra = make_references(table("hematite", "quartz"), TABLE, "r.csv", points, samples)
    assert spectra.reflectance[2] == pytest.approx(points[1:3].mean(axis=0))
    assert spectra.reflectance[3] == pytest.approx(points[3])
    assert spectra.source[2] == "mean of the training samples"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("quartz", "soil", "vegetation"), r"r\.csv: has no spectrum of hematite"),
        (("hematite", "soil", "vegetation"), r"r\.csv: has no spectrum of itabirite"),
        (("hematite", "quartz", "soil"), "no spectrum of vegetation, and no training sample"),
    ],
)
def test_references_that_cannot_be_had_are_named(names, message):
    samples = make_samples(["mixed", "soil"])
    with pytest.raises(InputError, match=message):
        make_references(table(*names), TABLE, "r.csv", np.ones((2, 10)), samples)


def test_without_a_table_all_are_means_of_samples():
    samples = make_samples(["ore", "ore", "soil", "vegetation", "mixed"])
    samples.mineral[1] = "itabirite"
    points = np.arange(50, dtype=np.float32).reshape(5, 10) / 100 + 0.1
    spectra = make_references(None, TABLE, "samples.gpkg", points, samples)
    assert spectra.reflectance == pytest.approx(points[:4])
    assert set(spectra.source) == {"mean of the training samples"}


def test_angles_of_points_are_the_definition():
    spectra = from_library(table("hematite", "quartz", "soil", "vegetation"))
    points = np.random.default_rng(1).random((40, 10), np.float32) + 0.01
    unit = spectra.reflectance / np.linalg.norm(spectra.reflectance, axis=1, keepdims=True)
    cosine = (points / np.linalg.norm(points, axis=1, keepdims=True)) @ unit.T
    assert point_angles(points, spectra) == pytest.approx(np.arccos(cosine), abs=2e-6)
    points[3, 2] = np.nan
    with pytest.raises(InputError, match="1 samples lie where the cube has no data"):
        point_angles(points, spectra)


def test_cover_is_that_of_the_nearest_reference_within_its_limit():
    angles = np.float32(
        [
            [0.05, 0.06, 0.20, 0.30],
            [0.20, 0.11, 0.14, 0.30],
            [0.11, 0.13, 0.14, 0.30],
            [0.30, 0.30, 0.16, 0.15],
            [0.11, 0.13, 0.16, 0.16],
            [0.10, 0.10, 0.10, 0.10],
        ]
    )
    said = [COVER_NAMES[place] for place in classify_angles(angles, LIMITS)]
    assert said == ["ore", "ore", "soil", "vegetation", "mixed", "ore"]


# The first call compiles.
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 60))
def test_scan_is_brute_force(seed, n):
    generator = np.random.default_rng(seed)
    angles = generator.random((n, 4)).astype(np.float32) * 0.3
    # Some angles lie exactly on a threshold.
    angles[: n // 2] = np.round(angles[: n // 2] / 0.02) * np.float32(0.02)
    truth = generator.integers(0, 4, n)
    steps = (np.array([0.04, 0.1]), np.array([0.12]), np.array([0.06, 0.2]), np.array([0.02, 0.16]))
    scan = scan_thresholds(angles, truth, steps)
    for at in itertools.product(*(range(len(step)) for step in steps)):
        limits = [step[place] for step, place in zip(steps, at, strict=True)]
        counts = confuse(truth, classify_angles(angles, limits))
        expected = plain_scores(counts)
        assert scan.macro_f1[at] == pytest.approx(expected["macro_f1"], abs=1e-6)
        assert scan.ore_false[at] == expected["ore_false_positives"]


def test_of_equal_scores_the_fewest_wrong_ores_win():
    steps = tuple(np.array([0.02, 0.04]) for _ in REFERENCES)
    macro_f1, wrong = np.full((2,) * 4, 0.5), np.full((2,) * 4, 9)
    macro_f1[1, 1, 1, 1], wrong[1, 1, 1, 1] = 0.700, 6
    macro_f1[1, 0, 1, 0], wrong[1, 0, 1, 0] = 0.691, 2
    macro_f1[0, 0, 1, 0], wrong[0, 0, 1, 0] = 0.689, 0
    assert Scan(steps, macro_f1, wrong).best == (1, 0, 1, 0)
    wrong[:] = 0
    assert Scan(steps, macro_f1, wrong).best == (1, 1, 1, 1)
    assert Scan(steps, np.ones((2,) * 4), wrong).limits == (0.02,) * 4


def test_steps_are_hundredths_of_radians_or_what_is_fixed():
    steps = scan_steps({"itabirite": 0.12})
    assert steps[0].tolist() == [round(0.02 * n, 2) for n in range(1, 21)]
    assert steps[1].tolist() == [0.12]
    with pytest.raises(InputError, match="max-angle-rad: goethite is none of hematite"):
        scan_steps({"goethite": 0.1})
    for wrong in (0.0, -0.1, 2.0, np.nan):
        with pytest.raises(InputError, match="max-angle-rad: soil="):
            scan_steps({"soil": wrong})


def test_table_of_the_scan_has_every_step_and_marks_the_chosen():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 4, 200)
    angles = generator.random((200, 4)).astype(np.float32) * 0.5
    for place, own in enumerate(truth):
        if own < 3:
            angles[place, own + 1 if own else generator.integers(2)] *= 0.2
    scan = scan_thresholds(angles, truth, scan_steps({}))
    rows = scan_rows(scan, truth)
    assert len(rows) == 80
    chosen = {
        row["reference"]: float(row["threshold_rad"]) for row in rows if row["chosen"] == "yes"
    }
    assert tuple(chosen[name] for name in REFERENCES) == scan.limits
    said = classify_angles(angles, scan.limits)
    scores = plain_scores(confuse(truth, said))
    for row in rows:
        assert float(row["macro_f1"]) <= float(row["best_macro_f1"]) <= scan.macro_f1.max() + 1e-6
        if row["chosen"] == "yes":
            assert float(row["macro_f1"]) == pytest.approx(scores["macro_f1"], abs=1e-6)
            assert row["ore_false_positives"] == scores["ore_false_positives"]


def test_held_out_strata_see_neither_their_thresholds_nor_their_spectra():
    generator = np.random.default_rng(6)
    covers = [*["ore"] * 12, *["soil", "vegetation", "mixed"] * 16]
    strata = [*["ore"] * 12, *["0-100 m"] * 24, *["100-200 m"] * 24]
    samples = make_samples(covers, strata)
    points = np.array(
        [
            {
                "ore": np.array(SPECTRA["hematite"]),
                "soil": np.array(SPECTRA["soil"]),
                "vegetation": np.array(SPECTRA["vegetation"]),
                "mixed": np.add(SPECTRA["soil"], SPECTRA["vegetation"]) / 2,
            }[cover]
            for cover in covers
        ]
    ) + generator.normal(0, 0.005, (60, 10))
    seen = []

    def make(own_points, own):
        seen.append((len(own_points), set(own.stratum)))
        return make_references(table("hematite", "quartz"), TABLE, "r.csv", own_points, own)

    rows = hold_out_strata(samples, points.astype(np.float32), scan_steps({}), make)
    assert seen == [(30, {"ore", "100-200 m"}), (30, {"ore", "0-100 m"})]
    assert [row["stratum"] for row in rows] == ["0-100 m", "100-200 m", "all"]
    assert [row["n"] for row in rows] == [30, 30, 60]
    assert rows[2]["macro_f1"] > 0.9
    one = make_samples(["ore", "soil"], ["ore", "0-100 m"])
    assert hold_out_strata(one, points[:2], scan_steps({}), make) == []


def test_scores_without_points_of_a_class_are_none():
    counts = np.zeros((4, 4), np.int64)
    counts[0, 0] = 3
    scores = plain_scores(counts)
    assert scores["f1_soil"] is None
    assert scores["ore_false_positive_share"] is None
    assert scores["macro_f1"] == 1.0


def test_a_pixel_at_the_papers_threshold_has_the_least_grade(classes):
    grading = Grading.of(None, (0.9, 0.8, 0.7), classes)
    assert grading.theta_max_rad == pytest.approx((0.1 / 0.3, 0.4, 0.5, 0.5))
    angles = np.full((4, 1, 5), 1.0, np.float32)
    angles[0, 0] = [0.0333, 0.0334, 0.0667, 0.0999, 0.1001]
    codes = grading.classify(angles, grading.similarity(angles))
    assert codes.tolist() == [[1, 2, 3, 3, 7]]


def test_grades_follow_the_similarity_of_the_nearest_mineral(classes):
    grading = Grading.of(1.0, (0.9, 0.8, 0.7), classes)
    angles = np.float32(
        [
            [0.05, 0.15, 0.25, 0.35, 0.5, 0.5, 0.5, 0.06, np.nan, 0.05],
            [0.50, 0.50, 0.50, 0.50, 0.05, 0.15, 0.29, 0.07, np.nan, 0.5],
            [0.60, 0.60, 0.60, 0.60, 0.60, 0.60, 0.60, 0.05, np.nan, 0.6],
            [0.60, 0.60, 0.60, 0.60, 0.60, 0.60, 0.60, 0.60, np.nan, 0.6],
        ]
    )[:, np.newaxis]
    similarity = grading.similarity(angles)
    assert similarity[0, 0, :2] == pytest.approx([0.95, 0.85])
    hosting = np.ones((1, 10), bool)
    hosting[0, 9] = False
    codes = grading.classify(angles, similarity, hosting)
    assert codes.tolist() == [[1, 2, 3, 7, 4, 5, 6, 7, 255, 7]]
    assert grading.classify(angles, similarity)[0, 9] == 1


@pytest.mark.parametrize(
    ("theta_max", "grades", "message"),
    [
        (None, (0.7, 0.8, 0.9), "grades: give three"),
        (None, (1.0, 0.8, 0.7), "grades: give three"),
        (0.0, (0.9, 0.8, 0.7), "theta-max-rad: 0 "),
        (2.0, (0.9, 0.8, 0.7), "theta-max-rad: 2 "),
    ],
)
def test_gradings_out_of_range_are_refused(classes, theta_max, grades, message):
    with pytest.raises(InputError, match=message):
        Grading.of(theta_max, grades, classes)


def test_a_table_without_a_grade_is_refused(classes):
    with pytest.raises(InputError, match="classes: lack negative"):
        Grading.of(None, (0.9, 0.8, 0.7), classes[:-1])


def test_thresholds_are_shifted_one_by_one_and_together():
    limits = (0.10, 0.01, 0.15, 0.15)
    assert len(SHIFTS) == 11
    assert SHIFTS[0].limits(limits) == limits
    assert SHIFTS[1].reference == "all"
    assert SHIFTS[1].limits(limits) == (0.08, 0.0, 0.13, 0.13)
    assert SHIFTS[4].reference == "hematite"
    assert SHIFTS[4].limits(limits) == (0.12, 0.01, 0.15, 0.15)


@pytest.mark.parametrize("theta_max", [None, 0.06])
def test_iron_pixels_of_each_shift_are_those_of_its_grades(classes, theta_max):
    generator = np.random.default_rng(8)
    angles = (generator.random((4, 50, 60)) * 0.4).astype(np.float32)
    angles[:, :3] = np.nan
    hosting = generator.random((50, 60)) < 0.7
    grading = Grading.of(theta_max, (0.9, 0.8, 0.7), classes)
    counts = count_iron(angles, hosting, grading, SHIFTS)
    codes = grading.classify(angles, grading.similarity(angles), hosting)
    assert counts[0] == ((codes >= 1) & (codes <= 6)).sum()
    # A grade ends at 0.3 of theta_max.
    ends = [0.3 * widest for widest in grading.theta_max_rad[:2]]
    nearest = np.where(np.isfinite(angles), angles, 9).argmin(axis=0)
    for shift, count in zip(SHIFTS, counts, strict=True):
        expected = 0
        for place, end in enumerate(ends):
            moves = shift.reference in ("all", REFERENCES[place])
            limit = end + (shift.step_rad if moves else 0)
            expected += ((angles[place] <= limit) & (nearest == place) & hosting).sum()
        assert count == expected


def test_robustness_has_a_row_per_shift_and_split():
    generator = np.random.default_rng(9)
    truth = generator.integers(0, 4, 40)
    angles = generator.random((40, 4)).astype(np.float32) * 0.3
    split = np.array(["train", "train", "test", "train"] * 10, object)
    rows = robustness_rows(LIMITS, angles, truth, split, range(11), 100)
    assert len(rows) == 22
    own = split == "test"
    expected = plain_scores(confuse(truth[own], classify_angles(angles[own], LIMITS)))
    row = next(row for row in rows if row["reference"] == "none" and row["split"] == "test")
    assert row["n"] == 10
    assert row["macro_f1"] == expected["macro_f1"]
    assert [row["iron_share"] for row in rows][-1] == "0.100000"


def test_record_keeps_the_schema(root, covers):
    generator = np.random.default_rng(10)
    said = generator.integers(0, 4, 80)
    samples = make_samples(
        [COVER_NAMES[place] for place in generator.integers(0, 4, 80)],
        block=generator.integers(0, 12, 80),
    )
    record = point_record(
        samples, said, covers, scene="s", file="a.gpkg", synthetic=True, replicates=200, seed=1
    )
    schema = json.loads((root / "workflow/schemas/accuracy.schema.json").read_text())
    jsonschema.validate({"study": "bahia", "records": [record]}, schema)
    truth = np.array([COVER_NAMES.index(name) for name in samples.cover])
    expected = plain_scores(confuse(truth, said))
    assert record["scores"]["macro_f1"]["value"] == expected["macro_f1"]
    assert record["scores"]["kappa"]["value"] == expected["kappa"]
    assert record["scores"]["macro_f1"]["low"] < expected["macro_f1"]
    assert "indices" in record["reference"]["note"]
    samples.block_px[0] = 16
    with pytest.raises(InputError, match=r"a\.gpkg: has no test points of one size of block"):
        point_record(
            samples, said, covers, scene="s", file="a.gpkg", synthetic=True, replicates=200, seed=1
        )

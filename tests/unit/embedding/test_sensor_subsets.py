"""Missing sensors: all sets, how far embeddings move, and rates with the sets' own thresholds."""

import numpy as np
import pytest
from detector_scenes import MINERALS, small_bands

from gossan.cube.bands import SENSORS, StackBands
from gossan.embedding.detection import Pixels, choose_thresholds, rate
from gossan.embedding.detectors import score_spectra
from gossan.embedding.sensor_subsets import (
    assess_subsets,
    compare_embeddings,
    join_sensors,
    sensor_sets,
    whole_pixels,
)

BANDS, _ = small_bands()
FIVE = StackBands(
    tuple(name for name in SENSORS[:5] for _ in range(2)),
    ("B1", "B2") * 5,
    (0.5, 2.2) * 5,
    (0.01,) * 10,
)


def spectra_of(bands, count=60, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(0.1, 0.6, (count, len(bands))).astype(np.float32)


def test_five_sensors_make_31_sets_and_30_lack_one():
    sets = sensor_sets(SENSORS[:5])
    assert sets.shape == (31, 5)
    assert len(np.unique(sets, axis=0)) == 31
    assert (np.diff(sets.sum(axis=1)) >= 0).all()
    assert sets[-1].all()
    some = sensor_sets(SENSORS, ("emit", "worldview3"))
    assert sensor_sets(("aster",)).tolist() == [[True]]
    assert [join_sensors(SENSORS, kept) for kept in some] == [
        "emit",
        "worldview3",
        "emit+worldview3",
    ]


def test_of_more_sensors_small_sets_and_the_loss_of_one_are_told():
    seven = SENSORS[:7]
    sets = sensor_sets(seven)
    assert sets.shape == (36, 7)
    assert len(np.unique(sets, axis=0)) == 36
    assert (np.diff(sets.sum(axis=1)) >= 0).all()
    assert np.bincount(sets.sum(axis=1)).tolist() == [0, 7, 21, 0, 0, 0, 7, 1]
    assert sets[-1].all()
    # What counts is how many sensors saw anything.
    assert len(sensor_sets(seven, seven[:5])) == 31


def test_the_table_has_30_combinations_with_five_best_and_worst():
    spectra = spectra_of(FIVE)
    labels = np.arange(60) % 3
    rows = compare_embeddings(lambda own: own, FIVE, spectra, labels, ("a", "b"))
    for mineral in ("a", "b"):
        own = [row for row in rows if row["mineral"] == mineral]
        assert len({row["missing"] for row in own}) == len(own) == 30
        assert sorted(row["cosine_rank"] for row in own) == list(range(1, 31))
        ordered = sorted(own, key=lambda row: row["cosine_rank"])
        assert [row["mark"] for row in ordered] == ["best"] * 5 + [""] * 20 + ["worst"] * 5
        cosines = [float(row["cosine"]) for row in ordered]
        assert cosines == sorted(cosines, reverse=True)
        assert all(row["n"] == 20 for row in own)


def test_similarity_and_distance_are_means_over_pixels():
    spectra, labels = spectra_of(FIVE), np.ones(60, int)
    (row,) = (
        row
        for row in compare_embeddings(lambda own: own, FIVE, spectra, labels, ("a",))
        if row["missing"] == "enmap+worldview3"
    )
    left = spectra.astype(float)
    left[:, [2, 3, 8, 9]] = 0
    lengths = np.linalg.norm(spectra, axis=1) * np.linalg.norm(left, axis=1)
    cosine = (spectra * left).sum(axis=1) / lengths
    assert float(row["cosine"]) == pytest.approx(cosine.mean(), abs=2e-6)
    distance = np.linalg.norm(spectra - left, axis=1).mean()
    assert float(row["euclidean"]) == pytest.approx(distance, abs=2e-6)


def test_an_embedding_that_is_blind_to_a_sensor_does_not_move():
    kept = FIVE.part("emit")
    rows = compare_embeddings(
        lambda own: own[:, kept], FIVE, spectra_of(FIVE), np.ones(60, int), ("a",)
    )
    for row in rows:
        moved = "emit" in row["missing"].split("+")
        assert float(row["cosine"]) == (0 if moved else 1)
        assert (float(row["euclidean"]) > 0) == moved


def test_minerals_without_pixels_have_no_rows():
    labels = np.full(60, 2)
    rows = compare_embeddings(lambda own: own, FIVE, spectra_of(FIVE), labels, ("a", "b"))
    assert {row["mineral"] for row in rows} == {"b"}
    assert compare_embeddings(lambda own: own, FIVE, spectra_of(FIVE), 0 * labels, ("a",)) == []


class Brightest:
    """Distance by the mean of what is left of each sensor; mineral k is as bright as k + 1."""

    minerals = MINERALS

    def scores(self, spectra, present):
        left = BANDS.present_bands(present)
        mean = np.divide(
            spectra.sum(axis=1),
            left.sum(axis=1),
            out=np.full(len(spectra), np.nan),
            where=left.any(axis=1),
        )
        return np.abs(mean[:, None] - np.array([1, 2, 3])).astype(np.float32)


def pixels_of(noise, count=600):
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 4, count)
    spectra = np.repeat(truth[:, None], len(BANDS), axis=1) + generator.normal(
        0, noise, (count, len(BANDS))
    )
    block = np.arange(count) // 20
    return Pixels(
        spectra.astype(np.float32),
        np.ones((count, len(BANDS.sensors)), bool),
        truth,
        block,
        block % 2 == 0,
        np.ones(count),
    )


def assess(pixels, **options):
    return assess_subsets(
        {"sam": Brightest()}, BANDS, pixels, replicates=100, seed=1, threads=2, **options
    )


def test_a_perfect_detector_finds_all_with_every_set():
    rows = assess(pixels_of(0.01))
    assert len(rows) == 7 * 2 * 4
    assert all(float(row["f1"]) == 1 for row in rows)
    assert {row["threshold_kind"] for row in rows} == {"validation", "full"}
    assert {row["mineral"] for row in rows} == {*MINERALS, "macro"}
    assert all(row["n"] == 300 for row in rows)


def test_thresholds_are_of_the_same_set_or_of_all_sensors():
    pixels = pixels_of(1.5)
    rows = assess(pixels)
    chosen = {
        (row["sensors"], row["threshold_kind"]): row
        for row in rows
        if row["mineral"] == MINERALS[1]
    }
    every = "+".join(BANDS.sensors)
    full = {row["threshold"] for (_, kind), row in chosen.items() if kind == "full"}
    assert full == {chosen[every, "validation"]["threshold"]}
    kept = np.tile(np.isin(BANDS.sensors, ["sentinel2"]), (600, 1))
    left = np.where(BANDS.present_bands(kept), pixels.spectra, np.float32(0))
    scores = score_spectra(Brightest(), left, kept)
    held, test = ~pixels.is_test, pixels.is_test
    limits = choose_thresholds(scores[held], pixels.truth[held], pixels.weight[held])
    own = chosen["sentinel2", "validation"]
    assert own["threshold"] == f"{limits[1]:.6f}"
    rates = rate(
        scores[test],
        limits,
        pixels.truth[test],
        pixels.block[test],
        pixels.weight[test],
        100,
        1,
    )
    assert own["f1"] == f"{rates.f1[0, 1]:.6f}"
    assert own["f1_low"] == f"{rates.f1[1, 1]:.6f}"


def test_a_sensor_that_is_absent_everywhere_is_left_out_of_the_sets():
    pixels = pixels_of(0.01)
    place = BANDS.sensors.index("sentinel2")
    pixels.present[:, place] = False
    pixels.present[:50, 0] = False
    whole, available = whole_pixels(pixels, BANDS)
    assert available == ("emit", "worldview3")
    assert len(whole) == 550
    rows = assess(whole, available=available)
    assert {row["sensors"] for row in rows} == {"emit", "worldview3", "emit+worldview3"}
    moved = compare_embeddings(
        lambda own: own, BANDS, whole.spectra, whole.truth, MINERALS, available
    )
    assert {row["missing"] for row in moved} == {"emit", "worldview3"}


def test_pixels_of_no_overlap_are_none():
    pixels = pixels_of(0.01)
    pixels.present[:300, 0] = False
    pixels.present[300:, 1] = False
    whole, available = whole_pixels(pixels, BANDS)
    assert len(whole) == 0 and available == BANDS.sensors

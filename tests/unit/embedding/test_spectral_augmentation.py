import tracemalloc

import numpy as np
import pytest

from gossan.cube.bands import lay_out
from gossan.embedding.spectral_augmentation import (
    Augmentation,
    Augmenter,
    mask_sensors,
    stream_batches,
)
from gossan.embedding.training_spectra import read_training
from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.raster import BandTable

OFF = {
    "gain": 0,
    "slope": 0,
    "depth": 0,
    "mixing": 0,
    "water": 0,
    "haze": 0,
    "steps": 0,
    "noise": {},
    "shift_nm": {},
}
TARGETS = ("alunite", "calcite")


@pytest.fixture(scope="module")
def bands():
    narrow = np.arange(0.42, 2.4, 0.02)
    tables = {
        "emit": BandTable(
            tuple(f"B{place:03d}" for place in range(len(narrow))),
            tuple(narrow.tolist()),
            (0.0085,) * len(narrow),
        ),
        "sentinel2": BandTable(("B2", "B4"), (0.4927, 0.6646), (0.064, 0.03)),
        "worldview3": BandTable(("C", "S5"), (0.427, 2.1642), (0.04, 0.04)),
    }
    return lay_out(tables)[0]


@pytest.fixture(scope="module")
def training(root):
    classes = [
        item
        for item in read_classes(root / "resources/static/minerals.csv")
        if item.name in TARGETS
    ]
    return read_training([root / "resources/static/analytic_library.csv"], classes)


@pytest.fixture(scope="module")
def make(training, bands):
    return lambda **changes: Augmenter(training, bands, Augmentation(**(OFF | changes)))


def one(augmenter, name, times=400, seed=0):
    record = augmenter.labels.tolist().index(augmenter.names.index(name))
    found = augmenter.augment(np.full(times, record), np.random.default_rng(seed))
    return found, augmenter.pure[record]


def test_without_changes_the_spectrum_is_the_pure_one(make):
    found, pure = one(make(), "alunite", times=3)
    assert found.dtype == np.float32
    assert np.allclose(found, pure, atol=2e-4)


def test_light_scales_a_spectrum_and_keeps_its_shape(make):
    found, pure = one(make(gain=0.3), "calcite")
    factor = found / pure
    assert np.ptp(factor, axis=1).max() < 1e-3
    assert np.log(factor[:, 0]).std() == pytest.approx(0.3, rel=0.15)


def test_a_slope_tilts(make, bands):
    found, pure = one(make(slope=0.1), "calcite")
    factor = found / pure
    far = np.array(bands.centre_um) - 1.4
    # Opposite ends move in opposite directions, the middle stays.
    assert np.corrcoef(factor[:, 0], factor[:, bands.part("emit")][:, -1])[0, 1] < -0.99
    assert factor[:, np.abs(far).argmin()].std() < 0.012


def test_grains_deepen_absorptions_and_leave_the_continuum(make, training, bands):
    found, pure = one(make(depth=0.5), "alunite")
    own = training.take([training.minerals.index("alunite")])
    emit = bands.part("emit")
    channel = np.array(bands.centre_um[emit])
    hull = np.interp(channel, np.arange(350, 2503, 4) / 1000, own.continuum()[0])
    quotient = np.log(pure[emit] / hull)
    deepest = quotient.argmin()
    assert np.ptp(np.log(found[:, emit][:, deepest])) > 0.3
    shallow = quotient > -0.002
    assert shallow.any()
    assert np.abs(found[:, emit][:, shallow] / pure[emit][shallow] - 1).max() < 0.01
    # Depth k makes (R/C) into (R/C)^k: all absorptions grow by one exponent.
    exponent = np.log(found[:, emit] / hull) / quotient
    deep = quotient < -0.1
    assert (exponent[:, deep].std(axis=1) < 0.05).all()


def test_mixing_stays_within_its_share(make):
    augmenter = make(mixing=0.4)
    found, pure = one(augmenter, "alunite")
    assert 0.35 < np.isclose(found, pure, atol=2e-4).all(axis=1).mean() < 0.65
    lowest = 0.6 * pure
    highest = 0.6 * pure + 0.4 * augmenter.pure.max(axis=0)
    assert (found >= lowest - 1e-3).all()
    assert (found <= np.maximum(highest, pure) + 1e-3).all()


def test_water_absorbs_in_its_bands_alone(make, bands):
    found, pure = one(make(water=0.1), "calcite")
    spread = (found / pure).std(axis=0)
    centre = np.array(bands.centre_um)
    assert (
        spread[np.abs(centre - 0.82) < 0.02].max() > 10 * spread[np.abs(centre - 0.66) < 0.03].max()
    )


def test_haze_adds_blue_light(make):
    found, pure = one(make(haze=0.02), "calcite")
    added = (found - pure).mean(axis=0)
    assert added[0] > 3 * added[-1] > 0


def test_noise_is_that_of_each_sensor(make, bands):
    found, pure = one(make(noise={"emit": 0.001, "worldview3": 0.01}), "calcite", times=2000)
    spread = (found - pure).std(axis=0)
    assert np.allclose(spread[bands.part("emit")], 0.001, rtol=0.15)
    assert np.allclose(spread[bands.part("worldview3")], 0.01, rtol=0.15)
    assert spread[bands.part("sentinel2")].max() < 1e-5


def test_shifts_move_one_sensor_along_the_spectrum(make, bands):
    found, pure = one(make(shift_nm={"emit": 2.0}), "alunite")
    change = found - pure
    assert np.abs(change[:, bands.part("sentinel2")]).max() < 1e-5
    emit = bands.part("emit")
    slope = np.gradient(pure[emit], np.array(bands.centre_um[emit]))
    steep = np.abs(slope).argmax()
    expected = abs(slope[steep]) * 0.002
    assert change[:, emit][:, steep].std() == pytest.approx(expected, rel=0.5)


def test_masks_take_at_most_so_many_and_never_all():
    generator = np.random.default_rng(0)
    filled = np.ones((5000, 5), bool)
    filled[:100, 2:] = False
    filled[100:200] = False
    left = mask_sensors(filled, 4, generator)
    assert not (left & ~filled).any()
    assert left[200:].any(axis=1).all()
    assert left[:100].any(axis=1).all()
    taken = 5 - left[200:].sum(axis=1)
    # n ~ U{0..4}
    assert np.abs(np.bincount(taken, minlength=5) / 4800 - 0.2).max() < 0.03
    assert np.ptp(left[200:].mean(axis=0)) < 0.05
    assert np.array_equal(mask_sensors(filled, 0, generator), filled)


def stream(augmenter, **changes):
    settings = {"triplets": 300, "batch": 64, "max_masked": 2, "seed": 5}
    return stream_batches(augmenter, TARGETS, **(settings | changes))


def test_triplets_are_what_the_paper_says(training, bands):
    augmenter = Augmenter(training, bands, Augmentation())
    seen = 0
    half = []
    for batch in stream(augmenter):
        count = len(batch.labels)
        seen += count
        assert batch.anchor.shape == batch.positive.shape == (count, len(bands))
        assert batch.anchor.dtype == batch.positive.dtype == np.float32
        assert np.array_equal(augmenter.labels[batch.records], batch.labels)
        # Anchors are pure, bar the sensors taken away.
        kept = batch.anchor > 0
        assert np.array_equal(batch.anchor[kept], augmenter.pure[batch.records][kept])
        assert (batch.labels[batch.negative] != batch.labels).all()
        for spectra in (batch.anchor, batch.positive):
            there = np.stack(
                [(spectra[:, bands.part(name)] > 0) for name in ("sentinel2", "worldview3")]
            )
            assert (there.all(axis=-1) == there.any(axis=-1)).all()
            assert (spectra > 0).any(axis=1).all()
        half += [augmenter.names[label] in TARGETS for label in batch.labels]
    assert seen == 300
    assert 0.4 < np.mean(half) < 0.7


def test_each_spectrum_of_a_triplet_may_lose_sensors_of_its_own(training, bands):
    augmenter = Augmenter(training, bands, Augmentation())
    batches = list(stream(augmenter, triplets=400, batch=400, max_masked=1, masks="each"))
    sensors = [bands.part(name) for name in bands.sensors]
    anchor, positive = (
        np.stack([(part[:, own] > 0).any(axis=1) for own in sensors], axis=1)
        for part in (batches[0].anchor, batches[0].positive)
    )
    for present in (anchor, positive):
        assert present.any(axis=1).all()
        assert 0.4 < (~present).any(axis=1).mean() < 0.6
    # Half of those that lose one lose another than their partner.
    both = (~anchor).any(axis=1) & (~positive).any(axis=1)
    assert 0.3 < (anchor[both] == positive[both]).all(axis=1).mean() < 0.7


def test_the_same_seed_gives_the_same_batches(training, bands):
    augmenter = Augmenter(training, bands, Augmentation())
    first, second, other = (list(stream(augmenter, seed=seed)) for seed in (1, 1, 2))
    for one_batch, own in zip(first, second, strict=True):
        assert np.array_equal(one_batch.positive, own.positive)
    assert not np.array_equal(first[0].positive, other[0].positive)
    for batch in stream(augmenter, max_masked=0):
        filled = augmenter.bands.present_bands(augmenter.filled[batch.records])
        assert np.array_equal(batch.anchor > 0, filled)


def test_memory_does_not_grow_with_the_number_asked_for(training, bands):
    augmenter = Augmenter(training, bands, Augmentation())
    peaks = []
    for triplets in (256, 256, 4096):
        tracemalloc.start()
        for _ in stream(augmenter, triplets=triplets, batch=128):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]


def test_one_mineral_alone_is_refused(training, bands):
    alone = training.take([training.minerals.index("alunite")])
    augmenter = Augmenter(alone, bands, Augmentation())
    with pytest.raises(InputError, match="alunite: is the only mineral"):
        next(stream_batches(augmenter, ["alunite"], triplets=4, batch=4, max_masked=0, seed=0))


@pytest.mark.parametrize("changes", [{"gain": -1}, {"water": 3}, {"mixing": 1.0}])
def test_strengths_without_meaning_are_refused(changes):
    with pytest.raises(InputError, match=next(iter(changes))):
        Augmentation(**changes)

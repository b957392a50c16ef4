import numpy as np
import pytest

from gossan.accuracy.temperature import fit_temperature, log_loss, measure_reliability, soften


def make_logits(n, temperature, classes=2, seed=3):
    """Logits `temperature` times too large, and labels drawn by the right probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (n, classes))
    chances = soften(logits)
    labels = (generator.random((n, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    return logits * temperature, labels.clip(0, classes - 1)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_temperature_is_found_and_lowers_the_loss(classes, temperature):
    logits, labels = make_logits(20_000, temperature, classes)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    before, after = soften(logits), soften(logits, found)
    assert log_loss(after, labels) <= log_loss(before, labels) + 1e-6
    assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
    assert measure_reliability(after, labels).error < 0.02


def test_a_small_sample_without_errors_does_not_make_a_network_infinitely_sure():
    labels = np.array([0, 1] * 10)
    logits = np.where(labels[:, None] == np.arange(2), 3.0, -3.0)
    assert 0.8 < fit_temperature(logits, labels) < 1


def test_reliability_by_hand():
    chances = np.array([[0.95, 0.05], [0.95, 0.05], [0.3, 0.7], [1.0, 0.0]])
    found = measure_reliability(chances, np.array([0, 1, 1, 0]))
    assert found.count.tolist() == [0] * 6 + [1, 0, 0, 3]
    assert found.accuracy[9] == pytest.approx(2 / 3)
    assert np.isnan(found.accuracy[0])
    gap = abs((0.95 + 0.95 + 1) / 3 - 2 / 3)
    assert found.error == pytest.approx((0.3 + 3 * gap) / 4)
    with pytest.raises(ValueError, match="no images"):
        measure_reliability(np.zeros((0, 2)), np.zeros(0, int))


def test_soften_survives_large_logits():
    assert soften(np.array([[1000.0, 0.0]]))[0].tolist() == [1.0, 0.0]

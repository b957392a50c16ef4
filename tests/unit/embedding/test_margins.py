import numpy as np
import pytest

from gossan.embedding.margins import FEWEST, least_margin, library_margin, margins


def test_a_margin_is_the_way_from_the_nearest_to_the_second():
    scores = np.array([[0.5, 0.2, 0.9], [0.1, 0.1, 0.3]], np.float32)
    assert margins(scores) == pytest.approx([0.3, 0.0])


def test_the_library_asks_for_the_margin_above_which_nine_of_ten_are_right():
    # The surest nine are right, then right and wrong in turns.
    margin = np.linspace(1, 0.05, 20)
    scores = np.stack([np.full(20, 0.1), 0.1 + margin], axis=1)
    truth = np.array([1] * 9 + [2, 1] * 5 + [2])
    found = library_margin(scores, truth)
    kept = margin >= found - 1e-9
    assert (truth[kept] == 1).mean() >= 0.9
    assert kept.sum() == 11
    assert library_margin(scores, np.zeros(20, int)) == np.inf


def test_a_scene_is_named_by_its_own_spread_and_a_few_spectra_by_the_librarys():
    own = np.linspace(0, 1, 101)
    assert least_margin(own, 0.2, 0.3) == pytest.approx(0.7)
    assert least_margin(own, 0.9, 0.3) == 0.9
    assert least_margin(own[: FEWEST - 1], 0.2, 0.3) == 0.2

"""Pictures that a page holds are whole."""

import io

import matplotlib.image
import numpy as np
import pytest

from gossan.report.pictures import is_whole_png


@pytest.fixture(scope="module")
def picture():
    stream = io.BytesIO()
    matplotlib.image.imsave(stream, np.random.default_rng(0).random((20, 30, 3)), format="png")
    return stream.getvalue()


def test_a_picture_as_it_was_drawn_is_whole(picture):
    assert is_whole_png(picture)


def test_a_flipped_bit_anywhere_is_noticed(picture):
    for place in range(0, len(picture), 7):
        damaged = bytearray(picture)
        damaged[place] ^= 4
        assert not is_whole_png(bytes(damaged)), place


def test_a_picture_that_is_cut_short_or_goes_on_is_noticed(picture):
    for end in (0, 4, 8, 30, len(picture) // 2, len(picture) - 12, len(picture) - 1):
        assert not is_whole_png(picture[:end]), end
    assert not is_whole_png(picture + b"x")

"""Ground that favourability is learned from, without what gave references their spectra."""

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.truth import CONFLICT, NO_TRUTH, Truth
from gossan.targets.favourable_ground import (
    FAVOURABLE,
    OTHER_GROUND,
    UNKNOWN,
    FavourableGround,
    leave_out,
)


def test_pixels_that_gave_references_their_spectra_are_unknown_ground():
    known = np.array([[FAVOURABLE, OTHER_GROUND, FAVOURABLE, UNKNOWN]], np.int8)
    codes = np.array([[[6, 14, NO_TRUTH, CONFLICT]]], np.int32)
    ground = FavourableGround("t.gpkg", "points", ("calcite",), None, lambda window: known)
    left = leave_out(ground, Truth("points", "", None, lambda window: codes))
    found = left.read(Window(0, 0, 4, 1))
    assert found.tolist() == [[UNKNOWN, UNKNOWN, FAVOURABLE, UNKNOWN]]
    assert found.dtype == np.int8
    assert left.note == "points; pixels that gave references their spectra are left out"

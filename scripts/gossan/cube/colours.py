"""How cubes are shown as colours: which bands, from how dark to how light."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling

from gossan.files import write_text
from gossan.legend import PERCEPTUAL_RAMP, ramp_style, rgb_style
from gossan.levels import read_reduced, shape_within
from gossan.raster import BandTable, read_info
from gossan.transforms.composites import COMPOSITES, TRUE_COLOUR, find_limits, nearest_bands

SAMPLE_PX = 256
"""Limits are found in a raster made so small, from its overviews."""


def spread_colours(count: int) -> list[str]:
    """So many colours "#RRGGBB", evenly along the perceptual ramp."""
    anchors = np.array([list(bytes.fromhex(colour[1:])) for colour in PERCEPTUAL_RAMP])
    steps = np.linspace(0, len(anchors) - 1, count)
    parts = [np.interp(steps, range(len(anchors)), anchors[:, part]) for part in range(3)]
    return ["#" + bytes(np.rint(rgb).astype(np.uint8)).hex().upper() for rgb in np.array(parts).T]


def choose_views(bands: BandTable) -> list[tuple[str, list[int]]]:
    """Titles and places of bands in which a cube is shown: true colour, and one false colour.

    True colour is left out where there is no blue, false colour where no composite fits. Bands
    without wavelengths are the first three, or the first one.
    """
    found = [(item, nearest_bands(bands, item.centres_um)) for item in COMPOSITES]
    true = [("True colour", places) for item, places in found if item is TRUE_COLOUR and places]
    false = [("False colour", places) for item, places in found if item is not TRUE_COLOUR]
    views = true + [view for view in false if view[1]][:1]
    some = list(range(3)) if len(bands.names) >= 3 else [0]
    return views or [("First bands" if len(some) > 1 else "First band", some)]


def measure_limits(path: str | Path, places: Sequence[int]) -> list[tuple[float, float]]:
    """For each band at `places` what is drawn dark and light, in its own unit."""
    shape = shape_within(read_info(path).grid.shape, SAMPLE_PX)
    values = read_reduced(path, places, shape, Resampling.average)
    return [find_limits(band) for band in values]


def view_style(path: str | Path, places: Sequence[int]) -> str:
    """The style of a raster of which three bands are drawn in colours, or else one as a ramp."""
    limits = measure_limits(path, places)
    if len(places) == 3:
        return rgb_style([place + 1 for place in places], limits)
    return ramp_style(*limits[0])


def write_view(path: str | Path) -> None:
    """Write the style (.qml) beside a raster that draws it in the first of its views."""
    _, places = choose_views(read_info(path).bands)[0]
    write_text(Path(path).with_suffix(".qml"), view_style(path, places))

"""Where ground is known to be favourable: what favourability is learned from and tested on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.truth import KEPT, UNTESTED, Truth, open_truth
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import Grid
from gossan.zones.zone_assessment import open_zones

UNKNOWN, OTHER_GROUND, FAVOURABLE = -1, 0, 1
MINERALS, ZONES = "minerals", "zones"


@dataclass(frozen=True)
class FavourableGround:
    """A truth on a grid: its file and `note`, what is favourable in it, and a reader of windows.

    `read` gives (rows, columns) int8: FAVOURABLE, OTHER_GROUND or UNKNOWN.
    """

    file: str
    note: str
    names: tuple[str, ...]
    synthetic: bool | None
    read: Callable[[Window], np.ndarray]


def open_ground(
    path: str | Path,
    of: str,
    grid: Grid,
    names: Sequence[str],
    classes: Sequence[MapClass] = (),
    outside: str = UNTESTED,
) -> FavourableGround:
    """A truth of minerals, of whose `classes` the named are favourable, or of zones, likewise.

    A pixel of several minerals is favourable where one of them is. Raises InputError as
    `open_truth` and `open_zones` do, and for a name that is no class.
    """
    if of == ZONES:
        zones = open_zones(path, grid, outside)
        codes = [zones.code(name) for name in names]
        return FavourableGround(
            zones.file, zones.note, tuple(names), zones.synthetic, _reader(zones.read, codes)
        )
    known = {item.name: item.code for item in classes}
    for name in names:
        if name not in known:
            raise InputError(f"favourable: {name!r} is no class; it has {', '.join(known)}")
    truth = open_truth(path, grid, classes, overlaps=KEPT, outside=outside)
    codes = [known[name] for name in names]
    return FavourableGround(
        Path(path).name, truth.note, tuple(names), truth.synthetic, _reader(truth.read, codes)
    )


def leave_out(ground: FavourableGround, taught: Truth) -> FavourableGround:
    """The ground without the pixels of known classes that gave references their spectra."""

    def read(window: Window) -> np.ndarray:
        return np.where(taught.read(window)[0] > 0, UNKNOWN, ground.read(window)).astype(np.int8)

    note = f"{ground.note}; pixels that gave references their spectra are left out"
    return replace(ground, note=note, read=read)


def _reader(
    read: Callable[[Window], np.ndarray], codes: Sequence[int]
) -> Callable[[Window], np.ndarray]:
    def ground(window: Window) -> np.ndarray:
        layers = read(window)
        known = (layers >= 0).any(axis=0)
        said = np.where(np.isin(layers, codes).any(axis=0), FAVOURABLE, OTHER_GROUND)
        return np.where(known, said, UNKNOWN).astype(np.int8)

    return ground

"""What all corrections of a scene share: how they look at it, and what they return.

No scene is ever whole in memory. A method asks a `Survey` for statistics of the whole scene, as
often as it needs to, and returns a `Correction`: a function that is applied to each block.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gossan.raster import BandTable

if TYPE_CHECKING:
    from gossan.library.readers import Spectrum

# Makes the statistics of a block from its values, (bands, rows, columns) with NaN where nothing
# was observed, and from (rows, columns) bool: the pixels that survive the masks and have data.
Collect = Callable[[np.ndarray, np.ndarray], Any]
# Joins the statistics of two blocks; neither order nor grouping may change the result.
Merge = Callable[[Any, Any], Any]
# One pass over the scene as the corrections before left it: the merged statistics of all blocks.
Survey = Callable[[Collect, Merge], Any]


@dataclass(frozen=True)
class Scene:
    """What a correction may know of the scene.

    `sun_elevation_deg` is None where it is not known. `sensor` and `library` serve methods that
    need library spectra at the bands. `relative` says that a method before has turned reflectance
    into ratios to the scene's own mean.
    """

    bands: BandTable
    sun_elevation_deg: float | None
    sensor: str | None = None
    library: Sequence["Spectrum"] = ()
    relative: bool = False


@dataclass(frozen=True)
class Correction:
    """A solved correction: the function for each block, and its parameters for the record."""

    method: str
    apply: Callable[[np.ndarray], np.ndarray]
    parameters: dict[str, Any] = field(default_factory=dict)


def by_band(bands: BandTable, values: Sequence[float]) -> dict[str, float]:
    """Band name -> value in six significant digits, for a record."""
    return {
        name: float(f"{float(value):.6g}") for name, value in zip(bands.names, values, strict=True)
    }


def as_column(values: Sequence[float]) -> np.ndarray:
    """One number per band as float32 (bands, 1, 1), to meet a block."""
    return np.asarray(values, dtype=np.float32)[:, np.newaxis, np.newaxis]

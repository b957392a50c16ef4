"""Maps: a raster with the legend that goes beside it, written in one call.

A class map carries the names and colours of its classes, a ramp the range that its colours span.
(What a catalogue says of maps is `stac`'s: few tools write items, and all would hang on it.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.legend import (
    NODATA,
    MapClass,
    class_colours,
    write_class_style,
    write_continuous_style,
)
from gossan.raster import Layer, Source, map_blocks

# Numbers in steps of 1e-4 up to 3.2766 on either side of 0.
FINE_STEPS = {"dtype": "int16", "nodata": -32768, "scale": 1e-4}


@dataclass(frozen=True)
class ClassMap:
    """A map of class codes, uint8, with names and colours beside it (.qml and .aux.xml).

    A map of one band also carries the colours itself. Of several bands the first has the names in
    .aux.xml, or each with `every_band`.
    """

    path: Path
    classes: Sequence[MapClass]
    bands: tuple[str, ...] = ("class",)
    tags: Mapping[str, str] = field(default_factory=dict)
    every_band: bool = False

    def layer(self) -> Layer:
        """Its raster."""
        colours = class_colours(self.classes) if len(self.bands) == 1 else None
        return Layer(
            self.path,
            "uint8",
            NODATA,
            self.bands,
            overviews="mode",
            colours=colours,
            tags=self.tags,
        )

    def write_style(self) -> None:
        """Write what goes beside it."""
        write_class_style(self.path, self.classes, len(self.bands) if self.every_band else 1)


@dataclass(frozen=True)
class Ramp:
    """A map of numbers whose first band is drawn from `low` to `high` (.qml).

    Light is high, or low with `reverse`; `unit` follows the numbers in the legend. Numbers are
    stored as (value / scale) of `dtype`.
    """

    path: Path
    bands: tuple[str, ...]
    low: float
    high: float
    unit: str = ""
    reverse: bool = False
    dtype: str = "float32"
    nodata: float = math.nan
    scale: float = 1.0
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_shares(
        cls,
        path: Path,
        bands: tuple[str, ...],
        tags: Mapping[str, str],
        *,
        reverse: bool = False,
    ) -> "Ramp":
        """Numbers from 0 to 1, such as probabilities, in steps of 1e-4."""
        return cls(path, bands, 0.0, 1.0, reverse=reverse, tags=tags, **FINE_STEPS)

    @classmethod
    def of_angles(
        cls,
        path: Path,
        bands: tuple[str, ...],
        high: float,
        tags: Mapping[str, str] | None = None,
        *,
        reverse: bool = False,
    ) -> "Ramp":
        """Angles, or differences of two, in radians: in steps of 1e-4, drawn from 0 to `high`."""
        return cls(path, bands, 0.0, high, "rad", reverse, tags=tags or {}, **FINE_STEPS)

    def layer(self) -> Layer:
        """Its raster."""
        return Layer(
            self.path,
            self.dtype,
            self.nodata,
            self.bands,
            scale=self.scale,
            tags=self.tags,
            unit=self.unit,
        )

    def write_style(self) -> None:
        """Write what goes beside it."""
        write_continuous_style(self.path, self.low, self.high, unit=self.unit, reverse=self.reverse)


def write_maps(
    function: Callable[..., np.ndarray | Sequence[np.ndarray]],
    sources: Sequence[Source],
    maps: Sequence[ClassMap | Ramp],
    *,
    beside: Sequence[Layer] = (),
    **options: object,
) -> None:
    """Write maps of what `function` makes of each block, then their legends.

    `beside` are rasters without a legend, whose arrays come before the maps'. All rasters appear
    or none; `options` and errors are those of `raster.map_blocks`.
    """
    map_blocks(function, sources, [*beside, *(item.layer() for item in maps)], **options)
    for item in maps:
        item.write_style()

"""Dates become a cube: their median composite, and its record.

One date goes the same way: its composite is the date itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gossan.cube.colours import write_view
from gossan.cube.composite import LOOKS_NODATA, Composite
from gossan.cube.cube import Cube, Pixels, Record, describe_masked
from gossan.cube.masks import VEGETATION, select_plants
from gossan.cube.normalisation import clip_reflectance
from gossan.cube.plausibility import note_offset
from gossan.cube.stage_quality import StageMeter, describe_quality
from gossan.maps import Ramp, write_maps

if TYPE_CHECKING:
    from rasterio.windows import Window

    from gossan.products.product import Product
    from gossan.products.subset import Subset

# What needs a pass over the whole scene beforehand does not suit dozens of dates.
NORMALISATIONS = ("clip", "none")


def choose_model(dates: Sequence[Product]) -> Product:
    """The first date of the spacecraft that most dates are of: its band table is the cube's."""
    usual = Counter(date.spacecraft for date in dates).most_common(1)[0][0]
    return next(date for date in dates if date.spacecraft == usual)


def describe_source(dates: Sequence[Product], part: Subset, normalisation: str) -> Cube:
    """The cube of dates, sorted by time, with the bands of `part` of their model."""
    model = part.product
    one = len(dates) == 1
    first, last = dates[0].acquired, dates[-1].acquired
    return Cube(
        bands=part.bands,
        product_id=model.product_id
        if one
        else f"median of {len(dates)} date(s), {first[:10]} to {last[:10]}",
        sensor=model.sensor,
        synthetic=any(date.synthetic for date in dates),
        atmosphere=model.level,
        normalisation=normalisation,
        spacecraft=", ".join(sorted({date.spacecraft for date in dates})),
        collection=", ".join(sorted({date.collection for date in dates})),
        level=model.level,
        acquired=dates[(len(dates) - 1) // 2].acquired,
        acquired_first="" if one else first,
        acquired_last="" if one else last,
        sun_elevation_deg=float(np.mean([date.sun_elevation_deg for date in dates])),
    )


def make_composite(
    part: Subset,
    dates: Sequence[Product],
    cube_path: Path,
    looks_path: Path,
    *,
    mask: Sequence[str],
    normalisation: str,
    ndvi_max: float | None = None,
    how: dict[str, object],
    notes: Sequence[str] = (),
    block_px: int = 1024,
    threads: int = 1,
) -> Record:
    """Write the cube of dates and the count of clear looks; the record, which is not written.

    `part` is what is wanted of the model of the dates (`choose_model`), which are sorted by time;
    `normalisation` is one of NORMALISATIONS, `how` are further keys of the record about what was
    chosen, `notes` further ones. Raises InputError for dates that do not fit together, and where no
    pixel is left.
    """
    plants = select_plants(part, ndvi_max)
    work = Composite(part, dates, mask, cube_path.parent, plants, ndvi_max)
    cube = describe_source(dates, part, normalisation)
    looks = Ramp(
        looks_path,
        ("clear_looks",),
        0,
        len(dates),
        unit="looks",
        dtype="uint16",
        nodata=LOOKS_NODATA,
        tags=cube.tags(),
    )
    median, result = StageMeter(part.bands), StageMeter(part.bands)

    def make(window: Window) -> tuple[np.ndarray, np.ndarray]:
        values, counts = work.compose(window)
        kept = np.isfinite(values).all(axis=0)
        median.add(values, kept)
        if normalisation == "clip":
            values = clip_reflectance(values)
        result.add(values, kept, noise=False)
        return values, counts

    write_maps(
        make,
        # The composite reads by itself, date by date.
        [lambda window: window],
        [looks],
        beside=[cube.layer(cube_path)],
        grid=part.grid,
        block_px=block_px,
        # The noise is that of pixels in pairs, which no block may divide.
        multiple=2,
        threads=threads,
        progress="composite",
    )
    write_view(cube_path)
    tally, common = work.tally, make_notes(dates, part.product, work.mask)
    masked = describe_masked(work.mask, tally.flagged, int(tally.seen.sum()))
    if plants is not None:
        masked |= describe_masked([VEGETATION], [tally.vegetated], tally.observed)
    return Record(
        cube,
        Pixels(tally.total, tally.observed, tally.valid),
        # Of all looks of all dates, not of pixels: one pixel may be cloudy on several dates.
        masked,
        how={**({} if plants is None else {"ndvi_max": ndvi_max}), **how},
        found={
            **describe_quality([("surface", median)], result),
            "looks": {"pixels_by_count": tally.looks.tolist()},
            "dates": describe_dates(dates, work, common),
        },
        notes=[*notes, *common],
    )


def make_notes(dates: Sequence[Product], model: Product, mask: Sequence[str]) -> list[str]:
    """What all dates say, and what the composite is silent about otherwise."""
    notes = [note for note in model.notes if all(note in date.notes for date in dates)]
    others = sorted({date.spacecraft for date in dates} - {model.spacecraft})
    if others:
        notes.append(
            f"dates of {model.spacecraft} and {', '.join(others)} together; the wavelengths are "
            f"those of {model.spacecraft}"
        )
    tiles = sorted({tile for date in dates for tile in date.tiles})
    if len(tiles) > 1:
        single = sum(len(date.tiles) == 1 for date in dates)
        notes.append(
            f"tiles {', '.join(tiles)} on one grid of {model.grid.crs.to_string()}; a pass over "
            f"several is one date, and {single} of the {len(dates)} dates cover one tile only"
        )
    absent = [flag for flag in mask if all(flag in date.absent_flags for date in dates)]
    if absent:
        notes.append(f"{model.sensor} has no flag {', '.join(absent)}; it masks nothing")
    return notes


def describe_dates(dates: Sequence[Product], work: Composite, common: Sequence[str]) -> list[dict]:
    """Each date, the share of its looks with data that are clear, and what only it notes."""
    described = []
    tally = work.tally
    for date, seen, clear, below in zip(dates, tally.seen, tally.clear, tally.below, strict=True):
        own = [note for note in date.notes if note not in common]
        own += note_offset(date.offset, int(below), int(clear))
        described.append(
            {
                "product_id": date.product_id,
                "spacecraft": date.spacecraft,
                "collection": date.collection,
                "acquired": date.acquired,
                "sun_elevation_deg": date.sun_elevation_deg,
                "observed": int(seen),
                "clear": int(clear),
                "clear_share": float(clear / seen) if seen else 0.0,
                **({"tiles": list(date.tiles), "products": list(date.parts)} if date.tiles else {}),
                **({"notes": own} if own else {}),
            }
        )
    return described

"""What tells one wavelet from another on a scene: energies, entropy, error, separation of zones.

Gathered block by block into sums and histograms. Sub-bands are counted in steps of the cube's own
stored number, finer than which the scene was not measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import BlockWindow, Bootstrap, SpatialBlocks
from gossan.accuracy.separability import rank_area, rank_interval
from gossan.accuracy.truth import NO_TRUTH, Truth, open_truth
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import RasterInfo, decode, iter_blocks, read_info
from gossan.transforms.wavelets import Transform, split_block
from gossan.zones.anomalies import count_levels
from gossan.zones.cube_limits import require_fit

LEVELS = 2**16
LOWEST = -(2**15)
# Steps of LL that the intervals are estimated with.
COARSE = 64
UNTESTED = -1


@dataclass(frozen=True)
class Zones:
    """The zones of the ground truth, and the spatial blocks of the bootstrap.

    `codes` are the class codes of each zone by its name. `bins` (bands, LEVELS) gives each step
    of LL its coarse step.
    """

    truth: Truth
    codes: Mapping[str, Sequence[int]]
    bins: np.ndarray
    spatial: SpatialBlocks

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the zones."""
        return tuple(self.codes)

    def label(self, truth: np.ndarray) -> np.ndarray:
        """A zone's place plus 1, 0 for the rest, UNTESTED; for codes of the truth of any shape.

        A geological map draws what it has found, so the ground outside its polygons is the rest.
        A raster or points that say nothing of a pixel leave it untested.
        """
        labels = np.where(truth >= 0, 0, UNTESTED)
        if self.truth.kind == "polygons":
            labels[truth == NO_TRUTH] = 0
        for place, own in enumerate(self.codes.values(), start=1):
            labels[np.isin(truth, own)] = place
        return labels


@dataclass
class BandTotals:
    """Sums over the pixels of one band: what `add` has seen so far.

    `pixels`; `total` and `squares` (sub-bands,); the largest `error` of the sub-bands' sum; the
    histogram of all `details`; of LL by label, `ranks` (labels, LEVELS), and by label and spatial
    block, `coarse` (labels, block rows, block columns, COARSE).
    """

    pixels: int
    total: np.ndarray
    squares: np.ndarray
    error: float
    details: np.ndarray
    ranks: np.ndarray
    coarse: np.ndarray

    @classmethod
    def empty(cls, subbands: int, zones: Zones | None) -> "BandTotals":
        """Totals of nothing yet."""
        labels = 0 if zones is None else len(zones.names) + 1
        blocks = (0, 0) if zones is None else zones.spatial.counts
        return cls(
            pixels=0,
            total=np.zeros(subbands),
            squares=np.zeros(subbands),
            error=0.0,
            details=np.zeros(LEVELS, np.int64),
            ranks=np.zeros((labels, LEVELS), np.int64),
            coarse=np.zeros((labels, *blocks, COARSE), np.int32),
        )


@dataclass(frozen=True)
class BlockPart:
    """One block's share in a band's totals.

    `coarse` (labels, block rows, block columns, COARSE) is of the spatial blocks `slices`.
    """

    pixels: int
    total: np.ndarray
    squares: np.ndarray
    error: float
    details: np.ndarray
    ranks: np.ndarray | None = None
    coarse: np.ndarray | None = None
    slices: tuple[slice, slice] | None = None

    def add_to(self, totals: BandTotals) -> None:
        """Add this block to the totals; called in block order, so that sums are repeatable."""
        totals.pixels += self.pixels
        totals.total += self.total
        totals.squares += self.squares
        totals.error = max(totals.error, self.error)
        totals.details += self.details
        if self.ranks is not None:
            totals.ranks += self.ranks
            totals.coarse[(slice(None), *self.slices)] += self.coarse


@dataclass(frozen=True)
class LabelledBlock:
    """Labels (rows, columns) of a block's pixels, and where they lie among the spatial blocks."""

    labels: np.ndarray
    places: BlockWindow


def measure_block(
    band: np.ndarray,
    subbands: np.ndarray,
    info: RasterInfo,
    labelled: LabelledBlock | None = None,
    bins: np.ndarray | None = None,
    labels: int = 0,
) -> BlockPart:
    """Measure one band of a block.

    `band` (rows, columns) and its `subbands` (sub-bands, rows, columns) are physical values with
    NaN; `info` tells the step of the cube. With `labelled`: the band's own row of `Zones.bins`,
    and the number of labels.
    """
    valid = ~np.isnan(subbands[0])
    values = subbands[:, valid].astype(np.float64)
    ranks = coarse = slices = None
    if labelled is not None:
        tested = valid & (labelled.labels != UNTESTED)
        label = labelled.labels[tested]
        steps = _steps(subbands[0][tested].astype(np.float64) - info.offset, info.scale)
        ranks = np.bincount(label * LEVELS + steps, minlength=labels * LEVELS)
        ranks = ranks.reshape(labels, LEVELS)
        places, slices = labelled.places, labelled.places.slices
        cell = (label * places.count + places.number[tested]) * COARSE + bins[steps]
        coarse = np.bincount(cell, minlength=labels * places.count * COARSE)
        coarse = coarse.astype(np.int32).reshape(labels, *places.shape, COARSE)
    return BlockPart(
        pixels=int(valid.sum()),
        total=values.sum(axis=1),
        squares=(values * values).sum(axis=1),
        error=float(np.abs(values.sum(axis=0) - band[valid]).max(initial=0.0)),
        details=np.bincount(_steps(values[1:].ravel(), info.scale), minlength=LEVELS),
        ranks=ranks,
        coarse=coarse,
        slices=slices,
    )


def _steps(values: np.ndarray, scale: float) -> np.ndarray:
    """Values in steps of the cube, counted from the lowest one of 16 bits."""
    steps = np.rint(values / scale)
    return np.clip(steps, LOWEST, LOWEST + LEVELS - 1).astype(np.int64) - LOWEST


def coarse_bins(counts: np.ndarray, lowest: int) -> np.ndarray:
    """The coarse step, 0 to COARSE - 1, of each step of a band's LL, (LEVELS,) int64.

    Coarse steps hold about equal shares of the band's pixels; `counts` (levels,) are those of its
    stored numbers, the first of which is `lowest`.
    """
    up_to = counts.cumsum()
    edges = np.searchsorted(up_to, up_to[-1] * np.arange(1, COARSE) / COARSE) + lowest
    return np.searchsorted(edges, np.arange(LOWEST, LOWEST + LEVELS), side="left")


def describe_band(
    totals: BandTotals, subbands: Sequence[str], zones: Zones | None, bootstrap: Bootstrap
) -> dict[str, object]:
    """The totals of a band as cells of a table.

    - share_*: the part of each sub-band in the sum of all sub-bands' variances. Their means are
      taken out, as LL would otherwise hold nearly all energy for any wavelet.
    - entropy_bits: Shannon entropy of the values of all details in steps of the cube, in bits per
      value: the fewer, the more compactly the wavelet writes the band down.
    - reconstruction_error: the largest difference of the sub-bands' sum to the band.
    - auc_* with its interval: how well LL separates a zone from the rest (`separability`); 1 and 0
      separate wholly, above or below the rest, 0.5 not at all.
    """
    variance = totals.squares - totals.total**2 / totals.pixels
    shares = variance / variance.sum()
    frequency = totals.details[totals.details > 0] / totals.details.sum()
    row: dict[str, object] = {"pixels": totals.pixels}
    row |= {f"share_{name}": _number(share) for name, share in zip(subbands, shares, strict=True)}
    row["entropy_bits"] = _number(-(frequency * np.log2(frequency)).sum())
    row["reconstruction_error"] = f"{totals.error:.2g}"
    for place, name in enumerate(() if zones is None else zones.names, start=1):
        others = np.arange(len(totals.ranks)) != place
        area = float(rank_area(totals.ranks[place], totals.ranks[others].sum(axis=0)))
        low, high = rank_interval(
            totals.coarse[place].reshape(-1, COARSE),
            totals.coarse[others].sum(axis=0).reshape(-1, COARSE),
            area,
            bootstrap.replicates,
            bootstrap.seed,
        )
        row[f"auc_{name}"] = _number(area)
        row[f"auc_{name}_low"] = _number(low)
        row[f"auc_{name}_high"] = _number(high)
        row[f"pixels_{name}"] = int(totals.ranks[place].sum())
        row[f"pixels_rest_{name}"] = int(totals.ranks[others].sum())
    return row


def _number(value: float) -> str:
    return f"{value:.6f}" if np.isfinite(value) else ""


def zone_codes(
    classes: Sequence[MapClass], zones: Sequence[Sequence[str]] | None, what: str
) -> dict[str, list[int]]:
    """The class codes of each zone, from (zone, class, class, ...) names.

    A zone without classes is the class of its own name; None makes each class a zone. Raises
    InputError, naming the class table by `what`, for an unknown class, one in two zones, or a zone
    named twice.
    """
    known = {item.name: item.code for item in classes}
    if zones is None:
        return {name: [code] for name, code in known.items()}
    names = [zone for zone, *_ in zones]
    marks = [name for zone, *members in zones for name in members or [zone]]
    for name in marks:
        if name not in known:
            raise InputError(f"{what}: has no class {name!r}, which a zone asks for; add it")
    for kind, given in (("zone", names), ("class", marks)):
        for name in given:
            if given.count(name) > 1:
                raise InputError(f"zones: {kind} {name} is named twice; name it once")
    return {zone: [known[name] for name in members or [zone]] for zone, *members in zones}


def compare_wavelets(
    cube: str | Path,
    transforms: Sequence[Transform],
    *,
    truth: str | Path | None = None,
    classes: Sequence[MapClass] = (),
    codes: Mapping[str, Sequence[int]] | None = None,
    bootstrap: Bootstrap,
    window_px: int = 512,
    threads: int = 1,
) -> list[dict[str, object]]:
    """One row per wavelet and band of a cube, see `describe_band`.

    `truth` with `classes` is any that `open_truth` reads, `codes` its zones
    (`zone_codes`). Raises InputError for a cube that is not int16, is too small or has an empty
    band, and for a zone of which no valid pixel is tested, or that leaves no rest.
    """
    info = read_info(cube)
    if np.dtype(info.dtype) != np.int16:
        raise InputError(f"{cube}: stored as {info.dtype}; store the cube as int16")
    names = info.bands.names
    for transform in transforms:
        require_fit(info, transform)
    options = {"block_px": window_px, "threads": threads, "scaled": False}

    def count(block: np.ndarray) -> np.ndarray:
        return count_levels(block, None if info.nodata is None else block != info.nodata)

    counts = sum(part for _, part in iter_blocks(count, [cube], **options))
    for name, own in zip(names, counts, strict=True):
        if not own.any():
            raise InputError(f"{cube}, band {name}: has no valid pixel; leave the band out")

    zones = None
    sources = [cube, lambda window: window]
    if truth is not None:
        opened = open_truth(truth, info.grid, classes)
        bins = np.array([coarse_bins(own, LOWEST) for own in counts])
        zones = Zones(opened, codes or {}, bins, bootstrap.over(info.grid.shape))
        sources.append(opened.read)

    def measure_with(transform: Transform) -> list[BandTotals]:
        parts = len(transform.subbands)

        def measure(
            inner: tuple[slice, slice], stored: np.ndarray, window: Window, *known: np.ndarray
        ) -> list[BlockPart]:
            block = decode(stored, info)
            subbands = split_block(block, inner, transform)
            labelled = None
            if zones is not None:
                labels = zones.label(known[0][0][inner])
                row, column = window.row_off + inner[0].start, window.col_off + inner[1].start
                within = zones.spatial.window(labels.shape, int(row), int(column))
                labelled = LabelledBlock(labels, within)
            return [
                measure_block(
                    band[inner],
                    subbands[place * parts : (place + 1) * parts],
                    info,
                    labelled,
                    None if zones is None else zones.bins[place],
                    0 if zones is None else len(zones.names) + 1,
                )
                for place, band in enumerate(block)
            ]

        totals = [BandTotals.empty(parts, zones) for _ in names]
        blocks = iter_blocks(
            measure,
            sources,
            halo=transform.halo,
            align=transform.align,
            progress=transform.wavelet,
            **options,
        )
        for _, found in blocks:
            for own, part in zip(totals, found, strict=True):
                part.add_to(own)
        return totals

    rows = []
    for transform in transforms:
        for name, totals in zip(names, measure_with(transform), strict=True):
            if zones is not None:
                _require_zones(totals.ranks.sum(axis=1), zones, str(truth), str(cube))
            rows.append(
                {
                    "wavelet": transform.wavelet,
                    "taps": transform.taps,
                    "transform": transform.kind,
                    "level": transform.level,
                    "mode": transform.mode,
                    "band": name,
                    **describe_band(totals, transform.subbands, zones, bootstrap),
                }
            )
    return rows


def _require_zones(pixels: np.ndarray, zones: Zones, truth: str, cube: str) -> None:
    for name, own in zip(zones.names, pixels[1:], strict=True):
        if not own:
            raise InputError(
                f"{truth}: no valid pixel of {cube} lies in the zone {name}; leave the zone "
                "out or correct the ground truth"
            )
        if own == pixels.sum():
            raise InputError(
                f"{truth}: every tested pixel lies in the zone {name}, so there is no rest to "
                "tell it from; give ground truth of other ground, too"
            )

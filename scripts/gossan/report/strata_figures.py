"""Figures of the samples by class and stratum: reflectance, median spectra, boxes, similarity.

Rows are those of points.csv (label_iron.py) with the stratum's order as they come; every function
returns a matplotlib Figure.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gossan.legend import MapClass
from gossan.report.drawing import (
    COLOURS,
    INK,
    WIDTH_IN,
    hide,
    mark_synthetic,
    plain_axes,
    styled,
    swatch,
)

ORE = "ore"
BOX_WIDTH = 0.8


def strata_of(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The strata in the order of the rows, ore first."""
    found = dict.fromkeys(row["stratum"] for row in rows)
    return sorted(found, key=lambda name: name != ORE)


def _values(rows: Sequence[Mapping[str, str]], column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in rows])


def _columns(number: int) -> int:
    return 2 if number == 4 else min(3, number)


def _panels(number: int, synthetic: bool, height_in: float, **shared: bool) -> tuple:
    columns = _columns(number)
    deep = math.ceil(number / columns)
    figure = Figure(figsize=(WIDTH_IN, height_in * deep + 0.7), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False, **shared).ravel()
    mark_synthetic(figure, synthetic)
    hide(axes[number:])
    return figure, list(axes[:number])


def _labelled(
    figure: Figure,
    axes: Sequence[Axes],
    label: str,
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
) -> Figure:
    """The figure with the label beside each row of panels, and the legend of its classes."""
    for axis in axes[:: _columns(len(axes))]:
        axis.set_ylabel(label)
    there = {row["class"] for row in rows}
    handles = [swatch(item.colour, item.label) for item in classes if item.name in there]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


@styled
def draw_reflectance(
    rows: Sequence[Mapping[str, str]],
    pair: tuple[str, str],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Reflectance of the samples in two bands by class, a panel per stratum with the ore in it."""
    strata = [name for name in strata_of(rows) if name != ORE]
    figure, axes = _panels(len(strata), synthetic, 2.7, sharex=True, sharey=True)
    for axis, stratum in zip(axes, strata, strict=True):
        for item in classes:
            wanted = (ORE,) if item.name == ORE else (stratum,)
            own = [r for r in rows if r["class"] == item.name and r["stratum"] in wanted]
            axis.scatter(
                *(_values(own, band) for band in pair),
                s=11,
                color=item.colour,
                edgecolor="white",
                lw=0.3,
            )
        axis.set_title(stratum)
        axis.set_xlabel(f"Reflectance in {pair[0]}")
        plain_axes(axis, "both")
    return _labelled(figure, axes, f"Reflectance in {pair[1]}", rows, classes)


@styled
def draw_medians(
    rows: Sequence[Mapping[str, str]],
    bands: Mapping[str, float],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Median spectrum of each class with its quartiles, a panel per stratum.

    `bands` maps the bands to their centres in µm.
    """
    order = sorted(bands, key=lambda name: bands[name])
    centres = [bands[name] for name in order]
    strata = strata_of(rows)
    figure, axes = _panels(len(strata), synthetic, 2.5, sharex=True, sharey=True)
    for axis, stratum in zip(axes, strata, strict=True):
        for item in classes:
            own = [r for r in rows if r["class"] == item.name and r["stratum"] == stratum]
            if own:
                spectra = np.stack([_values(own, name) for name in order], axis=1)
                low, middle, high = np.percentile(spectra, (25, 50, 75), axis=0)
                axis.fill_between(centres, low, high, color=item.colour, alpha=0.2, lw=0)
                axis.plot(centres, middle, "o-", color=item.colour, ms=2.5, lw=1.3)
        axis.set_title(stratum.capitalize() if stratum == ORE else stratum)
        axis.set_xlabel("Wavelength (µm)")
        plain_axes(axis, "both")
    return _labelled(figure, axes, "Reflectance", rows, classes)


def _draw_boxes(
    axis: Axes,
    rows: Sequence[Mapping[str, str]],
    values: np.ndarray,
    classes: Sequence[MapClass],
    strata: Sequence[str],
) -> None:
    """Boxes of values (n,) of the rows, side by side the classes of each stratum."""
    names, strata_said = (np.array([row[key] for row in rows]) for key in ("class", "stratum"))
    there = [item for item in classes if item.name != ORE and (names == item.name).any()]
    ore = next((item for item in classes if item.name == ORE), None)
    for place, stratum in enumerate(strata):
        shown = [ore] if stratum == ORE and ore is not None else there
        step = BOX_WIDTH / len(shown) if len(shown) > 1 else BOX_WIDTH / 3
        for number, item in enumerate(shown):
            own = values[(names == item.name) & (strata_said == stratum)]
            if own.size:
                axis.boxplot(
                    own,
                    positions=[place + (number - (len(shown) - 1) / 2) * step],
                    widths=0.85 * step,
                    patch_artist=True,
                    manage_ticks=False,
                    boxprops={"facecolor": item.colour, "edgecolor": INK, "lw": 0.5},
                    medianprops={"color": INK, "lw": 1.0},
                    whiskerprops={"color": INK, "lw": 0.5},
                    capprops={"color": INK, "lw": 0.5},
                    flierprops={"marker": ".", "ms": 2, "mec": item.colour},
                )
    axis.set_xticks(range(len(strata)), strata, fontsize=7, rotation=25, ha="right")
    axis.set_xlim(-0.6, len(strata) - 0.4)
    plain_axes(axis, "y")


@styled
def draw_boxes(
    rows: Sequence[Mapping[str, str]],
    bands: Sequence[str],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Box plots of reflectance by class and stratum, a panel per band."""
    strata = strata_of(rows)
    figure, axes = _panels(len(bands), synthetic, 2.3)
    for axis, band in zip(axes, bands, strict=True):
        _draw_boxes(axis, rows, _values(rows, band), classes, strata)
        axis.set_title(band)
    return _labelled(figure, axes, "Reflectance", rows, classes)


@styled
def draw_halo(
    rows: Sequence[Mapping[str, str]],
    minerals: Mapping[str, str],
    theta_max_rad: Mapping[str, float],
    grades: Mapping[str, float],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Similarity of the samples to the mineral of their mine by class and stratum, a panel per
    mineral, with the least similarities of the `grades`.

    `minerals` maps mines to minerals, `theta_max_rad` minerals to the angle of similarity 0.
    """
    there = list(dict.fromkeys(minerals.values()))
    figure, axes = _panels(len(there), synthetic, 3.2, sharey=True)
    strata = strata_of(rows)
    for axis, mineral in zip(axes, there, strict=True):
        own = [row for row in rows if (row["mineral"] or minerals[row["mine"]]) == mineral]
        angles = _values(own, f"angle_{mineral}_rad")
        values = np.maximum(1 - angles / theta_max_rad[mineral], 0)
        _draw_boxes(axis, own, values, classes, strata)
        for colour, least in zip(COLOURS, grades.values(), strict=False):
            axis.axhline(least, color=colour, lw=1.0, ls="--")
        axis.set_ylim(-0.02, 1.02)
        axis.set_title(f"Mine of {mineral}; similarity 0 at {theta_max_rad[mineral]:.3g} rad")
    axes[0].set_ylabel("Similarity to the mine's mineral")
    named = {row["class"] for row in rows}
    handles = [swatch(item.colour, item.label) for item in classes if item.name in named]
    handles += [
        Line2D([], [], color=colour, ls="--", label=f"{name.capitalize()} grade from {least:g}")
        for colour, (name, least) in zip(COLOURS, grades.items(), strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure

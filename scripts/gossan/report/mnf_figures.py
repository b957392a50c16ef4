"""Figures of the minimum noise fraction and of the end-members found by pixel purity."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gossan.report.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    MOST_DOTS,
    WIDTH_IN,
    draw_message,
    mark_synthetic,
    plain_axes,
    styled,
)


@styled
def draw_eigenvalues(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Eigenvalues of the minimum noise fraction, and their cumulative share (eigenvalues.csv)."""
    if not rows:
        return draw_message("There are no eigenvalues to draw.", synthetic)
    at = [int(row["component"]) for row in rows]
    figure = Figure(figsize=(WIDTH_IN, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    mark_synthetic(figure, synthetic)
    dots = {"marker": "o", "ms": 4} if len(at) <= MOST_DOTS else {}
    left.plot(at, [float(row["eigenvalue"]) for row in rows], color=BLUE, **dots)
    left.axhline(1, color=INK, lw=0.8, ls=":")
    left.set_yscale("log")
    left.set_title("Eigenvalue; dotted = 1, noise alone")
    left.set_ylabel("Variance, noise = 1")
    right.plot(at, [100 * float(row["cumulative_share"]) for row in rows], color=GREEN, **dots)
    right.set_title("Cumulative share of the eigenvalues")
    right.set_ylabel("%")
    right.set_ylim(top=101)
    for axis in (left, right):
        axis.set_xlabel("Component")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_axes(axis, "both")
    return figure


@styled
def draw_endmembers(
    wavelength_um: np.ndarray, spectra: Mapping[str, np.ndarray], synthetic: bool
) -> Figure:
    """Reflectance of the end-members by name, one value per band; empty bands are NaN."""
    if not spectra:
        return draw_message("No end-member was found.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    order = np.argsort(wavelength_um)
    styles = ("-", "--", ":", "-.")
    for place, (name, values) in enumerate(spectra.items()):
        axis.plot(
            np.asarray(wavelength_um)[order],
            np.asarray(values, float)[order],
            styles[place // len(COLOURS) % len(styles)],
            marker="o" if len(wavelength_um) <= MOST_DOTS else None,
            ms=3.5,
            color=COLOURS[place % len(COLOURS)],
            label=name,
        )
    axis.set_xlabel("Wavelength (µm)")
    axis.set_ylabel("Reflectance")
    axis.set_title(f"End-members by pixel purity, {len(spectra)} in all")
    plain_axes(axis, "both")
    figure.legend(loc="outside right upper")
    return figure

"""Figures of targets against known sites: shares by potential, success and prediction-area."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gossan.legend import UNCLASSIFIED_COLOUR
from gossan.prospects.potential import POTENTIAL
from gossan.report.drawing import (
    AMBER,
    BLUE,
    GRID_COLOUR,
    INK,
    ORANGE,
    SKY,
    WIDTH_IN,
    Raster,
    Shapes,
    annotate,
    draw_message,
    frame_map,
    hide,
    map_height,
    mark_synthetic,
    nodata_swatch,
    paint,
    plain_axes,
    show_map,
    styled,
    swatch,
)
from gossan.targets.sites import OUTSIDE_MINES

SITE_COLOURS = {
    "occurrences": BLUE,
    OUTSIDE_MINES.format("occurrences"): SKY,
    "claims": ORANGE,
    OUTSIDE_MINES.format("claims"): AMBER,
}
AREA_COLOUR = "#B8BFC4"


@styled
def draw_overlay(
    rows: Sequence[Mapping[str, str]], published_share: float | None, synthetic: bool
) -> Figure:
    """Share of claims and of occurrences by potential against its share of area (overlay.csv).

    `published_share` is the paper's share of claims on medium to high potential.
    """
    sites = list(dict.fromkeys(row["sites"] for row in rows))
    if not sites:
        return draw_message("No claims or occurrences were given to compare with.", synthetic)
    groups = list(dict.fromkeys(row["potential"] for row in rows))
    found = {(row["sites"], row["potential"]): row for row in rows}
    height = 0.24 * (len(sites) + 1) * len(groups) + 1.7
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    step = 0.8 / (len(sites) + 1)
    for place, group in enumerate(groups):
        top = place - 0.4 + step / 2
        area = float(found[sites[0], group]["area_share"] or 0)
        axis.barh(top, 100 * area, height=step * 0.85, color=AREA_COLOUR)
        annotate(axis, f"{area:.1%}", (100 * area, top), 4, fontsize=7.5)
        for shift, name in enumerate(sites, start=1):
            row = found[name, group]
            if not row["share"]:
                continue
            at, share = top + shift * step, 100 * float(row["share"])
            axis.barh(at, share, height=step * 0.85, color=SITE_COLOURS[name])
            reach = share
            if row["share_low"]:
                reach = 100 * float(row["share_high"])
                axis.plot([100 * float(row["share_low"]), reach], [at] * 2, color=INK, lw=1.3)
            note = f"{int(row['found']):,} of {int(row['n']):,}"
            if row["ratio"]:
                note += f", {float(row['ratio']):.2g} × area"
            annotate(axis, note, (max(reach, share), at), fontsize=7.5)
        if group == "medium or high" and published_share is not None:
            axis.plot(
                [100 * published_share] * 2, [place - 0.45, place + 0.45], color=INK, ls=":", lw=1.3
            )
    axis.set_yticks(range(len(groups)), [group.capitalize() for group in groups])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.set_xlim(0, 128)
    axis.set_xticks(range(0, 101, 20))
    axis.set_xlabel("Share (%); black bars = 95 % intervals")
    axis.set_title("Where the known sites lie; × area = share of sites over share of area")
    axis.tick_params(axis="y", length=0)
    plain_axes(axis, "x")
    handles = [swatch(AREA_COLOUR, "Share of the mapped area")]
    handles += [swatch(SITE_COLOURS[name], f"Share of {name}") for name in sites]
    if published_share is not None:
        handles.append(
            Line2D([], [], color=INK, ls=":", label=f"Paper: {published_share:.2%} of claims")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def draw_periods(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Share of the claims of each period on medium or high potential (periods.csv)."""
    told = [row for row in rows if row["potential"] == "medium or high"]
    if not any(row["share"] for row in told):
        return draw_message("No claim has a date, or none lies on the map.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 0.5 * len(told) + 1.5), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    area = next(float(row["area_share"]) for row in told if row["area_share"])
    axis.axvline(100 * area, color=INK, lw=1.2, ls=":")
    for place, row in enumerate(told):
        note = f"{int(row['found']):,} of {int(row['n']):,}"
        reach = 0.0
        if row["share"]:
            reach = 100 * float(row["share"])
            axis.barh(place, reach, height=0.6, color=ORANGE)
            axis.plot(100 * float(row["touching_share"]), place, "D", color=AMBER, mec=INK, ms=6)
            reach = max(reach, 100 * float(row["touching_share"]))
        if row["share_low"]:
            ends = [100 * float(row[f"share_{end}"]) for end in ("low", "high")]
            axis.plot(ends, [place] * 2, color=INK, lw=1.3)
            reach = max(reach, ends[1])
        annotate(axis, note, (reach, place), 8, fontsize=7.5)
    axis.set_yticks(range(len(told)), [row["period"].capitalize() for row in told])
    axis.set_ylim(len(told) - 0.4, -0.6)
    axis.set_xlim(0, 118)
    axis.set_xlabel("Share of the claims (%); black bars = 95 % intervals")
    axis.tick_params(axis="y", length=0)
    plain_axes(axis, "x")
    handles = [
        swatch(ORANGE, "Most of its ground on medium or high potential"),
        Line2D([], [], marker="D", ls="", color=AMBER, mec=INK, label="Touching it"),
        Line2D([], [], color=INK, ls=":", label=f"Share of area: {area:.1%}"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def draw_districts(
    potential: Raster, districts: Shapes, rows: Sequence[Mapping[str, str]], synthetic: bool
) -> Figure:
    """The map of potential with outlines of districts, and the shares of each (districts.csv)."""
    grid = potential.grid
    height = max(map_height(grid, 5.6), 0.35 * len(rows) + 1.6)
    figure = Figure(figsize=(WIDTH_IN, height + 0.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    mark_synthetic(figure, synthetic)
    show_map(left, paint(potential.values[0], POTENTIAL, UNCLASSIFIED_COLOUR), grid)
    frame_map(left, grid)
    limits = left.get_xlim(), left.get_ylim()
    for ring in districts.rings:
        left.plot(*ring.T, color="white", lw=2.0)
        left.plot(*ring.T, color=INK, lw=0.9)
    left.set_xlim(limits[0])
    left.set_ylim(limits[1])
    start = np.zeros(len(rows))
    for item in reversed(POTENTIAL[1:]):
        share = np.array([100 * float(row[f"{item.name}_share"] or 0) for row in rows])
        right.barh(range(len(rows)), share, left=start, height=0.6, color=item.colour)
        start += share
    for place, row in enumerate(rows):
        note = f"{start[place]:.2f} %"
        if row["claims"]:
            note += f"; claims {row['claims_found']} of {row['claims']}"
        annotate(right, note, (start[place], place), 5, fontsize=7.5)
    right.set_yticks(range(len(rows)), [row["district"] for row in rows])
    right.set_ylim(len(rows) - 0.4, -0.6)
    right.set_xlim(0, max(2.2 * start.max(), 0.1))
    right.set_xlabel("Share of the district (%)")
    right.tick_params(axis="y", length=0)
    plain_axes(right, "x")
    handles = [swatch(item.colour, item.label) for item in reversed(POTENTIAL)]
    handles += nodata_swatch(potential.values)
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@styled
def draw_success(rows: Sequence[Mapping[str, str]], record: Mapping, synthetic: bool) -> Figure:
    """Success-rate curves: sites found against area searched, best ground first (curves.csv).

    `record` is that of rank_targets; the limits of medium and high potential are marked.
    """
    if not record["curves"]:
        return draw_message("No site lies on the map, so there are no curves.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 5.6), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    for item in record["curves"]:
        own = _curve(rows, item["sites"])
        colour = SITE_COLOURS[item["sites"]]
        area, found = 100 * own["area_share"], 100 * own["found_share"]
        auc = item["area_under_curve"]
        label = f"{item['sites'].capitalize()}, n = {item['n']:,}: area under curve "
        label += f"{auc['value']:.2f}"
        if auc["low"] is not None:
            label += f" ({auc['low']:.2f} to {auc['high']:.2f})"
        # From no area at all, which no step of the score gives.
        axis.plot(np.append(area, 0), np.append(found, 0), color=colour, lw=1.8, label=label)
        if np.isfinite(own["found_low"]).all() and "outside" in item["sites"]:
            axis.fill_between(
                area,
                100 * own["found_low"],
                100 * own["found_high"],
                color=colour,
                alpha=0.13,
                lw=0,
            )
        for name, marker in (("high", "^"), ("medium", "o")):
            place = np.flatnonzero(own["score"] >= float(record["thresholds"][name]) - 1e-9)[0]
            axis.plot(area[place], found[place], marker, color=colour, mec=INK, ms=6, zorder=3)
    axis.plot([0, 100], [0, 100], color=INK, lw=0.8, ls=":")
    for name, marker in (("High potential", "^"), ("High and medium potential", "o")):
        axis.plot([], [], marker, color="white", mec=INK, ms=6, label=name)
    axis.plot([], [], color=INK, lw=0.8, ls=":", label="By chance")
    axis.set_xlabel("Area, best ground first (%)")
    axis.set_ylabel("Sites found (%)")
    axis.set_xlim(0, 101)
    axis.set_ylim(0, 102)
    axis.set_title(
        "Success rate; outside the mines = prediction rate, shaded with its 95 % interval"
        if any("outside" in item["sites"] for item in record["curves"])
        else "Success rate"
    )
    plain_axes(axis, "both")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _curve(rows: Sequence[Mapping[str, str]], sites: str) -> dict[str, np.ndarray]:
    """Columns of one curve of curves.csv as numbers; an empty cell is NaN."""
    own = [row for row in rows if row["sites"] == sites]
    columns = ("score", "area_share", "found_share", "found_low", "found_high")
    return {name: np.array([float(row[name] or "nan") for row in own]) for name in columns}


@styled
def draw_prediction_area(
    rows: Sequence[Mapping[str, str]], record: Mapping, synthetic: bool
) -> Figure:
    """Prediction-area plots: sites found and area taken by least score, a panel per kind of site.

    Where the lines cross, the share found and the share of area add up to 100 %.
    """
    if not record["curves"]:
        return draw_message("No site lies on the map, so there are no curves.", synthetic)
    number = len(record["curves"])
    deep, columns = math.ceil(number / 2), min(2, number)
    figure = Figure(figsize=(WIDTH_IN, 3.5 * deep + 0.8), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    for axis, item in zip(axes, record["curves"], strict=False):
        own = _curve(rows, item["sites"])
        axis.plot(own["score"], 100 * own["found_share"], color=BLUE, lw=1.6)
        axis.set_ylabel("Sites found (%)", color=BLUE)
        axis.set_ylim(0, 100)
        other = axis.twinx()
        other.plot(own["score"], 100 * own["area_share"], color=ORANGE, lw=1.6)
        other.set_ylim(100, 0)
        other.set_ylabel("Area taken (%), downward", color=ORANGE)
        for name in ("medium", "high"):
            axis.axvline(float(record["thresholds"][name]), color=INK, lw=0.7, ls=":")
        cross = item["prediction_area"]
        axis.plot(cross["score"], 100 * cross["found_share"], "o", color=INK, ms=6, clip_on=False)
        density = cross["normalised_density"]
        axis.set_title(
            f"{item['sites'].capitalize()}, n = {item['n']:,}\n"
            f"{cross['found_share']:.0%} on {cross['area_share']:.0%} of the area"
            + ("" if density is None else f": density {density:.2f}")
        )
        axis.set_xlim(0, 1)
        axis.set_xlabel("Least score; dotted = limits of medium and high")
        axis.grid(color=GRID_COLOUR, lw=0.6)
        for side in (axis, other):
            side.spines["top"].set_visible(False)
    hide(axes[number:])
    return figure

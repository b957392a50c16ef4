"""Figures of alteration zones: signal, anomalies, wavelets, confidence and score.

Inputs are what the tools wrote: records as mappings, tables as rows of text (tables.read_table),
rasters as drawing.read_small gives them. Every function returns a matplotlib Figure. Of many bands,
some are drawn, chosen evenly, and the figure says so.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gossan.legend import CLASS_ATTRIBUTE, UNCLASSIFIED_COLOUR
from gossan.outlines import reproject
from gossan.raster import Grid
from gossan.report.drawing import (
    AMBER,
    BLUE,
    COLOURS,
    GREEN,
    INK,
    ORANGE,
    SKY,
    WIDTH_IN,
    Raster,
    choose_evenly,
    colour_bar,
    draw_interval,
    draw_message,
    hide,
    list_axes,
    map_panels,
    mark_synthetic,
    nodata_swatch,
    note_choice,
    on_axes,
    paint,
    percentiles,
    plain_axes,
    show_map,
    show_ramp,
    styled,
    swatch,
)
from gossan.vector_files import read_vector
from gossan.zones.anomalies import ANOMALY
from gossan.zones.confidence import CONFIDENCE
from gossan.zones.zone_labels import METHOD_LABELS, method_label

LEVEL_COLOURS = {"anomaly": SKY, "medium": AMBER, "high": ORANGE, "either": INK}
SUBBANDS = {
    "LL": "LL: low-pass, the band's smooth part",
    "LH": "LH: horizontal detail",
    "HL": "HL: vertical detail",
    "HH": "HH: diagonal detail",
}


def read_outlines(path: str | Path, grid: Grid, zone: str) -> list[np.ndarray]:
    """Outlines of a zone's polygons on a map of `grid`, each (points, 2) in the map's units.

    `path` is a vector file with the attribute `class`; holes have outlines of their own.
    """
    features, _ = read_vector(path, "zones")
    named = features[CLASS_ATTRIBUTE].astype(str).str.casefold() == zone.casefold()
    shapes = reproject(features[named], grid.crs, path).geometry.explode(index_parts=False)
    return [
        on_axes(grid, np.asarray(ring.coords)[:, :2])
        for shape in shapes
        if shape is not None and shape.geom_type == "Polygon"
        for ring in (shape.exterior, *shape.interiors)
    ]


@styled
def draw_signal(stages: Sequence[Mapping], bands: Sequence[str], synthetic: bool) -> Figure:
    """Signal-to-noise ratio of each band after each stage (`stages` of the cube's record)."""
    known = [band for band in bands if any(band in stage["snr"] for stage in stages)]
    bands = choose_evenly(known)
    if not bands:
        return draw_message("The cube's record holds no stages of these bands.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 3.9), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    width = 0.8 / len(stages)
    for place, stage in enumerate(stages):
        values = [stage["snr"].get(band) for band in bands]
        axis.bar(
            np.arange(len(bands)) + (place - (len(stages) - 1) / 2) * width,
            [math.nan if value is None else value for value in values],
            width=width * 0.92,
            color=COLOURS[place % len(COLOURS)],
            label=str(stage["stage"]),
        )
        for band, value in enumerate(values):
            if value is None:
                axis.plot(band + (place - (len(stages) - 1) / 2) * width, 0, "x", color=INK, ms=4)
    axis.set_xticks(range(len(bands)), bands)
    axis.set_xlabel("Band")
    axis.set_ylabel("Mean / noise")
    axis.set_title("Signal-to-noise ratio after each stage; × = undefined")
    plain_axes(axis, "y")
    figure.legend(loc="outside lower center", ncols=min(5, len(stages)))
    note_choice(figure, len(bands), len(known))
    return figure


@styled
def draw_histograms(histograms: Mapping, bands: Sequence[str], synthetic: bool) -> Figure:
    """Histograms of the bands before and after normalisation (`histograms` of the record)."""
    known = [
        band
        for band in bands
        if any(band in histograms[when] and histograms[when][band]["counts"] for when in histograms)
    ]
    drawn = choose_evenly(known)
    if not drawn:
        return draw_message("The cube's record holds no histograms of these bands.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 1.35 * len(drawn) + 0.9), layout="constrained")
    axes = figure.subplots(len(drawn), 2, squeeze=False)
    mark_synthetic(figure, synthetic)
    for row, band in zip(axes, drawn, strict=True):
        for axis, when, colour in (
            (row[0], "before", BLUE),
            (row[1], "after", GREEN),
        ):
            item = histograms[when][band]
            counts = np.asarray(item["counts"], float)
            axis.bar(
                item["low"] + item["width"] * np.arange(len(counts)),
                100 * counts / max(counts.sum(), 1),
                width=item["width"],
                align="edge",
                color=colour,
            )
            axis.spines[["top", "right"]].set_visible(False)
            axis.yaxis.set_major_locator(MaxNLocator(3))
        row[0].set_ylabel(f"Band {band}\npixels (%)")
    axes[0][0].set_title("Before normalisation")
    axes[0][1].set_title("After normalisation")
    for axis in axes[-1]:
        axis.set_xlabel("Value")
    note_choice(figure, len(drawn), len(known))
    return figure


@styled
def draw_anomalies(anomalies: Raster, rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Anomalies of each band, with the counts of the table anomalies.csv."""
    names = anomalies.bands.names
    counts = {row["band"]: row for row in rows}
    figure, axes = map_panels(anomalies.grid, len(names), synthetic, legend_rows=1)
    for axis, name, codes in zip(axes, names, anomalies.values, strict=True):
        show_map(axis, paint(codes, [ANOMALY], UNCLASSIFIED_COLOUR), anomalies.grid)
        title = f"Band {name}"
        if name in counts:
            found, pixels = int(counts[name]["anomalies"]), int(counts[name]["pixels"])
            title += f": {found:,} anomalies of {pixels:,} pixels ({found / pixels:.1%})"
        axis.set_title(title)
    handles = [swatch(ANOMALY.colour, "Anomaly"), swatch(UNCLASSIFIED_COLOUR, "No anomaly")]
    handles += nodata_swatch(anomalies.values)
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    note_choice(figure, len(names), len(rows))
    return figure


@styled
def draw_subbands(subbands: Raster, band: str, synthetic: bool) -> Figure:
    """The four sub-bands of one band; details of several levels are drawn at the first."""
    names = subbands.bands.names
    panels = []
    for part, title in SUBBANDS.items():
        place = next(
            (names.index(name) for name in (f"{band} {part}", f"{band} {part}1") if name in names),
            None,
        )
        if place is not None:
            panels.append((title, subbands.values[place], part == "LL"))
    if not panels:
        return draw_message(f"There are no sub-bands of band {band}.", synthetic)
    figure, axes = map_panels(subbands.grid, len(panels), synthetic)
    for axis, (title, values, low_pass) in zip(axes, panels, strict=True):
        low, high = percentiles(values, 2, 98)
        if not low_pass:
            # Details swing about zero: the same colour must mean the same size on both sides.
            high = max(abs(low), abs(high))
            low = -high
        ramp = "viridis" if low_pass else "PuOr"
        image = show_ramp(axis, values, subbands.grid, ramp, low, high)
        colour_bar(axis, image, "")
        axis.set_title(f"Band {band}, {title}")
    return figure


@styled
def draw_profile(
    rows: Sequence[Mapping[str, str]], bands: Sequence[str], synthetic: bool
) -> Figure:
    """Mean and strength of the horizontal detail per image row (profile.csv), down the image."""
    known = [band for band in bands if any(row["band"] == band for row in rows)]
    drawn = choose_evenly(known)
    if not drawn:
        return draw_message("The profile holds none of these bands.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 5.2), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    mark_synthetic(figure, synthetic)
    for place, band in enumerate(drawn):
        own = [row for row in rows if row["band"] == band]
        first = own[0]["subband"]
        own = [row for row in own if row["subband"] == first]
        at = [int(row["row"]) for row in own]
        for axis, column in ((axes[0], "mean"), (axes[1], "mean_magnitude")):
            axis.plot(
                at,
                [float(row[column] or "nan") for row in own],
                color=COLOURS[place % len(COLOURS)],
                lw=0.9,
                label=f"Band {band}" if column == "mean" else None,
            )
    axes[0].set_title("LH sub-band: mean of each row")
    axes[1].set_title("LH sub-band: mean size of each row")
    axes[1].set_xlabel("Row, from north to south")
    for axis in axes:
        plain_axes(axis, "both")
        axis.margins(x=0.01)
    axes[0].axhline(0, color=INK, lw=0.6)
    figure.legend(loc="outside lower center", ncols=min(6, len(drawn)))
    note_choice(figure, len(drawn), len(known))
    return figure


@styled
def draw_wavelets(
    rows: Sequence[Mapping[str, str]], zones: Sequence[str], synthetic: bool
) -> Figure:
    """Wavelets side by side (comparison.csv): separation of the zones, energy, compactness."""
    if not rows:
        return draw_message("No wavelets were compared.", synthetic)
    wavelets = list(dict.fromkeys(row["wavelet"] for row in rows))
    known = list(dict.fromkeys(row["band"] for row in rows))
    bands = choose_evenly(known)
    found = {(row["wavelet"], row["band"]): row for row in rows}
    panels = [
        (f"auc_{zone}", f"Separation of {zone} by LL (area under the ROC curve)")
        for zone in zones
        if f"auc_{zone}" in rows[0]
    ]
    panels += [("share_LL", "Share of LL in the variance"), ("entropy_bits", "Entropy of details")]
    figure = Figure(figsize=(WIDTH_IN, 2.3 * len(panels) + 0.9), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    width = 0.8 / len(wavelets)
    for axis, (column, title) in zip(axes, panels, strict=True):
        for place, wavelet in enumerate(wavelets):
            at = np.arange(len(bands)) + (place - (len(wavelets) - 1) / 2) * width
            values = np.array([_cell(found.get((wavelet, band)), column) for band in bands])
            colour = COLOURS[place % len(COLOURS)]
            axis.plot(at, values, "o", color=colour, ms=4, label=wavelet)
            low, high = (
                np.array([_cell(found.get((wavelet, band)), f"{column}{end}") for band in bands])
                for end in ("_low", "_high")
            )
            axis.vlines(at, low, high, color=colour, lw=1.6, alpha=0.55)
        if column.startswith("auc_"):
            axis.axhline(0.5, color=INK, lw=0.7, ls=":")
        axis.set_xticks(range(len(bands)), bands)
        axis.set_title(title)
        plain_axes(axis, "y")
    axes[-1].set_xlabel("Band")
    axes[-1].set_ylabel("bits per value")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(wavelets)))
    note_choice(figure, len(bands), len(known))
    return figure


def _cell(row: Mapping[str, str] | None, column: str) -> float:
    """A number of a table's row, NaN where it is empty or there is none."""
    return float((row or {}).get(column) or "nan")


@styled
def draw_confidence(
    confidence: Raster,
    zone: str,
    outlines: Sequence[np.ndarray],
    rows: Sequence[Mapping[str, str]],
    synthetic: bool,
) -> Figure:
    """Confidence of each band under the outlines of the truth, with precision and recall.

    `rows` are those of the table of assess_zones.
    """
    names = confidence.bands.names
    scores = {row["band"]: row for row in rows if row["zone"] == zone and row["level"] == "either"}
    figure, axes = map_panels(confidence.grid, len(names), synthetic, legend_rows=1)
    for axis, name, codes in zip(axes, names, confidence.values, strict=True):
        show_map(axis, paint(codes, CONFIDENCE, UNCLASSIFIED_COLOUR), confidence.grid)
        _outline(axis, outlines)
        row = scores.get(name)
        title = f"{zone.capitalize()}, band {name}"
        if row is not None and row.get("recall"):
            precision = f"{float(row['precision']):.2f}" if row["precision"] else "undefined"
            title += (
                f": {int(row['found']):,} found, {int(row['n_reference']):,} in the zone\n"
                f"precision {precision}, recall {float(row['recall']):.2f} (either level)"
            )
        axis.set_title(title)
    handles = [swatch(item.colour, item.label) for item in CONFIDENCE]
    handles.append(swatch(UNCLASSIFIED_COLOUR, "None"))
    handles += nodata_swatch(confidence.values)
    if outlines:
        handles.append(_truth_patch())
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    note_choice(figure, len(names), len(scores))
    return figure


@styled
def draw_scores(
    scores: Mapping[str, Raster],
    outlines: Mapping[str, Sequence[np.ndarray]],
    thresholds: Mapping[str, float],
    synthetic: bool,
) -> Figure:
    """The alteration score of each zone under the outlines of the truth; its held-out band if any.

    `scores` are the rasters of score_alteration by zone.
    """
    if not scores:
        return draw_message("There is no alteration score.", synthetic)
    panels = [
        (zone, raster, place)
        for zone, raster in scores.items()
        for place in range(len(raster.bands.names))
    ]
    figure, axes = map_panels(panels[0][1].grid, len(panels), synthetic)
    for axis, (zone, raster, place) in zip(axes, panels, strict=True):
        image = show_ramp(axis, raster.values[place], raster.grid, "viridis", 0, 1)
        _outline(axis, outlines.get(zone, ()))
        colour_bar(axis, image, "Probability; grey = no data")
        held_out = raster.bands.names[place].endswith("held out")
        title = f"{zone.capitalize()}, {'models that did not see the block' if held_out else 'map'}"
        if zone in thresholds and not held_out:
            title += f"; threshold {thresholds[zone]:.2f}"
        axis.set_title(title)
    if any(outlines.values()):
        figure.legend(handles=[_truth_patch()], loc="outside lower center")
    return figure


def _outline(axis: Axes, outlines: Sequence[np.ndarray]) -> None:
    for ring in outlines:
        axis.plot(ring[:, 0], ring[:, 1], color="white", lw=1.8, zorder=2)
        axis.plot(ring[:, 0], ring[:, 1], color=INK, lw=0.8, zorder=2)


def _truth_patch() -> Patch:
    return Patch(facecolor="none", edgecolor=INK, linewidth=0.9, label="Truth")


@styled
def draw_curves(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Precision-recall curves of each zone, with the points of the fixed ranges (curves.csv).

    The band around the score is the 95 % interval of the precision at each threshold; the dotted
    line is the precision of calling every pixel the zone.
    """
    zones = list(dict.fromkeys(row["zone"] for row in rows))
    if not zones:
        return draw_message("The score was not tested, so there are no curves.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 4.9 * math.ceil(len(zones) / 2) + 0.6), layout="constrained")
    axes = figure.subplots(math.ceil(len(zones) / 2), min(2, len(zones)), squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    for axis, zone in zip(axes, zones, strict=False):
        own = [row for row in rows if row["zone"] == zone]
        _draw_zone_curves(axis, own)
        share = int(own[0]["n_reference"]) / int(own[0]["n"])
        axis.axhline(share, color=INK, lw=0.8, ls=":")
        axis.set_title(
            f"{zone.capitalize()}: {int(own[0]['n_reference']):,} of {int(own[0]['n']):,} "
            "tested pixels"
        )
        axis.set_xlabel("Recall")
        axis.set_ylabel("Precision")
        axis.set_xlim(0, 1.01)
        axis.set_ylim(0, 1.03)
        plain_axes(axis, "both")
        # Methods differ from zone to zone (each has its own ratios), so each has its own legend.
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=7.5)
    hide(axes[len(zones) :])
    return figure


def _draw_zone_curves(axis: Axes, rows: Sequence[Mapping[str, str]]) -> None:
    curves = [row for row in rows if row["kind"] == "curve" and row["precision"]]
    for place, method in enumerate(dict.fromkeys(row["method"] for row in curves)):
        own = [row for row in curves if row["method"] == method]
        colour = COLOURS[place % len(COLOURS)]
        recall = [float(row["recall"]) for row in own]
        axis.plot(
            recall,
            [float(row["precision"]) for row in own],
            color=colour,
            lw=2.0 if method == "score" else 1.2,
            label=method_label(method),
        )
        if method == "score" and all(row["precision_low"] for row in own):
            axis.fill_between(
                recall,
                [float(row["precision_low"]) for row in own],
                [float(row["precision_high"]) for row in own],
                color=colour,
                alpha=0.18,
                lw=0,
            )
        point = next(
            (row for row in rows if row["kind"] == "operating" and row["method"] == method), None
        )
        if point is not None and point["precision"]:
            axis.plot(float(point["recall"]), float(point["precision"]), "o", color=colour, ms=6)
    points = [row for row in rows if row["kind"] == "rule" and row["precision"]]
    # Of many bands, as many as other figures show.
    bands = choose_evenly(list(dict.fromkeys(row["method"].split()[1] for row in points)))
    points = [row for row in points if row["method"].split()[1] in bands]
    markers = {"medium": "^", "high": "s", "either": "D"}
    for level, marker in markers.items():
        own = [row for row in points if row["method"].endswith(f" {level}")]
        if not own:
            continue
        axis.plot(
            [float(row["recall"]) for row in own],
            [float(row["precision"]) for row in own],
            marker,
            color=INK,
            mfc="white",
            ms=4.5,
            label=f"Fixed ranges, {level}",
        )
        for row in own:
            axis.annotate(
                row["method"].split()[1],
                (float(row["recall"]), float(row["precision"])),
                xytext=(4, 2),
                textcoords="offset points",
                fontsize=6.5,
            )


@styled
def draw_comparison(record: Mapping, synthetic: bool) -> Figure:
    """F1, precision and recall of all methods on the same test blocks, with 95 % intervals.

    `record` is that of score_alteration; of the fixed ranges and of the ratios only the best
    are drawn.
    """
    if not record.get("assessed"):
        return draw_message(
            f"No accuracy can be stated. {record.get('reason', '')}".strip(), synthetic
        )
    zones = record["zones"]
    shown = {
        item["zone"]: [method for method in item["methods"] if method["method"] in METHOD_LABELS]
        for item in zones
    }
    rows = sum(len(methods) for methods in shown.values())
    figure = Figure(figsize=(WIDTH_IN, 0.5 * rows + 0.55 * len(zones) + 1.3), layout="constrained")
    axes = figure.subplots(
        len(zones),
        1,
        squeeze=False,
        sharex=True,
        height_ratios=[len(shown[item["zone"]]) + 1 for item in zones],
    ).ravel()
    mark_synthetic(figure, synthetic)
    for axis, item in zip(axes, zones, strict=True):
        methods = shown[item["zone"]]
        for place, method in enumerate(methods):
            for shift, key, colour, marker in (
                (-0.22, "f1", INK, "D"),
                (0.0, "precision", BLUE, "o"),
                (0.22, "recall", ORANGE, "s"),
            ):
                draw_interval(axis, place + shift, method[key], colour, marker)
        axis.set_yticks(
            range(len(methods)),
            [
                f"{method_label(method['method'])}\n{method['found']:,} found, "
                f"{method['right']:,} right"
                for method in methods
            ],
            fontsize=7.5,
        )
        axis.set_title(
            f"{item['zone'].capitalize()}: {item['n_reference']:,} of {item['n']:,} tested pixels, "
            f"{item['n_blocks']:,} blocks of {record['block_px']} × {record['block_px']} pixels"
        )
        list_axes(axis, len(methods))
    axes[-1].set_xlim(-0.02, 1.02)
    axes[-1].set_xlabel("Score; bars = 95 % intervals, × = undefined")
    handles = [
        *axes[-1].plot([], [], "D", color=INK, label="F1"),
        *axes[-1].plot([], [], "o", color=BLUE, label="Precision"),
        *axes[-1].plot([], [], "s", color=ORANGE, label="Recall"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def draw_levels(rows: Sequence[Mapping[str, str]], zones: Sequence[str], synthetic: bool) -> Figure:
    """Precision and recall of each zone by band and level as bars, with 95 % intervals.

    `rows` are those of the table of assess_zones.
    """
    tested = [row for row in rows if row.get("recall")]
    if not tested:
        return draw_message("There is no truth to test precision and recall on.", synthetic)
    known = list(dict.fromkeys(row["band"] for row in tested))
    bands = choose_evenly(known)
    levels = [name for name in LEVEL_COLOURS if any(row["level"] == name for row in tested)]
    found = {(row["zone"], row["band"], row["level"]): row for row in tested}
    figure = Figure(figsize=(WIDTH_IN, 2.5 * len(zones) + 0.7), layout="constrained")
    axes = figure.subplots(len(zones), 2, squeeze=False, sharey=True)
    mark_synthetic(figure, synthetic)
    width = 0.8 / len(levels)
    for pair, zone in zip(axes, zones, strict=True):
        for axis, measure in zip(pair, ("precision", "recall"), strict=True):
            for place, level in enumerate(levels):
                at = np.arange(len(bands)) + (place - (len(levels) - 1) / 2) * width
                own = [found.get((zone, band, level)) for band in bands]
                values, low, high = (
                    np.array([_cell(row, f"{measure}{end}") for row in own])
                    for end in ("", "_low", "_high")
                )
                colour = LEVEL_COLOURS[level]
                axis.bar(at, values, width=width * 0.92, color=colour, label=level)
                axis.vlines(at, low, high, color=INK, lw=1.0)
                for x in at[np.isnan(values)]:
                    axis.plot(x, 0, "x", color=INK, ms=4)
            axis.set_xticks(range(len(bands)), bands)
            axis.set_ylim(0, 1.02)
            axis.set_title(f"{zone.capitalize()}: {measure}")
            plain_axes(axis, "y")
    for axis in axes[-1]:
        axis.set_xlabel("Band; × = undefined, nothing was found")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(levels))
    note_choice(figure, len(bands), len(known))
    return figure


@styled
def draw_details(
    rows: Sequence[Mapping[str, str]], profile: Sequence[Mapping[str, str]], synthetic: bool
) -> Figure:
    """HL near faults and LH from zone to zone (details.csv, edge.csv of assess_details)."""
    if not rows:
        return draw_message("There are neither faults nor zones to test the details on.", synthetic)
    known = list(dict.fromkeys(row["band"] for row in rows))
    bands = choose_evenly(known)
    groups = dict.fromkeys(
        (row["subband"], row["measure"], row["first"], row["second"]) for row in rows
    )
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in profile))
    figure = Figure(figsize=(WIDTH_IN, 2.9 * (1 + len(pairs)) + 0.9), layout="constrained")
    axes = figure.subplots(1 + len(pairs), 1, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    width = 0.7 / len(groups)
    for place, group in enumerate(groups):
        own = {
            row["band"]: row
            for row in rows
            if (row["subband"], row["measure"], row["first"], row["second"]) == group
        }
        at = np.arange(len(bands)) + (place - (len(groups) - 1) / 2) * width
        colour = COLOURS[place % len(COLOURS)]
        values, low, high = (
            np.array([_cell(own.get(band), f"auc{end}") for band in bands])
            for end in ("", "_low", "_high")
        )
        subband, measure, first, second = group
        axes[0].plot(
            at,
            values,
            "o",
            color=colour,
            ms=4,
            label=f"{subband}, {measure}: {first} over {second}",
        )
        axes[0].vlines(at, low, high, color=colour, lw=1.6, alpha=0.55)
    axes[0].axhline(0.5, color=INK, lw=0.7, ls=":")
    axes[0].set_xticks(range(len(bands)), bands)
    axes[0].set_xlabel("Band")
    axes[0].set_title("How often one ground has the larger value (area under the ROC curve)")
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=7.5)
    plain_axes(axes[0], "y")
    for axis, pair in zip(axes[1:], pairs, strict=True):
        for place, band in enumerate(bands):
            own = [
                row
                for row in profile
                if (row["first"], row["second"], row["band"]) == (*pair, band)
            ]
            axis.plot(
                [(float(row["from_m"]) + float(row["to_m"])) / 2 for row in own],
                [float(row["mean_size"]) for row in own],
                color=COLOURS[place % len(COLOURS)],
                lw=1.1,
                label=f"Band {band}",
            )
        axis.axvline(0, color=INK, lw=0.8, ls=":")
        axis.set_title(f"Mean size of LH from {pair[0]} (left of 0) to {pair[1]} ground")
        axis.set_xlabel(f"Distance from the edge of {pair[0]} (m)")
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7.5)
        plain_axes(axis, "both")
    note_choice(figure, len(bands), len(known))
    return figure

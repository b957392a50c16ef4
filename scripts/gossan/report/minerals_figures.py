"""Figures of the mineral maps: classes, groups, zones, angles, spectra, areas and accuracy."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, MapClass
from gossan.minerals.groups import GROUP_WORDS
from gossan.minerals.map_tables import Signature
from gossan.report.drawing import (
    BLUE,
    EDGE,
    GREEN,
    GRID_COLOUR,
    INK,
    MOST_DOTS,
    ORANGE,
    WIDTH_IN,
    Raster,
    annotate,
    colour_bar,
    draw_interval,
    draw_matrix,
    draw_message,
    hide,
    list_axes,
    map_panels,
    mark_synthetic,
    paint,
    percentiles,
    plain_axes,
    present_swatches,
    show_map,
    show_ramp,
    styled,
    swatch,
)
from gossan.report.phrases import area_text

ANGLE_WORDS = {
    "origin": ("Spectral angle to the best reference", "radians"),
    "scene": ("Angle to the best reference about the scene's mean", "radians"),
    "sid": ("Spectral information divergence to the best reference", "no unit"),
    "matched_filter": ("1 − score of the best matched filter", "no unit"),
    "ace": ("Angle to the best reference, as of ACE", "radians"),
}
"""What the distance to the winner is called, and its unit, by `minerals.match`."""
GROUP_MAPS = ("First map", "Second, self-taught map")


@styled
def draw_group(maps: Sequence[Raster], classes: Sequence[MapClass], synthetic: bool) -> Figure:
    """The first map of a group of minerals, and beside it the second where there is one."""
    figure, axes = map_panels(maps[0].grid, len(maps), synthetic, legend_rows=1 + len(classes) // 6)
    for axis, shown, title in zip(axes, maps, GROUP_MAPS, strict=False):
        codes = shown.values[0]
        show_map(axis, paint(codes, classes, UNCLASSIFIED_COLOUR), shown.grid)
        clear = np.isfinite(codes)
        named = (codes[clear] > 0).mean() if clear.any() else 0.0
        axis.set_title(f"{title}: {named:.1%} of clear pixels named")
    codes = np.concatenate([shown.values[0].ravel() for shown in maps])
    handles = present_swatches(classes, codes, (UNCLASSIFIED_COLOUR, "Unclassified"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


@styled
def draw_zones(zones: Mapping[str, Raster], classes: Sequence[MapClass], synthetic: bool) -> Figure:
    """One small map per alteration zone, coloured by the classes that mark it."""
    if not zones:
        return draw_message("The study defines no alteration zones.", synthetic)
    grid = next(iter(zones.values())).grid
    figure, axes = map_panels(grid, len(zones), synthetic, legend_rows=1 + len(classes) // 6)
    shown: set[int] = set()
    for axis, (name, zone) in zip(axes, zones.items(), strict=True):
        codes = zone.values[0]
        show_map(axis, paint(codes, classes, UNCLASSIFIED_COLOUR), zone.grid)
        clear = np.isfinite(codes)
        share = (codes[clear] > 0).mean() if clear.any() else 0.0
        axis.set_title(f"{name.replace('-', ' + ').capitalize()}: {share:.1%} of clear pixels")
        shown |= {item.code for item in classes if (codes == item.code).any()}
    handles = [swatch(item.colour, item.label) for item in classes if item.code in shown]
    handles.append(swatch(UNCLASSIFIED_COLOUR, "Not in the zone"))
    if any(np.isnan(zone.values[0]).any() for zone in zones.values()):
        handles.append(swatch(NODATA_COLOUR, "No data (masked)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


@styled
def draw_angles(
    angle: Raster,
    margin: Raster,
    synthetic: bool,
    classes: Sequence[MapClass] = (),
    match: str = "origin",
) -> Figure:
    """The winner's angle, and how far behind the runner-up lies, in radians.

    The thresholds of `classes` are marked on the scale of the angle. `match` says what the angle,
    or other distance, is (ANGLE_WORDS).
    """
    title_of_angle, unit = ANGLE_WORDS[match]
    figure, axes = map_panels(angle.grid, 2, synthetic)
    limits = sorted({item.max_angle_rad for item in classes if item.max_angle_rad is not None})
    for axis, raster, title, ramp, marks in (
        (axes[0], angle, title_of_angle, "viridis_r", limits),
        (axes[1], margin, "Margin to the second best", "viridis", []),
    ):
        values = raster.values[0]
        low, upper, high = percentiles(values, 2, 75, 98)
        # Vegetation and water fit no mineral: their large angles would leave no contrast.
        high = min(high, 2 * upper) if upper > 0 else high
        marks = [mark for mark in marks if mark < 2 * high]
        low, high = min([low, *marks]), max([high, *(1.1 * mark for mark in marks)])
        notes = [unit]
        if marks:
            edges = " to ".join(f"{mark:g}" for mark in dict.fromkeys((marks[0], marks[-1])))
            notes.append(f"orange = threshold{'s' if len(marks) > 1 else ''} {edges}")
        if np.isnan(values).any():
            notes.append("grey = no data")
        image = show_ramp(axis, values, raster.grid, ramp, low, high)
        bar = colour_bar(axis, image, "; ".join(notes), extend="max")
        for mark in marks:
            bar.axvline(mark, color="white", lw=4)
            bar.axvline(mark, color=ORANGE, lw=2)
        axis.set_title(title)
    return figure


@styled
def draw_distances(distances: Sequence[Mapping], match: str, synthetic: bool) -> Figure:
    """Histograms of the distances to the nearest reference of each map, with its limits.

    `distances` are those of an explanation (minerals.explanation.describe_distances).
    """
    shown = [item for item in distances if item["histogram"]]
    if not shown:
        return draw_message("No pixel has a distance to a reference.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 2.9), layout="constrained")
    mark_synthetic(figure, synthetic)
    title, unit = ANGLE_WORDS[match]
    for axis, item in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        edges, counts = (np.array(item["histogram"][key]) for key in ("edges", "counts"))
        share = counts / max(item["pixels"], 1)
        axis.bar(edges[:-1], share, np.diff(edges), align="edge", color=BLUE, edgecolor="white")
        for limit in dict.fromkeys(item["limit"] or []):
            axis.axvline(limit, color=ORANGE, lw=2)
        where = f" at {GROUP_WORDS[item['group']][0]}" if item["group"] else ""
        axis.set_title(f"{title}{where}" if len(shown) == 1 else where.strip().capitalize())
        axis.set_xlabel(f"{unit}; n = {item['pixels']:,} pixels")
        axis.yaxis.set_major_formatter(PercentFormatter(1.0))
        axis.set_ylabel("Share of clear pixels")
        plain_axes(axis, "y")
    return figure


@styled
def draw_spectra(
    wavelength_um: np.ndarray,
    references: Mapping[str, np.ndarray],
    signatures: Mapping[str, Signature],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Mean ± standard deviation of each class's pixels over its library reference, per band.

    All arrays have one value per band. A reference is scaled to the length of the scene's mean
    spectrum, because the spectral angle compares shapes and ignores brightness.
    """
    present = [item for item in classes if item.name in references]
    if not present:
        return draw_message("There is no reference spectrum to draw.", synthetic)
    columns = min(4, len(present))
    rows = math.ceil(len(present) / columns)
    figure = Figure(figsize=(WIDTH_IN, 2.05 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    mark_synthetic(figure, synthetic)
    order = np.argsort(wavelength_um)
    x = np.asarray(wavelength_um)[order]
    # Hundreds of dots would hide the line.
    dots = "os" if len(x) <= MOST_DOTS else ("", "")
    for place, (axis, item) in enumerate(zip(axes, present, strict=False)):
        reference = np.asarray(references[item.name], dtype=float)[order]
        signature = signatures.get(item.name)
        if signature is None or signature.pixels == 0:
            axis.set_title(f"{item.label}\nnot mapped", color=EDGE)
        else:
            mean, std = signature.mean[order], signature.std[order]
            reference = reference * _length_ratio(mean, reference)
            axis.fill_between(x, mean - std, mean + std, color=item.colour, alpha=0.35, lw=0)
            style = {"lw": 1.3, "ms": 4.5, "mfc": item.colour, "mec": INK, "mew": 0.6}
            axis.plot(x, mean, f"{dots[0]}-", color=INK, **style)
            axis.set_title(f"{item.label}\n{signature.pixels:,} pixels")
        axis.plot(x, reference, f"{dots[1]}--", color=BLUE, lw=1.1, ms=3.5, mfc="white")
        axis.margins(y=0.12)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.grid(color=GRID_COLOUR, lw=0.6)
        if place + columns >= len(present):
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("Wavelength (µm)")
        if place % columns == 0:
            axis.set_ylabel("Reflectance")
    hide(axes[len(present) :])
    figure.legend(
        handles=[
            *axes[0].plot([], [], "o-", color=INK, mfc="#c9c4b8", label="Scene, mean"),
            Patch(color="#c9c4b8", alpha=0.6, label="± standard deviation"),
            *axes[0].plot(
                [],
                [],
                "s--",
                color=BLUE,
                mfc="white",
                label="Library reference, scaled to the scene's brightness",
            ),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


@styled
def draw_areas(
    areas: Mapping[int, tuple[int, float | None]], classes: Sequence[MapClass], synthetic: bool
) -> Figure:
    """Mapped area of each class: code -> (pixels, km² or None), with its share of clear pixels."""
    total = sum(pixels for pixels, _ in areas.values())
    if not total:
        return draw_message("The map has no clear pixel.", synthetic)
    known = {item.code: (item.label, item.colour) for item in classes}
    known[0] = ("Unclassified", UNCLASSIFIED_COLOUR)
    rows = sorted((code for code in areas if code in known), key=lambda code: areas[code][0])
    unit = all(areas[code][1] is not None for code in rows)
    sizes = [areas[code][1] if unit else areas[code][0] for code in rows]
    figure = Figure(figsize=(WIDTH_IN, 0.3 * len(rows) + 1.3), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    axis.barh(
        range(len(rows)),
        sizes,
        color=[known[code][1] for code in rows],
        edgecolor=EDGE,
        linewidth=0.6,
        height=0.72,
    )
    for place, (code, size) in enumerate(zip(rows, sizes, strict=True)):
        amount = f"{area_text(size)} km²" if unit else f"{size:,} pixels"
        annotate(axis, f"{amount} · {areas[code][0] / total:.1%}", (size, place))
    axis.set_yticks(range(len(rows)), [known[code][0] for code in rows])
    axis.set_xlim(0, max(sizes) * 1.22)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlabel(
        "Mapped area (km²) · share of clear pixels"
        if unit
        else "Mapped pixels · share of clear pixels"
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return figure


@styled
def draw_confusion(record: Mapping, synthetic: bool) -> Figure:
    """The confusion matrix of an accuracy record: rows sum to one, cells carry pixel counts."""
    if not record["assessed"]:
        return draw_message(f"No confusion matrix. {record['reason']}", synthetic)
    counts = np.array(record["confusion_matrix"]["counts"])
    labels = [item["label"] for item in record["confusion_matrix"]["labels"]]
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.flatnonzero(counts.sum(axis=0))
    counts = counts[np.ix_(rows, columns)]
    longest = max(len(f"{count:,}") for count in counts.ravel())
    # Full counts: a digit of DejaVu Sans is about 0.64 of its size wide, and cells share 6.6 in.
    size = min(7.5, 6.6 * 72 / len(columns) / (0.64 * (longest + 1)))
    height = 0.46 * len(rows) + 2.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    image = draw_matrix(axis, record, rows, columns, fontsize=size)
    axis.set_xticks(
        range(len(columns)),
        [labels[place] for place in columns],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
    )
    axis.set_yticks(
        range(len(rows)),
        [
            f"{labels[place]} ({total:,})"
            for place, total in zip(rows, counts.sum(axis=1), strict=True)
        ],
    )
    axis.set_ylabel("True class (pixels)")
    bar = figure.colorbar(image, ax=axis, shrink=0.7, pad=0.01)
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)
    axis.set_title(f"Pixel counts, n = {record['n']:,}; orange = agreement")
    return figure


@styled
def draw_accuracy(record: Mapping, synthetic: bool) -> Figure:
    """Scores of an accuracy record with their 95 % intervals, overall and per class."""
    if not record["assessed"]:
        return draw_message(f"No accuracy can be stated. {record['reason']}", synthetic)
    scores = record["scores"]
    classes = [item for item in scores["classes"] if item["n_reference"] or item["n_map"]]
    figure = Figure(figsize=(WIDTH_IN, 0.42 * len(classes) + 3.2), layout="constrained")
    top, bottom = figure.subplots(
        2, 1, sharex=True, height_ratios=[3.4, max(1, len(classes)) * 1.0 + 1]
    )
    mark_synthetic(figure, synthetic)
    overall = [
        ("Overall accuracy", scores["overall_accuracy"]),
        ("Kappa", scores["kappa"]),
        ("Macro-F1", scores["macro_f1"]),
    ]
    known = any(value["low"] is not None for _, value in overall)
    for place, (_, value) in enumerate(overall):
        draw_interval(top, place, value, INK, "D")
    top.set_yticks(range(3), [name for name, _ in overall])
    top.set_title(
        f"All tested pixels, n = {record['n']:,} in {scores['n_blocks']:,} blocks of "
        f"{record['block_px']} × {record['block_px']} pixels; "
        f"{'bars = 95 % intervals' if known else 'too few blocks for intervals'}"
    )
    for place, item in enumerate(classes):
        for shift, key, colour, marker in (
            (-0.24, "precision", BLUE, "o"),
            (0.0, "recall", ORANGE, "s"),
            (0.24, "f1", GREEN, "^"),
        ):
            draw_interval(bottom, place + shift, item[key], colour, marker)
    bottom.set_yticks(
        range(len(classes)),
        [f"{item['label']}\n({item['n_reference']:,} in truth)" for item in classes],
        fontsize=7.5,
    )
    bottom.set_title("Per class; × = undefined")
    for axis, rows in ((top, 3), (bottom, len(classes))):
        list_axes(axis, rows)
    low = min([0.0, *(v["low"] for _, v in overall if v["low"] is not None)])
    bottom.set_xlim(low - 0.02, 1.02)
    bottom.set_xlabel("Score")
    for edge in np.arange(len(classes) - 1) + 0.5:
        bottom.axhline(edge, color="#eef0f1", lw=0.8, zorder=0)
    handles = [
        *bottom.plot([], [], "o", color=BLUE, label="Precision (user's accuracy)"),
        *bottom.plot([], [], "s", color=ORANGE, label="Recall (producer's accuracy)"),
        *bottom.plot([], [], "^", color=GREEN, label="F1"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _length_ratio(mean: np.ndarray, reference: np.ndarray) -> float:
    """Factor that gives `reference` the length of `mean`, over bands that both have."""
    both = np.isfinite(mean) & np.isfinite(reference)
    length = np.linalg.norm(reference[both])
    return float(np.linalg.norm(mean[both]) / length) if length > 0 else 1.0

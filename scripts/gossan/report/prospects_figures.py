"""Figures of iron prospectivity: samples, labels, forests, and the map of potential.

Inputs are what the tools wrote: records as mappings, tables as rows of text (tables.read_table),
rasters as drawing.read_small gives them, vector files as drawing.read_shapes gives them. Every
function returns a matplotlib Figure.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, MapClass
from gossan.prospects.potential import GRADED_POTENTIAL, NEGATIVE, POTENTIAL
from gossan.raster import Grid
from gossan.report.drawing import (
    AMBER,
    BLUE,
    COLOURS,
    GRID_COLOUR,
    INK,
    NO_SHAPES,
    ORANGE,
    SKY,
    TRUE_COLOUR_UM,
    WIDTH_IN,
    Raster,
    Shapes,
    colour_bar,
    draw_interval,
    draw_matrix,
    draw_message,
    draw_picture,
    extent,
    frame_map,
    hide,
    kilometres,
    list_axes,
    map_height,
    map_panels,
    mark_synthetic,
    nearest_bands,
    nodata_swatch,
    paint,
    percentiles,
    plain_axes,
    show_map,
    show_ramp,
    styled,
    swatch,
)
from gossan.report.target_marks import TargetMarks, mark_targets, name_targets

SPLIT_LABELS = {"train": "Training points", "test": "Test points"}
MOST_ZOOMS = 3
ZOOM_MARGIN_KM = 0.65


@styled
def draw_looks(looks: Raster, dates: int, synthetic: bool) -> Figure:
    """How often each pixel was seen clear in `dates` dates (looks.tif), as map and histogram."""
    counts = np.nan_to_num(looks.values[0])
    figure, axes = map_panels(looks.grid, 2, synthetic)
    ramp = matplotlib.colormaps["viridis"].resampled(max(dates, 1))
    ramp = ramp.with_extremes(under=NODATA_COLOUR)
    image = axes[0].imshow(
        counts,
        cmap=ramp,
        vmin=0.5,
        vmax=max(dates, 1) + 0.5,
        extent=extent(looks.grid),
        interpolation="nearest",
    )
    colour_bar(axes[0], image, "Clear looks; grey = none, so no data", ticks=8, integer=True)
    axes[0].set_title(f"Clear looks of {dates} dates")
    axis = axes[1]
    position = axis.get_subplotspec()
    axis.remove()
    axis = figure.add_subplot(position)
    steps = np.arange(dates + 1)
    share = np.array([(np.rint(counts) == step).mean() for step in steps])
    colours = [NODATA_COLOUR, *[BLUE] * dates]
    axis.bar(steps, 100 * share, color=colours, edgecolor=INK, linewidth=0.5)
    if dates <= 12:
        for step, value in zip(steps, share, strict=True):
            axis.annotate(
                f"{value:.1%}",
                (step, 100 * value),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
    axis.set_title("Pixels by number of clear looks")
    axis.set_xlabel("Clear looks")
    axis.set_ylabel("Pixels (%)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_axes(axis, "y")
    return figure


@styled
def draw_strata(
    cube: Raster,
    mines: Shapes,
    samples: Mapping[str, np.ndarray],
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Where the samples lie, around each mine as well, over the paper's Table 1 (strata.csv).

    `samples` maps the names of `classes` to points (n, 2) in units of the map.
    """
    unit_km = kilometres(cube.grid)
    zooms = []
    if unit_km is not None:
        zooms = [_around(ring, cube.grid, unit_km) for ring in mines.rings[:MOST_ZOOMS]]
    panels = 1 + len(zooms)
    columns = panels if panels < 4 else 2
    deep = math.ceil(panels / columns)
    strata = list(dict.fromkeys((row["mine"], row["stratum"]) for row in rows))
    table_in = 0.24 * (len(strata) + 2)
    map_in = map_height(cube.grid, 8.4 / columns)
    figure = Figure(figsize=(WIDTH_IN, deep * map_in + table_in + 0.8), layout="constrained")
    mark_synthetic(figure, synthetic)
    frame = figure.add_gridspec(
        deep + 1, columns, height_ratios=[*[map_in] * deep, table_in], hspace=0.06
    )
    picture = _background(cube)
    for place in range(panels):
        axis = figure.add_subplot(frame[place // columns, place % columns])
        show_map(axis, picture, cube.grid)
        frame_map(axis, cube.grid if place == 0 else zooms[place - 1])
        size = 7 if place == 0 else 22
        for item in classes:
            xy = samples.get(item.name, np.zeros((0, 2)))
            axis.scatter(*xy.T, s=size, color=item.colour, edgecolor="white", lw=0.4, zorder=3)
        _rings(axis, mines.rings, INK)
        axis.set_title("All samples" if place == 0 else f"Around mine {place}")
        if place % columns:
            axis.set_ylabel("")
    _draw_strata_table(figure.add_subplot(frame[deep, :]), rows, strata, classes)
    handles = [_marker("o", item.colour, item.label) for item in classes]
    handles.append(Patch(facecolor="none", edgecolor=INK, label="Mine"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _background(cube: Raster) -> np.ndarray:
    """The cube in true colour, else its first band in grey, paled so that points stand out."""
    bands = nearest_bands(cube.bands, TRUE_COLOUR_UM) or [0, 0, 0]
    return draw_picture(cube, bands, pale=0.35)


def _around(ring: np.ndarray, grid: Grid, unit_km: float) -> Grid:
    """A square piece of ground around a ring in kilometres, the nearest strata included."""
    low, high = ring.min(axis=0) / unit_km, ring.max(axis=0) / unit_km
    side = (high - low).max() + 2 * ZOOM_MARGIN_KM / unit_km
    west, north = (low[0] + high[0] - side) / 2, (low[1] + high[1] + side) / 2
    return Grid(grid.crs, Affine(side, 0, west, 0, -side, north), 1, 1)


def _rings(axis: Axes, rings: Sequence[np.ndarray], colour: str, width: float = 0.9) -> None:
    for ring in rings:
        axis.plot(*ring.T, color="white", lw=2.2 * width, zorder=2)
        axis.plot(*ring.T, color=colour, lw=width, zorder=2)


def _marker(marker: str, colour: str, label: str, edge: str = "white") -> Line2D:
    return Line2D([], [], marker=marker, ls="", color=colour, mec=edge, mew=0.5, ms=6, label=label)


def _draw_strata_table(
    axis: Axes,
    rows: Sequence[Mapping[str, str]],
    strata: Sequence[tuple[str, str]],
    classes: Sequence[MapClass],
) -> None:
    axis.set_axis_off()
    found = {(row["mine"], row["stratum"], row["class"]): row for row in rows}
    cells, totals = [], np.zeros((len(classes), 2), int)
    for mine, stratum in strata:
        line = [mine, stratum]
        for place, item in enumerate(classes):
            row = found.get((mine, stratum, item.name))
            line.append("–" if row is None else f"{row['train']} + {row['test']}")
            if row is not None:
                totals[place] += int(row["train"]), int(row["test"])
        cells.append(line)
    cells.append(["All", "", *(f"{train} + {test}" for train, test in totals)])
    table = axis.table(
        cells,
        colLabels=["Mine", "Stratum", *(item.label for item in classes)],
        colWidths=[0.14, 0.14, *[0.72 / len(classes)] * len(classes)],
        cellLoc="center",
        bbox=(0, 0, 1, 1),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor(GRID_COLOUR)
        if row in (0, len(cells)):
            cell.set_text_props(fontweight="bold")
        if column < 2:
            cell.set_text_props(ha="left")
    axis.set_title("Sample points by mine, stratum and class: training + test")


@styled
def draw_scan(
    rows: Sequence[Mapping[str, str]], published: Mapping[str, float], synthetic: bool
) -> Figure:
    """Macro-F1 and ore false positives by threshold, a panel per reference (scan.csv).

    `published` are the thresholds of the paper by reference, radians.
    """
    names = list(dict.fromkeys(row["reference"] for row in rows))
    if not names:
        return draw_message("No thresholds were tried.", synthetic)
    deep = math.ceil(len(names) / 2)
    figure = Figure(figsize=(WIDTH_IN, 2.7 * deep + 0.8), layout="constrained")
    axes = figure.subplots(deep, min(2, len(names)), squeeze=False, sharey=True).ravel()
    mark_synthetic(figure, synthetic)
    for axis, name in zip(axes, names, strict=False):
        own = [row for row in rows if row["reference"] == name]
        at = [float(row["threshold_rad"]) for row in own]
        for column, colour in (
            ("best_macro_f1", SKY),
            ("macro_f1", BLUE),
            ("ore_false_positive_share", ORANGE),
        ):
            values = [float(row[column] or "nan") for row in own]
            axis.plot(at, values, "o-", color=colour, ms=2.5, lw=1.3)
        for row in own:
            if row["chosen"] == "yes":
                axis.axvline(float(row["threshold_rad"]), color=INK, lw=1.0)
                title = f"{name.capitalize()}: {float(row['threshold_rad']):g} rad"
        if name in published:
            axis.axvline(published[name], color=INK, lw=1.0, ls=":")
            title += f" (paper {published[name]:g})"
        axis.set_title(title)
        axis.set_ylim(-0.02, 1.02)
        plain_axes(axis, "both")
    hide(axes[len(names) :])
    for axis in axes[max(0, len(names) - 2) : len(names)]:
        axis.set_xlabel("Threshold (rad)")
    handles = [
        Line2D([], [], color=BLUE, label="Macro-F1, other thresholds as chosen"),
        Line2D([], [], color=SKY, label="Macro-F1, best others"),
        Line2D([], [], color=ORANGE, label="Other points called ore (share)"),
        Line2D([], [], color=INK, label="Chosen"),
        Line2D([], [], color=INK, ls=":", label="Paper"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def draw_robustness(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Scores after thresholds were shifted by some hundredths of a radian (robustness.csv)."""
    if not rows:
        return draw_message("The thresholds' robustness was not tested.", synthetic)
    shifts = list(dict.fromkeys((row["reference"], row["shift_rad"]) for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    found = {(row["reference"], row["shift_rad"], row["split"]): row for row in rows}
    figure = Figure(figsize=(WIDTH_IN, 0.28 * len(shifts) + 1.5), layout="constrained")
    # Ticks at the ends of neighbouring scales would touch.
    figure.get_layout_engine().set(wspace=0.06)
    axes = figure.subplots(1, 3, sharey=True)
    mark_synthetic(figure, synthetic)
    panels = (
        ("macro_f1", "Macro-F1"),
        ("ore_false_positive_share", "Other points called ore"),
        ("iron_share", "Pixels with an iron grade"),
    )
    for axis, (column, title) in zip(axes, panels, strict=True):
        # The share of the scene is the same whatever the points.
        whole = column == "iron_share"
        for place, split in enumerate(splits[:1] if whole else splits):
            colour = INK if whole else COLOURS[place % len(COLOURS)]
            values = [
                float((found.get((*shift, split)) or {}).get(column) or "nan") for shift in shifts
            ]
            axis.plot(
                values,
                np.arange(len(shifts)) + (0 if whole else 0.2 * place - 0.1 * (len(splits) - 1)),
                "D" if whole else "os"[place % 2],
                color=colour,
                ms=5,
                label=SPLIT_LABELS.get(split, split) if column == "macro_f1" else None,
            )
            # The first row is unshifted: what the others are to be compared with.
            axis.axvline(values[0], color=colour, lw=0.7, ls=":")
        axis.set_title(title)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.margins(x=0.12)
        plain_axes(axis, "both")
    axes[0].set_yticks(
        range(len(shifts)),
        [
            "as chosen" if name == "none" else f"{name} {float(shift):+g} rad"
            for name, shift in shifts
        ],
    )
    axes[0].set_ylim(len(shifts) - 0.5, -0.5)
    figure.legend(loc="outside lower center", ncols=len(splits))
    return figure


@styled
def draw_labels(
    similarity: Raster,
    minerals: Sequence[str],
    labels: Raster,
    classes: Sequence[MapClass],
    hosts: Shapes,
    synthetic: bool,
) -> Figure:
    """Similarity to each of the `minerals` (bands of similarity.tif), and the seven classes.

    `hosts` are the outlines of the iron-hosting units.
    """
    names = [name for name in minerals if name in similarity.bands.names]
    present = [item for item in classes if (labels.values[0] == item.code).any()]
    figure, axes = map_panels(
        labels.grid, len(names) + 1, synthetic, legend_rows=1 + len(present) // 4
    )
    for axis, name in zip(axes, names, strict=False):
        values = similarity.values[similarity.bands.names.index(name)]
        image = show_ramp(axis, values, similarity.grid, "viridis", 0, 1)
        colour_bar(axis, image, "1 − angle / largest angle")
        axis.set_title(f"Similarity to {name}")
    show_map(axes[-1], paint(labels.values[0], classes, UNCLASSIFIED_COLOUR), labels.grid)
    _rings(axes[-1], hosts.rings, INK, 0.7)
    axes[-1].set_title("Classes from the similarity")
    handles = [swatch(item.colour, item.label) for item in present]
    if hosts.rings:
        handles.append(Patch(facecolor="none", edgecolor=INK, label="Iron-hosting unit"))
    handles += nodata_swatch(labels.values)
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@styled
def draw_confusions(records: Mapping[str, Mapping], synthetic: bool) -> Figure:
    """Confusion matrices of several accuracy records by title, side by side.

    Rows sum to one, cells carry counts.
    """
    shown = {title: record for title, record in records.items() if record["assessed"]}
    if not shown:
        return draw_message("No confusion matrix: nothing was assessed.", synthetic)
    longest = max(len(r["confusion_matrix"]["labels"]) for r in shown.values())
    columns = min(2, len(shown))
    deep = math.ceil(len(shown) / columns)
    height = deep * (0.42 * longest + 1.7) + 0.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    for place, (axis, (title, record)) in enumerate(zip(axes, shown.items(), strict=False)):
        _draw_matrix(axis, title, record)
        if place % columns:
            axis.set_ylabel("")
    hide(axes[len(shown) :])
    return figure


def _draw_matrix(axis: Axes, title: str, record: Mapping) -> None:
    counts = np.array(record["confusion_matrix"]["counts"])
    labels = [item["label"] for item in record["confusion_matrix"]["labels"]]
    kept = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    draw_matrix(axis, record, kept, kept, fontsize=7, share=True)
    names = [labels[place] for place in kept]
    axis.set_xticks(
        range(len(kept)), names, rotation=30, ha="right", rotation_mode="anchor", fontsize=7.5
    )
    axis.set_yticks(range(len(kept)), names, fontsize=7.5)
    axis.set_ylabel("True class")
    axis.set_title(f"{title}, n = {record['n']:,}")


@styled
def draw_splits(
    records: Mapping[str, Mapping],
    published: Mapping[str, float],
    source: str,
    synthetic: bool,
) -> Figure:
    """Scores of several accuracy records by title with 95 % intervals, beside published ones.

    `published` maps overall_accuracy, kappa, macro_f1 and class names to the values of `source`.
    """
    shown = {title: record for title, record in records.items() if record["assessed"]}
    if not shown:
        return draw_message("No accuracy can be stated: nothing was assessed.", synthetic)
    rows = {
        "overall_accuracy": "Overall accuracy",
        "kappa": "Kappa",
        "macro_f1": "Macro-F1",
    }
    for record in shown.values():
        for item in record["scores"]["classes"]:
            if item["n_reference"]:
                rows.setdefault(item["name"], f"F1 {item['label']}")
    step = 0.7 / max(1, len(shown))
    height = (0.22 * len(shown) + 0.2) * len(rows) + 0.28 * math.ceil(len(shown) / 2) + 1.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    for place, (title, record) in enumerate(shown.items()):
        colour = COLOURS[place % len(COLOURS)]
        own = {item["name"]: item["f1"] for item in record["scores"]["classes"]}
        for row, key in enumerate(rows):
            value = own.get(key, record["scores"].get(key))
            if value is not None:
                shift = (place - (len(shown) - 1) / 2) * step
                draw_interval(axis, row + shift, value, colour, "os^Dv"[place % 5])
        axis.plot([], [], "os^Dv"[place % 5], color=colour, label=f"{title} (n = {record['n']:,})")
    for row, key in enumerate(rows):
        if key in published:
            axis.plot([published[key]] * 2, [row - 0.42, row + 0.42], color=INK, lw=1.2, ls=":")
    if published:
        axis.plot([], [], color=INK, lw=1.2, ls=":", label=source)
    for edge in np.arange(len(rows) - 1) + 0.5:
        axis.axhline(edge, color="#eef0f1", lw=0.8, zorder=0)
    axis.set_yticks(range(len(rows)), rows.values())
    axis.set_xlim(right=1.02)
    axis.set_xlabel("Score; bars = 95 % intervals, × = undefined")
    list_axes(axis, len(rows))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def draw_importance(
    rows: Sequence[Mapping[str, str]],
    splits_called: Mapping[str, str],
    synthetic: bool,
    most: int = 20,
) -> Figure:
    """Permutation importance of layers, a panel per plan (importance.csv), both splits.

    The `most` layers of the largest loss on the last split are drawn; `splits_called` are names
    of the splits for the legend.
    """
    if not rows:
        return draw_message("The importance of the layers was not measured.", synthetic)
    plans = list(dict.fromkeys(row["plan"] for row in rows))
    splits = list(dict.fromkeys(row["protocol"] for row in rows))
    found = {(row["plan"], row["protocol"], row["layer"]): row for row in rows}
    figure, axes, shown = _feature_panels(
        {
            plan: _ranked({r["layer"]: float(r["loss"]) for r in rows if r["plan"] == plan}, most)
            for plan in plans
        },
        synthetic,
    )
    for axis, plan in zip(axes, plans, strict=True):
        for place, split in enumerate(splits):
            at = np.arange(len(shown[plan])) + (place - (len(splits) - 1) / 2) * 0.36
            own = [found.get((plan, split, layer)) for layer in shown[plan]]
            at, own = at[[row is not None for row in own]], [row for row in own if row is not None]
            axis.barh(
                at,
                [float(row["loss"]) for row in own],
                color=COLOURS[place % len(COLOURS)],
                height=0.34,
                label=splits_called.get(split, split).capitalize() if axis is axes[0] else None,
            )
            for height, row in zip(at, own, strict=True):
                ends = [float(row["loss_lowest"]), float(row["loss_highest"])]
                axis.plot(ends, [height] * 2, color=INK, lw=1.1)
        axis.axvline(0, color=INK, lw=0.7)
        axis.set_xlabel("Loss of overall accuracy; black = range of shuffles")
    figure.legend(loc="outside lower center", ncols=max(1, len(splits)))
    return figure


def _ranked(sizes: Mapping[str, float], most: int) -> list[str]:
    return sorted(sizes, key=lambda name: -sizes[name])[:most]


def _feature_panels(
    shown: Mapping[str, list[str]], synthetic: bool
) -> tuple[Figure, list[Axes], Mapping[str, list[str]]]:
    """A panel per plan with its features down the side."""
    longest = max(len(names) for names in shown.values())
    figure = Figure(figsize=(WIDTH_IN, 0.27 * longest + 1.7), layout="constrained")
    axes = list(figure.subplots(1, len(shown), squeeze=False).ravel())
    mark_synthetic(figure, synthetic)
    for axis, (plan, names) in zip(axes, shown.items(), strict=True):
        axis.set_yticks(range(len(names)), names, fontsize=7.5)
        axis.set_ylim(longest - 0.5, -0.5)
        axis.set_title(f"Plan: {plan}")
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        plain_axes(axis, "x")
    return figure, axes, shown


@styled
def draw_shap(
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
    synthetic: bool,
    most: int = 20,
) -> Figure:
    """Mean size of the SHAP values of features, stacked by class, a panel per plan (shap.csv).

    The `most` features of the largest sum over the classes are drawn.
    """
    if not rows:
        return draw_message("No SHAP values were computed.", synthetic)
    plans = list(dict.fromkeys(row["plan"] for row in rows))
    sizes = {plan: {} for plan in plans}
    for row in rows:
        own = sizes[row["plan"]]
        own[row["feature"]] = own.get(row["feature"], 0.0) + float(row["mean_abs"])
    found = {(row["plan"], row["feature"], row["class"]): float(row["mean_abs"]) for row in rows}
    present = [item for item in classes if any(row["class"] == item.name for row in rows)]
    figure, axes, shown = _feature_panels(
        {plan: _ranked(sizes[plan], most) for plan in plans}, synthetic
    )
    for axis, plan in zip(axes, plans, strict=True):
        start = np.zeros(len(shown[plan]))
        for item in present:
            values = np.array([found.get((plan, name, item.name), 0.0) for name in shown[plan]])
            axis.barh(
                range(len(values)),
                values,
                left=start,
                color=item.colour,
                edgecolor="white",
                linewidth=0.4,
                height=0.7,
                label=item.label if axis is axes[0] else None,
            )
            start += values
        points = next(row["points"] for row in rows if row["plan"] == plan)
        part = f", first {most}" if len(sizes[plan]) > most else ""
        axis.set_title(f"Plan: {plan}; {len(sizes[plan])} features{part}, n = {int(points):,}")
        axis.set_xlabel("Mean |SHAP value|, summed over the classes")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@styled
def draw_probability(probability: Raster, uncertainty: Raster, synthetic: bool) -> Figure:
    """Probability of any iron class and of its high grades, and each band of the uncertainty.

    Of classes that are no grades of iron, the probability of each pixel's most probable one.
    """
    names = probability.bands.names
    iron = [place for place, name in enumerate(names) if name != NEGATIVE]
    high = [place for place in iron if names[place].endswith("-high")]
    if len(iron) < len(names):
        panels = [("Probability of an iron class", probability.values[iron].sum(axis=0), True)]
    else:
        panels = [("Probability of the mapped class", probability.values.max(axis=0), True)]
    if high:
        panels.append(("Probability of a high grade", probability.values[high].sum(axis=0), True))
    panels += [
        (f"Uncertainty: {name.replace('_', ' ')}", values, False)
        for name, values in zip(uncertainty.bands.names, uncertainty.values, strict=True)
    ]
    figure, axes = map_panels(probability.grid, len(panels), synthetic)
    for axis, (title, values, is_probability) in zip(axes, panels, strict=True):
        top = 1.0 if is_probability else percentiles(values, 0, 99.5)[1]
        ramp = "viridis" if is_probability else "magma"
        image = show_ramp(axis, values, probability.grid, ramp, 0, top)
        colour_bar(axis, image, "")
        axis.set_title(title)
    return figure


@styled
def draw_potential(
    potential: Raster,
    claims: Shapes,
    occurrences: Shapes,
    targets: TargetMarks,
    record: Mapping | None,
    synthetic: bool,
    known_mines: Shapes = NO_SHAPES,
) -> Figure:
    """The map of potential with claims, occurrences and targets.

    `record` is that of rank_targets, None where no targets were ranked; `known_mines` are mines
    that taught nothing.
    """
    codes = potential.values[0]
    figure = Figure(figsize=(WIDTH_IN, map_height(potential.grid, 7.0)), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    show_map(axis, paint(codes, POTENTIAL, UNCLASSIFIED_COLOUR), potential.grid)
    frame_map(axis, potential.grid)
    limits = axis.get_xlim(), axis.get_ylim()
    for ring in claims.rings:
        axis.plot(*ring.T, color=INK, lw=0.8, zorder=2)
    for points, marker, colour, size in (
        (claims.points, "s", INK, 16),
        (occurrences.points, "o", BLUE, 26),
    ):
        axis.scatter(
            *points.T, marker=marker, s=size, color=colour, edgecolor="white", lw=0.6, zorder=3
        )
    _rings(axis, occurrences.rings, BLUE)
    _mark_mines(axis, known_mines)
    marks = mark_targets(axis, targets)
    axis.set_xlim(limits[0])
    axis.set_ylim(limits[1])
    clear = np.isfinite(codes).sum()
    share = (
        {item.name: (codes == item.code).sum() / max(clear, 1) for item in POTENTIAL}
        if record is None
        else {item["name"]: item["share"] for item in record["potential"]}
    )
    handles = [
        swatch(item.colour, f"{item.label} ({share.get(item.name) or 0:.1%})")
        for item in reversed(POTENTIAL)
    ]
    handles += nodata_swatch(codes)
    if claims.rings or len(claims.points):
        handles.append(
            Patch(facecolor="none", edgecolor=INK, label="Claim")
            if claims.rings
            else _marker("s", INK, "Claim")
        )
    if occurrences.rings or len(occurrences.points):
        handles.append(_marker("o", BLUE, "Occurrence"))
    if known_mines.rings or len(known_mines.points):
        handles.append(_marker("*", AMBER, "Known mine, taught nothing", edge=INK))
    handles += marks
    figure.legend(
        handles=handles,
        loc="outside right upper",
        title="Potential (share of area)",
        alignment="left",
    )
    if record is not None and record["note"]:
        axis.set_title(textwrap.fill(record["note"], 80))
    name_targets(axis, targets)
    return figure


def _mark_mines(axis: Axes, mines: Shapes) -> None:
    """Mark mines by stars: at their points, or in the middle of their outlines."""
    middles = [ring.mean(axis=0) for ring in mines.rings]
    points = np.array([*mines.points, *middles]).reshape(-1, 2)
    axis.scatter(*points.T, marker="*", s=110, color=AMBER, edgecolor=INK, lw=0.8, zorder=4)


@styled
def draw_beside(
    maps: Mapping[str, Raster],
    claims: Shapes,
    occurrences: Shapes,
    known_mines: Shapes,
    synthetic: bool,
) -> Figure:
    """Maps of potential by their titles, side by side, with claims, occurrences and known mines.

    Of a map with a class of no potential, low potential is a finding; of others it is the rest.
    """
    first = next(iter(maps.values()))
    figure, axes = map_panels(first.grid, len(maps), synthetic, legend_rows=2)
    handles = []
    for axis, (title, potential) in zip(axes, maps.items(), strict=True):
        codes = potential.values[0]
        graded = (codes == GRADED_POTENTIAL[-1].code).any()
        classes = GRADED_POTENTIAL if graded else POTENTIAL
        show_map(axis, paint(codes, classes, UNCLASSIFIED_COLOUR), potential.grid)
        limits = axis.get_xlim(), axis.get_ylim()
        for ring in claims.rings:
            axis.plot(*ring.T, color=INK, lw=0.7, zorder=2)
        for points, marker, colour in ((claims.points, "s", INK), (occurrences.points, "o", BLUE)):
            axis.scatter(*points.T, marker=marker, s=18, color=colour, edgecolor="white", lw=0.5)
        _mark_mines(axis, known_mines)
        axis.set_xlim(limits[0])
        axis.set_ylim(limits[1])
        clear = max(np.isfinite(codes).sum(), 1)
        rising = (*classes[3:], *classes[:3])
        shares = ", ".join(
            f"{item.name} {(codes == item.code).sum() / clear:.1%}" for item in reversed(rising)
        )
        axis.set_title(f"{title}\n{shares}", fontsize=9)
        handles += [swatch(item.colour, item.label) for item in classes]
        handles += nodata_swatch(potential.values)
    unique = {(item.get_label(), item.get_facecolor()): item for item in handles}
    shown = [*unique.values()]
    if claims.rings:
        shown.append(Patch(facecolor="none", edgecolor=INK, label="Claim"))
    elif len(claims.points):
        shown.append(_marker("s", INK, "Claim"))
    if len(occurrences.points):
        shown.append(_marker("o", BLUE, "Occurrence"))
    if known_mines.rings or len(known_mines.points):
        shown.append(_marker("*", AMBER, "Known mine, taught nothing", edge=INK))
    figure.legend(handles=shown, loc="outside lower center", ncols=4)
    return figure

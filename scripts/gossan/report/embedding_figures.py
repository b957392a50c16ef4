"""Figures of one embedding of several sensors: map, tests, training and spectra.

Tables are rows of text (tables.read_table, see sensor_scores), rasters as drawing.read_small gives
them. Every function returns a matplotlib Figure.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from gossan.cube.bands import SENSORS, StackBands, sensors_present
from gossan.embedding.answers import ANSWERS
from gossan.embedding.sensor_scores import (
    MACRO,
    ORACLE,
    SENSOR_LABELS,
    VALIDATION,
    Rows,
    list_minerals,
    method_label,
    order_methods,
    pick,
    similarities,
    subset_scores,
)
from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, MapClass
from gossan.raster import BandTable
from gossan.report.drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    TRUE_COLOUR_UM,
    WIDTH_IN,
    Raster,
    annotate,
    colour_bar,
    draw_interval,
    draw_message,
    draw_picture,
    frame_map,
    hide,
    list_axes,
    map_height,
    map_panels,
    mark_synthetic,
    nearest_bands,
    paint,
    percentiles,
    plain_axes,
    read_small,
    show_map,
    show_ramp,
    styled,
    swatch,
)
from gossan.tables import number, value_of

METHOD_COLOURS = {
    "masked": BLUE,
    "filled": SKY,
    "unmasked": ORANGE,
    "ocsvm": PURPLE,
    "isolation_forest": GREEN,
    "sam": INK,
    "shape": AMBER,
}
ABSENT = "#dfe3e5"
SPECTRUM_GAP = 0.06
TRAINING_LINES = {
    "loss": ("Training loss", BLUE, "o-"),
    "val_loss": ("Validation loss", ORANGE, "s-"),
    "active": ("Share of triplets that still cost something", INK, ":"),
}


def read_picture(path: str | Path, bands: StackBands, sensor: str) -> Raster:
    """Three bands of a sensor as red, green and blue, read small from the stack.

    Only these bands are read, so that the hundreds of a stack need no memory. They are the nearest
    to TRUE_COLOUR_UM, or the sensor's first ones where none is near.
    """
    part = bands.part(sensor)
    own = BandTable(bands.names[part], bands.centre_um[part], bands.fwhm_um[part])
    last = len(own.names) - 1
    places = nearest_bands(own, TRUE_COLOUR_UM) or [min(place, last) for place in range(3)]
    return read_small(path, bands=[part.start + place for place in places])


def widest_sensor(bits: Raster, sensors: Sequence[str]) -> str:
    """The sensor that is present at the most pixels of a mask of sensors; the first of equals."""
    present = sensors_present(np.nan_to_num(bits.values[0]).astype(np.uint8), sensors)
    return sensors[int(present.reshape(-1, len(sensors)).sum(axis=0).argmax())]


@styled
def draw_sensors(picture: Raster, bits: Raster, sensors: Sequence[str], synthetic: bool) -> Figure:
    """The scene in true colour (read_picture), and where each sensor has data (sensors.tif)."""
    codes = np.nan_to_num(bits.values[0]).astype(np.uint8)
    present = sensors_present(codes, sensors)
    panels = 1 + len(sensors)
    columns = min(3, panels)
    rows = math.ceil(panels / columns)
    figure = Figure(
        figsize=(WIDTH_IN, rows * (map_height(bits.grid, 8.4 / columns) - 0.35) + 0.8),
        layout="compressed",
    )
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    show_map(axes[0], draw_picture(picture, range(3)), picture.grid)
    axes[0].set_title(f"True colour, {SENSOR_LABELS[picture.bands.names[0].partition(':')[0]]}")
    for place, (axis, sensor) in enumerate(zip(axes[1:], sensors, strict=False)):
        image = np.empty((*codes.shape, 3))
        image[:] = matplotlib.colors.to_rgb(ABSENT)
        image[present[..., place]] = matplotlib.colors.to_rgb(BLUE)
        show_map(axis, image, bits.grid)
        axis.set_title(f"{SENSOR_LABELS[sensor]}: {present[..., place].mean():.1%} of the grid")
    for place, axis in enumerate(axes):
        if place >= panels:
            axis.set_visible(False)
            continue
        frame_map(axis, bits.grid)
        if place % columns:
            axis.set_ylabel("")
            axis.tick_params(labelleft=False)
        if place + columns < panels:
            axis.set_xlabel("")
            axis.tick_params(labelbottom=False)
    handles = [swatch(BLUE, "Sensor has data"), swatch(ABSENT, "Absent or masked")]
    if np.isnan(picture.values).any():
        handles.append(swatch(NODATA_COLOUR, "No picture"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


@styled
def draw_map(
    class_map: Raster,
    answer: Raster,
    distance: Raster,
    truth: Raster | None,
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """The products of map_embedding: minerals, distances, and why pixels have none; and the truth.

    `distance` has in its first band the named mineral's, else the smallest. Pixels of the truth
    that are no mineral of `classes` are drawn as unclassified; each of its bands is a map.
    """
    panels = [("Minerals by the network", class_map.values[0])]
    told = "Truth (simulated)" if synthetic else "Truth"
    maps = [] if truth is None else list(truth.values)
    panels += [
        (told if len(maps) == 1 else f"{told}, map {place}", codes)
        for place, codes in enumerate(maps, start=1)
    ]
    figure, axes = map_panels(class_map.grid, len(panels) + 2, synthetic, legend_rows=3)
    shown: set[int] = set()
    for place, (axis, (title, codes)) in enumerate(zip(axes, panels, strict=False)):
        grid = truth.grid if place else class_map.grid
        show_map(axis, paint(codes, classes, UNCLASSIFIED_COLOUR), grid)
        axis.set_title(title)
        shown |= {item.code for item in classes if (codes == item.code).any()}
    answers = answer.values[0]
    show_map(axes[-2], paint(answers, ANSWERS, NODATA_COLOUR), answer.grid)
    clear = np.isfinite(answers)
    named = (answers[clear] == ANSWERS[0].code).mean() if clear.any() else 0.0
    axes[-2].set_title(f"Answer: {named:.1%} of the pixels are named")
    _show_distance(axes[-1], distance)
    # A legend of its own, because some of its colours are near those of minerals.
    # It lies beside the colour bar, so it needs no place of its own.
    axes[-2].legend(
        handles=[swatch(item.colour, item.label) for item in ANSWERS],
        loc="upper left",
        bbox_to_anchor=(0, -0.13 if truth is not None else -0.02),
    ).set_in_layout(False)
    handles = [swatch(item.colour, item.label) for item in classes if item.code in shown]
    handles.append(swatch(UNCLASSIFIED_COLOUR, "No single mineral"))
    handles.append(swatch(NODATA_COLOUR, "No data"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(5, len(handles)))
    return figure


def _show_distance(axis: Axes, distance: Raster) -> None:
    values = distance.values[0]
    image = show_ramp(axis, values, distance.grid, "viridis_r", *percentiles(values, 2, 98))
    colour_bar(axis, image, "Distance in the embedding; dark = far from all; grey = no data")
    axis.set_title("Distance to the nearest mineral")


@styled
def draw_spectra(
    bands: StackBands,
    references: Mapping[str, np.ndarray],
    classes: Sequence[MapClass],
    synthetic: bool,
    modelled: bool = False,
) -> Figure:
    """Reflectance of each class's reference spectrum in each sensor's bands, a panel per sensor.

    `references` hold one value per band of `bands`; spectra are shifted upwards until none touches
    the one below it.
    """
    shown = [item for item in classes if item.name in references]
    if not shown:
        return draw_message("There is no reference spectrum to draw.", synthetic)
    sensors = bands.sensors
    rows = math.ceil((len(sensors) + 1) / 2)
    figure = Figure(figsize=(WIDTH_IN, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True).ravel()
    mark_synthetic(figure, synthetic)
    shifted = _apart([np.asarray(references[item.name], float) for item in reversed(shown)])
    for axis, sensor in zip(axes, sensors, strict=False):
        part = bands.part(sensor)
        centre = np.array(bands.centre_um[part])
        few = len(centre) <= 20
        for item, values in zip(reversed(shown), shifted, strict=True):
            axis.plot(
                *_with_gaps(centre, values[part], few),
                color=item.colour,
                lw=1.1 if few else 1.5,
                marker="o" if few else None,
                ms=3.5,
                mec=INK,
                mew=0.3,
            )
        axis.set_title(f"{SENSOR_LABELS[sensor]}, {len(centre)} bands")
        plain_axes(axis, "both")
    for place, axis in enumerate(axes):
        if place % 2 == 0:
            axis.set_ylabel("Reflectance, shifted apart")
        if place + 2 >= len(sensors):
            axis.set_xlabel("Wavelength (µm)")
            axis.tick_params(labelbottom=True)
    for axis in axes[len(sensors) :]:
        axis.set_axis_off()
    handles = [Line2D([], [], color=item.colour, lw=3, label=item.label) for item in shown]
    axes[len(sensors)].legend(
        handles=handles,
        loc="center left",
        title="Reference spectra" + (" (modelled)" if modelled else ""),
        alignment="left",
        fontsize=10,
    )
    return figure


def _apart(spectra: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Spectra (bands,) raised, from the first on, to lie a little above the one before."""
    raised = [spectra[0]]
    for values in spectra[1:]:
        gap = np.nan_to_num(raised[-1] - values, nan=-np.inf).max()
        raised.append(values + (gap + SPECTRUM_GAP if np.isfinite(gap) else 0.0))
    return raised


def _with_gaps(centre: np.ndarray, values: np.ndarray, few: bool) -> tuple[np.ndarray, np.ndarray]:
    """A spectrum with a gap where bands are left out, so that no line crosses it."""
    if few or len(centre) < 3:
        return centre, values
    steps = np.diff(centre)
    breaks = np.flatnonzero(steps > 4 * np.median(steps)) + 1
    return np.insert(centre, breaks, np.nan), np.insert(values, breaks, np.nan)


@styled
def draw_detection(
    rows: Rows, published: Sequence[Mapping], labels: Mapping[str, str], synthetic: bool
) -> Figure:
    """F1 of each method by mineral with intervals, at the validation and the oracle threshold.

    `rows` are the table `detection` of assess_detectors; `published` the paper's rows
    (`mineral`, `method`, `f1`), drawn as crosses; `labels` name the minerals.
    """
    rows = [row for row in rows if row["threshold_kind"] in (VALIDATION, ORACLE)]
    minerals = list_minerals(rows)
    methods = order_methods(rows)
    if not minerals:
        return draw_message("No method was tested: there is no truth.", synthetic)
    if pick(rows, mineral=MACRO):
        minerals = [*minerals, MACRO]
    columns = 2 if len(minerals) > 3 else len(minerals)
    deep = math.ceil(len(minerals) / columns)
    height = deep * (0.23 * len(methods) + 0.75) + 0.8
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False, sharex=True, sharey=True).ravel()
    mark_synthetic(figure, synthetic)
    for place, (axis, mineral) in enumerate(zip(axes, minerals, strict=False)):
        for row, method in enumerate(methods):
            colour = METHOD_COLOURS.get(method, INK)
            found = {
                kind: next(
                    iter(pick(rows, mineral=mineral, method=method, threshold_kind=kind)), None
                )
                for kind in (VALIDATION, ORACLE)
            }
            draw_interval(axis, row, value_of(found[VALIDATION], "f1"), colour, "o")
            oracle = number(found[ORACLE], "f1")
            if oracle is not None:
                axis.plot(oracle, row, "o", mfc="white", mec=colour, ms=5, clip_on=False)
            for entry in published:
                if (entry["mineral"], entry["method"]) == (mineral, method):
                    axis.plot(entry["f1"], row, "x", color=INK, ms=6, mew=1.4, clip_on=False)
        name = "Mean of all minerals" if mineral == MACRO else labels.get(mineral, mineral)
        axis.set_title(f"{name}{_counts(rows, mineral)}")
        list_axes(axis, len(methods))
        if place + columns >= len(minerals):
            axis.set_xlabel("F1")
            axis.tick_params(labelbottom=True)
    axes[0].set_yticks(range(len(methods)), [method_label(name) for name in methods])
    axes[0].set_xlim(0, 1)
    hide(axes[len(minerals) :])
    handles = [
        Line2D([], [], marker="o", color=INK, lw=2, ms=5, label="Validation threshold, 95 %"),
        Line2D([], [], marker="o", ls="", mfc="white", mec=INK, ms=5, label="Oracle threshold"),
    ]
    if published:
        crosses = "Paper (threshold chosen on the test map, another scene)"
        handles.append(Line2D([], [], marker="x", ls="", color=INK, mew=1.4, label=crosses))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _counts(rows: Rows, mineral: str) -> str:
    row = next(iter(pick(rows, mineral=mineral, threshold_kind=VALIDATION)), None)
    if row is None:
        return ""
    n, own = number(row, "n"), number(row, "n_mineral")
    return "" if n is None else f", {f'{own:,.0f} of ' if own else ''}n = {n:,.0f}"


@styled
def draw_subsets(rows: Rows, synthetic: bool, mineral: str = MACRO) -> Figure:
    """F1 of every set of sensors (rows) and method (columns), at the validation threshold.

    `rows` are the table `subsets` of assess_detectors.
    """
    scores = subset_scores(rows, mineral)
    if not scores:
        return draw_message("No set of sensors was tested: there is no truth.", synthetic)
    sensors = [name for name in SENSORS if any(name in subset for subset in scores)]
    methods = [name for name in order_methods(rows) if any(name in own for own in scores.values())]
    if not methods:
        return draw_message(
            "No set of sensors has a mean score: a mineral has no threshold or was not measured.",
            synthetic,
        )
    values = np.array([[own.get(name, np.nan) for name in methods] for own in scores.values()])
    return _matrix_figure(
        list(scores),
        sensors,
        [(method_label(name), values[:, place]) for place, name in enumerate(methods)],
        synthetic,
        limits=(0.0, 1.0),
        bar_label="F1 at the validation threshold, mean over the minerals"
        if mineral == MACRO
        else "F1 at the validation threshold",
        digits=(2,),
        dots="Sensors present",
        best=True,
    )


@styled
def draw_similarity(rows: Rows, labels: Mapping[str, str], synthetic: bool) -> Figure:
    """Cosine similarity and Euclidean distance between embeddings with and without sensors.

    `rows` are the table `similarity` of assess_detectors: a row of the picture per set of
    missing sensors, a column per mineral.
    """
    cosine = similarities(rows, "cosine")
    euclid = similarities(rows, "euclidean")
    if not cosine:
        return draw_message("No embeddings were compared.", synthetic)
    sensors = [name for name in SENSORS if any(name in missing for missing in cosine)]
    minerals = list_minerals(rows)

    def columns(table: Mapping) -> list[tuple[str, np.ndarray]]:
        return [
            (
                labels.get(name, name),
                np.array([table.get(missing, {}).get(name, np.nan) for missing in cosine]),
            )
            for name in minerals
        ]

    return _matrix_figure(
        list(cosine),
        sensors,
        columns(cosine),
        synthetic,
        limits=None,
        bar_label="Cosine similarity",
        digits=(4, 3),
        dots="Sensors missing",
        second=(columns(euclid), "Euclidean distance"),
        dot_colour=ORANGE,
    )


def _matrix_figure(
    sets: Sequence[Sequence[str]],
    sensors: Sequence[str],
    columns: Sequence[tuple[str, np.ndarray]],
    synthetic: bool,
    *,
    limits: tuple[float, float] | None,
    bar_label: str,
    digits: Sequence[int],
    dots: str,
    best: bool = False,
    second: tuple[Sequence[tuple[str, np.ndarray]], str] | None = None,
    dot_colour: str = BLUE,
) -> Figure:
    """Sets of sensors as rows of dots beside one or two heat maps with their numbers."""
    blocks = [(columns, bar_label, "viridis", limits)]
    if second is not None:
        blocks.append((second[0], second[1], "viridis_r", None))
    height = 0.245 * len(sets) + 2.3
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    widths = [0.42 * len(sensors), *(max(1.2, 0.9 * len(block[0])) for block in blocks)]
    axes = figure.subplots(1, 1 + len(blocks), width_ratios=widths, squeeze=False)[0]
    mark_synthetic(figure, synthetic)
    _dot_matrix(axes[0], sets, sensors, dot_colour)
    axes[0].set_title(dots)
    for axis, places, block in zip(axes[1:], digits, blocks, strict=True):
        parts, label, ramp, ends = block
        values = np.stack([numbers for _, numbers in parts], axis=1)
        finite = values[np.isfinite(values)]
        low, high = ends or ((finite.min(), finite.max()) if finite.size else (0.0, 1.0))
        image = axis.imshow(
            np.ma.masked_invalid(values),
            cmap=matplotlib.colormaps[ramp].with_extremes(bad=ABSENT),
            vmin=low,
            vmax=max(high, low + 1e-9),
            aspect="auto",
        )
        for (row, column), value in np.ndenumerate(values):
            if not np.isfinite(value):
                continue
            light = (value - low) / max(high - low, 1e-9)
            dark_cell = light > 0.5 if ramp.endswith("_r") else light < 0.5
            winner = best and value == np.nanmax(values[row])
            axis.text(
                column,
                row,
                f"{value:.{places}f}",
                ha="center",
                va="center",
                fontsize=7.5 if values.shape[1] <= 8 else 6.5,
                fontweight="bold" if winner else "normal",
                color="white" if dark_cell else INK,
            )
        axis.set_xticks(
            range(len(parts)),
            [name for name, _ in parts],
            rotation=35,
            ha="left",
            rotation_mode="anchor",
        )
        axis.xaxis.tick_top()
        axis.set_yticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        for edge in _size_edges(sets):
            axis.axhline(edge, color="white", lw=2.5)
        bar = figure.colorbar(image, ax=axis, orientation="horizontal", pad=0.01, aspect=35)
        bar.set_label(label + ("; bold = best of the row" if best else ""))
        bar.outline.set_visible(False)
    return figure


def _dot_matrix(
    axis: Axes, sets: Sequence[Sequence[str]], sensors: Sequence[str], colour: str
) -> None:
    for row, own in enumerate(sets):
        for column, sensor in enumerate(sensors):
            axis.plot(column, row, "o", ms=6, color=colour if sensor in own else ABSENT)
        ends = [column for column, sensor in enumerate(sensors) if sensor in own]
        axis.plot([ends[0], ends[-1]], [row, row], color=colour, lw=1.4, zorder=1)
    axis.set_ylim(len(sets) - 0.5, -0.5)
    axis.set_xlim(-0.6, len(sensors) - 0.4)
    axis.set_xticks(
        range(len(sensors)),
        [SENSOR_LABELS[name] for name in sensors],
        rotation=35,
        ha="left",
        rotation_mode="anchor",
    )
    axis.xaxis.tick_top()
    axis.set_yticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for edge in _size_edges(sets):
        axis.axhline(edge, color="#c4cacf", lw=0.7)


def _size_edges(sets: Sequence[Sequence[str]]) -> list[float]:
    """Between which rows the number of sensors changes."""
    return [
        place + 0.5
        for place, (one, other) in enumerate(itertools.pairwise(sets))
        if len(one) != len(other)
    ]


@styled
def draw_coverage(rows: Rows, labels: Mapping[str, str], synthetic: bool) -> Figure:
    """How often the true mineral is in the answer, against what was asked; and what was answered.

    `rows` are the table `coverage` of assess_detectors.
    """
    if not rows:
        return draw_message("Abstention was not tested: there is no truth.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 0.36 * len(rows) + 2.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    mark_synthetic(figure, synthetic)
    for place, row in enumerate(rows):
        draw_interval(left, place, value_of(row, "covered"), BLUE, "o")
        left.plot(
            [float(row["asked"])] * 2, [place - 0.38, place + 0.38], color=INK, lw=1.4, ls=":"
        )
        start = 0.0
        for name, colour in (("named", BLUE), ("several", AMBER), ("none", ABSENT)):
            share = number(row, name) or 0.0
            right.barh(place, share, left=start, color=colour, height=0.66)
            if share > 0.08:
                right.text(
                    start + share / 2,
                    place,
                    f"{share:.0%}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if colour == BLUE else INK,
                )
            start += share
    names = [f"{labels.get(row['mineral'], row['mineral'].capitalize())}" for row in rows]
    left.set_yticks(
        range(len(rows)),
        [f"{name}\nn = {int(float(row['n'])):,}" for name, row in zip(names, rows, strict=True)],
        fontsize=7.5,
    )
    left.set_title("True mineral is in the answer; dotted = asked")
    right.set_title("What is answered")
    for axis in (left, right):
        axis.set_xlim(0, 1)
        axis.set_xlabel("Share")
        list_axes(axis, len(rows))
    figure.legend(
        handles=[
            swatch(BLUE, "One mineral"),
            swatch(AMBER, "Several: abstains"),
            swatch(ABSENT, "None: abstains"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


@styled
def draw_training(histories: Mapping[str, Sequence[Mapping[str, str]]], synthetic: bool) -> Figure:
    """The columns of TRAINING_LINES by epoch, a panel per network (history.csv)."""
    histories = {name: rows for name, rows in histories.items() if rows}
    if not histories:
        return draw_message("No network was trained.", synthetic)
    columns = min(3, len(histories))
    deep = math.ceil(len(histories) / columns)
    figure = Figure(figsize=(WIDTH_IN, 3.1 * deep + 0.5), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False).ravel()
    mark_synthetic(figure, synthetic)
    handles = {}
    for axis, (name, rows) in zip(axes, histories.items(), strict=False):
        epochs = [number(row, "epoch") for row in rows]
        for column, (label, colour, style) in TRAINING_LINES.items():
            values = [number(row, column) for row in rows]
            if all(value is None for value in values):
                continue
            (handles[column],) = axis.plot(
                epochs,
                [np.nan if value is None else value for value in values],
                style,
                color=colour,
                ms=4 if len(rows) <= 40 else 0,
                lw=1.4,
                label=label,
            )
        axis.set_title(name)
        axis.set_xlabel("Epoch")
        axis.set_ylim(bottom=0)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_axes(axis, "both")
    axes[0].set_ylabel("Loss, share")
    hide(axes[len(histories) :])
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=len(handles))
    return figure


@styled
def draw_gain(rows: Rows, synthetic: bool, base: str = "masked", other: str = "filled") -> Figure:
    """F1 before and after missing sensors are filled in, for each set of sensors (subsets.csv)."""
    every = subset_scores(rows)
    most = max(map(len, every), default=0)
    scores = {
        sensors: own
        for sensors, own in every.items()
        if base in own and other in own and len(sensors) < most
    }
    if not scores:
        return draw_message("Filling in of missing sensors was not tested.", synthetic)
    sensors = [name for name in SENSORS if any(name in subset for subset in scores)]
    figure = Figure(figsize=(WIDTH_IN, 0.235 * len(scores) + 2.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[0.42 * len(sensors), 6])
    mark_synthetic(figure, synthetic)
    _dot_matrix(left, list(scores), sensors, BLUE)
    left.set_title("Sensors present")
    for place, own in enumerate(scores.values()):
        gain = own[other] - own[base]
        colour = BLUE if gain >= 0 else ORANGE
        right.plot([own[base], own[other]], [place, place], color=colour, lw=2)
        right.plot(own[base], place, "o", mfc="white", mec=INK, ms=5)
        right.plot(own[other], place, "o", color=colour, ms=5)
        annotate(right, f"{gain:+.3f}", (max(own[base], own[other]), place), 7, fontsize=7.5)
    list_axes(right, len(scores))
    right.set_yticks([])
    right.set_xlim(0, 1.06)
    right.set_xlabel("F1 at the validation threshold, mean over the minerals")
    figure.legend(
        handles=[
            Line2D([], [], marker="o", ls="", mfc="white", mec=INK, label="As measured"),
            Line2D([], [], marker="o", color=BLUE, label="Filled in: better"),
            Line2D([], [], marker="o", color=ORANGE, label="Filled in: worse"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure

"""Figures of the classification of patches by networks.

Rasters are as drawing.read_small gives them, tables rows of text (tables.read_table), scores as
an accuracy record states them. Every function returns a matplotlib Figure.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gossan.legend import UNCLASSIFIED_COLOUR, MapClass
from gossan.patches.augmentation import RIGHT_ANGLES, count_variants, turn
from gossan.patches.cutting import PatchTable
from gossan.report.drawing import (
    BLUE,
    COLOURS,
    EDGE,
    GRID_COLOUR,
    INK,
    ORANGE,
    WIDTH_IN,
    Raster,
    annotate,
    draw_interval,
    draw_message,
    hide,
    map_panels,
    mark_synthetic,
    paint,
    plain_axes,
    present_swatches,
    show_map,
    show_ramp,
    styled,
    swatch,
)
from gossan.report.phrases import UNDEFINED, part_of, percent

HISTORY = ("epoch", "accuracy", "loss", "val_accuracy", "val_loss")


def pick_examples(table: PatchTable, per_class: int) -> list[np.ndarray]:
    """Places of at most `per_class` patches of each class, from its purest to its most mixed.

    They are evenly spaced in the order of the label's share, so that hard patches are shown too.
    """
    picked = []
    for label, name in enumerate(table.classes):
        own = np.flatnonzero(table.labels == label)
        share = table.shares[own, table.share_names.index(name)]
        order = own[np.lexsort((own, -share))]
        at = np.linspace(0, len(order) - 1, min(per_class, len(order)))
        picked.append(order[np.rint(at).astype(int)])
    return picked


@styled
def draw_patches(
    table: PatchTable,
    images: np.ndarray,
    classes: Sequence[MapClass],
    synthetic: bool,
    per_class: int = 8,
) -> Figure:
    """Painted patches of each class, from pure to mixed, and the variants of one of them.

    `images` (n, size, size, 3) uint8 are the patches of `table`.
    """
    if not len(table):
        return draw_message("There are no patches to draw.", synthetic)
    labels = {item.name: item.label for item in classes}
    examples = pick_examples(table, per_class)
    variants = count_variants(RIGHT_ANGLES)
    columns = max(per_class, variants)
    rows = len(examples) + 1
    figure = Figure(figsize=(WIDTH_IN, 1.18 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    mark_synthetic(figure, synthetic)
    for axis in axes.ravel():
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_color(GRID_COLOUR)
    for row, name, places in zip(axes, table.classes, examples, strict=False):
        share = table.shares[:, table.share_names.index(name)]
        for axis, place in zip(row, places, strict=False):
            axis.imshow(images[place], interpolation="nearest")
            axis.set_title(f"{share[place]:.0%}", fontsize=8, loc="center", pad=2)
        hide(row[len(places) :])
        count = int((table.labels == table.classes.index(name)).sum())
        row[0].set_ylabel(f"{labels.get(name, name).partition(' (')[0]}\n{count:,}", fontsize=8)
    mixed = examples[0][len(examples[0]) // 4]
    for variant, axis in enumerate(axes[-1][:variants]):
        turned = turn(images[[mixed]], variant)[0]
        axis.imshow(turned, interpolation="nearest")
        angle = 360 // RIGHT_ANGLES * (variant // 2)
        axis.set_title(f"{angle}°{', mirrored' if variant % 2 else ''}", fontsize=7, loc="center")
    hide(axes[-1][variants:])
    axes[-1][0].set_ylabel("One patch,\naugmented", fontsize=8)
    figure.supxlabel(
        f"Patches of {table.size_px} × {table.size_px} pixels; above each, the share that its "
        "label covers; black = background",
        fontsize=9,
    )
    return figure


@styled
def draw_pair(class_map: Raster, pair: Sequence[MapClass], synthetic: bool) -> Figure:
    """Where a class map has the classes of a pair, in their colours, and how much of it they are.

    All other ground that is not masked has the colour of no class.
    """
    codes = class_map.values[0]
    own = np.where(np.isin(codes, [item.code for item in pair]) | np.isnan(codes), codes, 0)
    figure, axes = map_panels(class_map.grid, 1, synthetic, legend_rows=1)
    show_map(axes[0], paint(own, pair, UNCLASSIFIED_COLOUR), class_map.grid)
    clear = np.count_nonzero(~np.isnan(codes))
    shares = [f"{item.name} {part_of((codes == item.code).sum(), clear)}" for item in pair]
    axes[0].set_title("Share of the clear ground: " + ", ".join(shares))
    handles = present_swatches(pair, own, (UNCLASSIFIED_COLOUR, "Other ground"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@styled
def draw_training(
    histories: Mapping[str, Sequence[Mapping[str, str]]],
    synthetic: bool,
    published: Mapping[str, float] | None = None,
) -> Figure:
    """Accuracy and loss of each epoch, a row of panels for each training, on common axes.

    `histories` have, by the name of a training, rows with the columns of HISTORY (history.csv),
    accuracies as fractions. `published` are values of the same columns to draw as dotted lines.
    """
    histories = {name: rows for name, rows in histories.items() if rows}
    if not histories:
        return draw_message("The network was not trained.", synthetic)
    published = published or {}
    figure = Figure(figsize=(WIDTH_IN, 2.5 * len(histories) + 0.9), layout="constrained")
    axes = figure.subplots(len(histories), 2, squeeze=False, sharex=True, sharey="col")
    mark_synthetic(figure, synthetic)
    for (training, rows), panels in zip(histories.items(), axes, strict=True):
        values = {name: np.array([float(row[name]) for row in rows]) for name in HISTORY}
        for axis, key in zip(panels, ("accuracy", "loss"), strict=True):
            for name, colour, marker in ((key, BLUE, "o"), (f"val_{key}", ORANGE, "s")):
                axis.plot(values["epoch"], values[name], color=colour, marker=marker, ms=4)
                if name in published:
                    axis.axhline(published[name], color=colour, lw=1, ls=":")
            axis.set_title(f"{key.capitalize()}, {training}")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            plain_axes(axis, "y")
    axes[0, 0].set_ylim(0, 1.03)
    axes[0, 1].set_ylim(bottom=0)
    for axis in axes[-1]:
        axis.set_xlabel("Epoch")
    handles = [
        matplotlib.lines.Line2D([], [], color=BLUE, marker="o", ms=4, label="Training"),
        matplotlib.lines.Line2D([], [], color=ORANGE, marker="s", ms=4, label="Validation"),
    ]
    if published:
        handles.append(
            matplotlib.lines.Line2D([], [], color=INK, ls=":", label="Published, last epoch")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@styled
def draw_reliability(tests: Mapping[str, Mapping[str, Mapping]], synthetic: bool) -> Figure:
    """Reliability diagrams, one a network: how often answers of a stated probability are right.

    `tests` has, by network, what network_validation.describe_answers gives for one side. Each of
    `uncalibrated` and `calibrated` has its expected calibration error `ece` and its `bins`, with
    `n`, `confidence` (mean stated probability) and `accuracy` (share that is right; both None
    where n is 0).
    """
    if not any(row["n"] for test in tests.values() for row in test["calibrated"]["bins"]):
        return draw_message("There are no test patches to draw a reliability curve of.", synthetic)
    columns = min(3, len(tests))
    lines = -(-len(tests) // columns)
    figure = Figure(figsize=(WIDTH_IN, 4.4 * lines + 0.6), layout="constrained")
    axes = figure.subplots(
        2 * lines, columns, squeeze=False, sharex=True, height_ratios=[2.2, 1] * lines
    )
    mark_synthetic(figure, synthetic)
    for axis in axes.ravel():
        axis.set_visible(False)
    for place, (name, test) in enumerate(tests.items()):
        line, column = divmod(place, columns)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        above.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":")
        for stage, colour, marker in (("uncalibrated", BLUE, "o"), ("calibrated", ORANGE, "s")):
            full = [row for row in test[stage]["bins"] if row["n"]]
            at = [row["confidence"] for row in full]
            style = {"color": colour, "marker": marker, "ms": 4}
            above.plot(
                at,
                [row["accuracy"] for row in full],
                label=f"{stage.capitalize()}: ECE {test[stage]['ece']:.3f}",
                **style,
            )
            below.plot(at, [row["n"] for row in full], **style)
        above.set_xlim(0, 1.03)
        above.set_ylim(0, 1.03)
        above.set_title(f"{name}\nn = {test['images']:,}")
        above.legend(loc="lower left" if len(tests) == 1 else "best", fontsize=8)
        below.set_ylim(bottom=0)
        below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        below.set_xlabel("Stated probability")
        if column == 0:
            above.set_ylabel("Share that is right")
            below.set_ylabel("Test images")
        for axis in (above, below):
            axis.set_visible(True)
            axis.tick_params(labelbottom=True)
            plain_axes(axis, "both")
    return figure


@styled
def draw_protocols(
    scores: Mapping[tuple[str, str], Mapping],
    synthetic: bool,
    published: Mapping[str, float] | None = None,
    score: str = "overall_accuracy",
) -> Figure:
    """Test accuracy of each network in each protocol, with 95 % intervals where known.

    `scores` has, by (network, protocol), what accuracy.assess_blocks gives; `published` are test
    accuracies to mark, as fractions by what they are called.
    """
    published = published or {}
    if not scores:
        return draw_message("No network was tested.", synthetic)
    networks = list(dict.fromkeys(network for network, _ in scores))
    protocols = list(dict.fromkeys(protocol for _, protocol in scores))
    colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(protocols)}
    most = max(sum(network == own for own, _ in scores) for network in networks)
    step = 0.8 / most
    height = 0.34 * most * len(networks) + 1.6
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    for row, network in enumerate(networks):
        own = [protocol for protocol in protocols if (network, protocol) in scores]
        for place, protocol in enumerate(own):
            item = scores[network, protocol]
            value = item[score]
            at = row + (place - (len(own) - 1) / 2) * step
            if value["value"] is not None:
                axis.barh(at, value["value"], height=0.86 * step, color=colour[protocol], alpha=0.3)
                draw_interval(axis, at, value, colour[protocol], "o")
            text = f"{percent(value['value'], without=UNDEFINED)}, n = {item['n']:,}"
            annotate(axis, text, (1.0, at), 9, annotation_clip=False)
    dashes = ("--", ":", "-.")
    handles = [swatch(colour[name], f"Split: {name}") for name in protocols]
    for place, (name, value) in enumerate(published.items()):
        axis.axvline(value, color=INK, lw=1, ls=dashes[place % len(dashes)])
        handles.append(
            matplotlib.lines.Line2D(
                [], [], color=INK, lw=1, ls=dashes[place % 3], label=f"{name} ({value:.2%})"
            )
        )
    axis.set_yticks(range(len(networks)), networks)
    axis.set_ylim(len(networks) - 0.5, -0.5)
    axis.set_xlim(0, 1)
    axis.set_xlabel(score.replace("_", " ").capitalize())
    axis.set_title("Test patches; lines = 95 % intervals of spatial blocks, where known")
    axis.tick_params(axis="y", length=0)
    plain_axes(axis, "x")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return figure


@styled
def draw_network_map(
    classes_map: Raster,
    probability: Raster,
    classes: Sequence[MapClass],
    synthetic: bool,
    network: str = "the network",
) -> Figure:
    """The network's answer for the ground, and the probability it states for it."""
    codes = classes_map.values[0]
    figure, axes = map_panels(classes_map.grid, 2, synthetic, legend_rows=1 + len(classes) // 6)
    show_map(axes[0], paint(codes, classes, UNCLASSIFIED_COLOUR), classes_map.grid)
    axes[0].set_title(f"Class by {network}")
    image = show_ramp(axes[1], probability.values[0], probability.grid, "viridis", 0, 1)
    # Inside the axes' own height: a bar that takes room from one map would shrink it alone.
    bar = figure.colorbar(image, ax=axes, orientation="vertical", shrink=0.7, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label("Probability")
    axes[1].set_title("Probability of that class; grey = no answer")
    handles = present_swatches(classes, codes, (UNCLASSIFIED_COLOUR, "No answer"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


@styled
def draw_proportions(
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
    synthetic: bool,
    published: Mapping[str, float] | None = None,
) -> Figure:
    """Share of the pixels that have exactly the colour of a class, largest first.

    `rows` have `name`, `pixels` and `share` (a fraction); names that are no class are drawn as
    background. `published` are shares of the paper, by class name, drawn as diamonds.
    """
    rows = [row for row in rows if row["share"] != ""]
    if not rows:
        return draw_message("There are no pixels to count.", synthetic)
    known = {item.name: item for item in classes}
    rows = sorted(rows, key=lambda row: -float(row["share"]))
    published = published or {}
    figure = Figure(figsize=(WIDTH_IN, 0.31 * len(rows) + 1.4), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    for place, row in enumerate(rows):
        item, share = known.get(row["name"]), 100 * float(row["share"])
        axis.barh(
            place,
            share,
            height=0.72,
            color=UNCLASSIFIED_COLOUR if item is None else item.colour,
            edgecolor=EDGE,
            linewidth=0.6,
        )
        text = f"{int(row['pixels']):,} pixels · {share:.2f}%"
        shown = share
        if row["name"] in published:
            own = 100 * published[row["name"]]
            axis.plot(own, place, "D", color=INK, mfc="white", ms=5, zorder=3)
            text, shown = f"{text} (published {own:.2f}%)", max(share, own)
        annotate(axis, text, (shown, place), 7)
    names = [known[row["name"]].label if row["name"] in known else row["name"] for row in rows]
    axis.set_yticks(range(len(rows)), [name[:1].upper() + name[1:] for name in names])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.margins(x=0.3)
    axis.set_xlim(left=0)
    axis.set_xlabel("Share of the pixels (%)")
    axis.set_title(
        "Pixels of each exact colour" + ("; ◇ = published, of other ground" if published else "")
    )
    axis.tick_params(axis="y", length=0)
    plain_axes(axis, "x")
    return figure

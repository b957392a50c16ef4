"""Measured cases as a table and a figure: `python benchmarks/page.py RESULT.json ...`.

Results of `benchmarks/run.py NAME --json RESULT.json` take the place of older ones of the same case
in measured.json; then the table in docs/reference/benchmarks.md and the figure are made anew.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "benchmarks/measured.json"
PAGE = ROOT / "docs/reference/benchmarks.md"
FIGURE = ROOT / "docs/images/benchmarks.png"
START, END = "<!-- measured -->\n", "<!-- end of measured -->\n"
GROWTH = "growth"
# What was wished for: the least ratio to the peer, and the most of the floor.
GOALS = {
    "sam end-to-end": (5.0, 1.3),
    "sam hyperspectral-file": (10.0, 2.0),
    "mnf mnf": (5.0, None),
    "ppi ppi": (8.0, None),
    "forest full-depth": (4.0, None),
    "forest depth-12": (4.0, None),
    "preprocess landsat": (None, 1.5),
}


def read_measured() -> dict[str, dict]:
    """Cases by "benchmark case"."""
    return json.loads(MEASURED.read_text())


def merge(measured: dict[str, dict], results: list[Path]) -> dict[str, dict]:
    """The cases with those of newer results, in the order of their names."""
    for path in results:
        told = json.loads(path.read_text())
        for case in told["cases"]:
            measured[f"{told['benchmark']} {case['case']}"] = case
    return dict(sorted(measured.items()))


def is_growth(name: str) -> bool:
    """Whether a case tells how time grows with size."""
    return name.split()[1].startswith(GROWTH)


def larger_slope(case: dict) -> float:
    """Slope of log time over log size without the smaller half of the sizes, where tools start."""
    half = len(case["sizes"]) // 2
    sizes, seconds = ([case[key][place] for place in (half, -1)] for key in ("sizes", "seconds"))
    return math.log(seconds[1] / seconds[0]) / math.log(sizes[1] / sizes[0])


def table(measured: dict[str, dict]) -> str:
    """Both tables, as Markdown."""
    lines = [
        "| case | ratio (lowest–highest) | goal | ours | peer | floor | goal | agree | peak |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    growth = [
        "| growth of | sizes | seconds | peak memory, MiB | slope | of the larger half |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in measured.items():
        if is_growth(name):
            columns = (case["sizes"], case["seconds"], case.get("peaks_mib", ()))
            told = [", ".join(f"{value:.3g}" for value in column) for column in columns]
            unit = f"{told[0]} {case['unit']}"
            growth.append(
                f"| {_short(name)} | {unit} | {told[1]} | {told[2] or '–'} |"
                f" {case['slope']:.2f} | {larger_slope(case):.2f} |"
            )
            continue
        least, most = GOALS.get(name, (None, None))
        ratio = "–"
        if case.get("ratio") is not None:
            low, high = case.get("ratio_lowest"), case.get("ratio_highest")
            ratio = f"{case['ratio']:.3g}" + (f" ({low:.3g}–{high:.3g})" if low else "")
        lines.append(
            f"| {_short(name)} | {ratio} | {f'≥ {least:g}' if least else ''} |"
            f" {_number(case, 'ours_s', 's')} | {_peer(case)} |"
            f" {_number(case, 'floor_ratio')} |"
            f" {f'≤ {most:g}' if most else ''} | {_number(case, 'agree')} |"
            f" {_number(case, 'peak_mib', 'MiB')} |"
        )
    return "\n".join([*lines, "", *growth, ""])


def _short(name: str) -> str:
    benchmark, case = name.split()
    return case if benchmark == case else name.replace(f"{GROWTH}-", "with ")


def _peer(case: dict) -> str:
    if not case.get("peer"):
        return "none"
    more = f"; {_number(case, 'otb_s', 's')}, Orfeo ToolBox" if "otb_s" in case else ""
    return f"{_number(case, 'peer_s', 's')}, {case['peer']}{more}"


def _number(case: dict, key: str, unit: str = "") -> str:
    return f"{case[key]:.3g} {unit}".strip() if case.get(key) is not None else "–"


def draw(measured: dict[str, dict]) -> None:
    """How many times as fast as the peer each case is, and how time and memory grow."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, ((left, right), (low_left, low_right)) = plt.subplots(
        2, 2, figsize=(12, 9), layout="constrained"
    )
    draw_ratios(left, measured)
    growth = {_short(name): case for name, case in measured.items() if is_growth(name)}
    pixels = {name: case for name, case in growth.items() if case["unit"] == "Mpx"}
    for name, case in pixels.items():
        told = name.removesuffix(" with pixels")
        right.plot(
            case["sizes"], case["seconds"], marker="o", label=f"{told}, slope {case['slope']:.2f}"
        )
        low_right.plot(case["sizes"], case["peaks_mib"], marker="o", label=told)
    right.set(xscale="log", yscale="log", xlabel="million pixels", ylabel="seconds, file to file")
    low_right.set(xscale="log", xlabel="million pixels", ylabel="peak memory, MiB", ylim=(0, None))
    for name, case in growth.items():
        if name not in pixels:
            sizes = [size / case["sizes"][0] for size in case["sizes"]]
            times = [value / case["seconds"][0] for value in case["seconds"]]
            low_left.plot(sizes, times, marker="o", label=f"{name}, slope {case['slope']:.2f}")
    low_left.set(xscale="log", yscale="log", xlabel="size / smallest", ylabel="time / smallest")
    for axes, end in ((low_left, 16), (right, 64)):
        low = axes.get_ylim()[0] if axes is right else 1
        axes.plot([1, end], [low, end * low], color="grey", linestyle=":", label="in proportion")
    for axes in (right, low_left, low_right):
        axes.legend(fontsize=8)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})


def draw_ratios(axes: "Axes", measured: dict[str, dict]) -> None:
    """Bars of the ratios to the peers, and the goals."""
    compared = [
        (name, case) for name, case in measured.items() if not is_growth(name) and case.get("ratio")
    ]
    names = [_short(name) for name, _ in compared]
    for place, (name, case) in enumerate(compared):
        axes.barh(place, case["ratio"], color="#4477aa")
        least = GOALS.get(name, (None,))[0]
        end = max(case["ratio"], least or 0) * 1.07
        axes.text(end, place, f"{case['ratio']:.3g}", va="center", fontsize=8)
        if least:
            axes.plot([least] * 2, [place - 0.45, place + 0.45], color="#cc3311", linewidth=2)
    axes.set(xscale="log", xlabel="times as fast as the peer (red: the goal)")
    axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()
    axes.set_xlim(0.5, 2 * max(case["ratio"] for _, case in compared))
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()


def main() -> None:
    """Merge results, write table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, nargs="*", help="results of benchmarks/run.py")
    measured = merge(read_measured(), parser.parse_args().results)
    MEASURED.write_text(json.dumps(measured, indent=1) + "\n")
    text = PAGE.read_text()
    if START not in text or END not in text:
        sys.exit(f"error: {PAGE}: has no place for the table")
    head, _, rest = text.partition(START)
    PAGE.write_text(f"{head}{START}\n{table(measured)}\n{END}{rest.partition(END)[2]}")
    draw(measured)


if __name__ == "__main__":
    main()

"""Run a benchmark by name: `python benchmarks/run.py NAME [--json FILE]`."""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

# One BLAS thread: workers go over blocks. It counts only before numpy is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Name of a benchmark -> its module in this folder, which has `run(cases, pairs)`.
BENCHMARKS = {
    "alteration": "alteration",
    "cnn": "cnn",
    "composite": "composite",
    "embed": "embed",
    "forest": "forest",
    "mnf": "mnf",
    "preprocess": "preprocess",
    "ppi": "ppi",
    "sam": "sam",
}
COLUMNS = ("case", "peer", "ratio", "ours_s", "peer_s", "agree", "peak_mib", "floor_ratio")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(BENCHMARKS), help="the benchmark")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    parser.add_argument("--cases", nargs="+", help="only these cases (default: all)")
    parser.add_argument(
        "--pairs", type=int, default=5, help="runs of ours and of the peer, taken in turns"
    )
    return parser


def main() -> None:
    """Run the benchmark, print its table and notes, and write the JSON."""
    arguments = build_parser().parse_args()
    folder = Path(__file__).resolve().parent
    sys.path[:0] = [str(folder), str(folder.parent / "scripts")]
    module = importlib.import_module(BENCHMARKS[arguments.name])
    cases = module.run(arguments.cases, arguments.pairs)
    print_table(cases)
    if arguments.json is not None:
        text = json.dumps({"benchmark": arguments.name, "cases": cases}, indent=2)
        arguments.json.write_text(text + "\n")


def print_table(cases: list[dict]) -> None:
    """The shared columns as a table, then each case's further fields."""
    cells = [COLUMNS, *([_cell(case.get(name)) for name in COLUMNS] for case in cases)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(COLUMNS))]
    for row in cells:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
    for case in cases:
        for name, value in case.items():
            if name not in COLUMNS:
                print(f"{case['case']}: {name} = {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) and value != 1.0 else str(value)


if __name__ == "__main__":
    main()

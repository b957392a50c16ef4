"""Render what ran, how long and with how much memory, from Snakemake's benchmark files."""

import argparse
from pathlib import Path

from gossan.files import write_text
from gossan.report.layout import read_style, read_template, relative_link
from gossan.report.run import read_jobs, render_run
from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--benchmarks",
        type=Path,
        required=True,
        help="folder of Snakemake's benchmark files; without any the page says so",
    )
    add("--index", type=Path, required=True, help="the index of all results, which is linked")
    add("--template", type=Path, default=STATIC / "run.html.j2", help="template of the page")
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="page to write (HTML)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the files and write the page."""
    page = render_run(
        {"run": read_template(arguments.template, uses=("style", "rows"))},
        read_style(arguments.style),
        list(read_jobs(arguments.benchmarks)),
        relative_link(arguments.index, arguments.output),
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)

"""What every command-line tool shares: logged arguments, one-line errors, exit codes."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from gossan.errors import InputError


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> None:
    """Parse the command line, log the resolved arguments and call `main`.

    An InputError, or an OSError with a file name, ends the process with one line on standard
    error and exit code 1. Any other exception is a fault of ours and keeps its traceback.
    """
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # GDAL's own lines about a broken file would bury the one line that says what to do.
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    for key, value in sorted(vars(arguments).items()):
        logging.info("%s: %s", key, value)
    try:
        main(arguments)
    except InputError as error:
        sys.exit(f"error: {one_line(error)}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}")


def add_page(parser: argparse.ArgumentParser, template: str) -> None:
    """Add what every report is rendered from, and `--output`; `template` is the page's own."""
    static = Path(__file__).resolve().parents[1] / "resources" / "static"
    add = parser.add_argument
    add("--accuracy", type=Path, required=True, help="the study's accuracy.json")
    add("--config", type=Path, required=True, help="resolved configuration (JSON)")
    add("--files", nargs="*", default=[], help="paths of products to list")
    add(
        "--published",
        type=Path,
        default=static / "published.json",
        help="published figures of the studies (JSON)",
    )
    add("--template", type=Path, default=static / template, help="template of the page")
    add(
        "--base",
        type=Path,
        default=static / "base.html.j2",
        help="template that the page's template extends",
    )
    add("--style", type=Path, default=static / "report.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="page to write (HTML)")


def add_ground(
    parser: argparse.ArgumentParser, grounds: Sequence[str], most_difficulty: float
) -> None:
    """Add what tells a simulated ground: `--ground`, `--size-px`, `--seed`, `--difficulty`."""
    add = parser.add_argument
    add("--ground", required=True, choices=grounds, help="ground of the catalogue")
    add(
        "--size-px",
        type=int,
        nargs="+",
        required=True,
        metavar="PX",
        help="its side, or columns and rows, in pixels of the ground's own",
    )
    add("--seed", type=int, required=True, help="number that sets the ground")
    add(
        "--difficulty",
        type=float,
        required=True,
        help=f"0 = nearly pure and clean, 1 = calibrated, up to {most_difficulty:g}",
    )


def add_embedding(parser: argparse.ArgumentParser) -> None:
    """Add how an embedding is trained: the fields of `gossan.embedding.training.Training`."""
    add = parser.add_argument
    add(
        "--masking",
        dest="max_masked",
        type=int,
        default=4,
        help="sensors masked at most; 0: never (default: 4)",
    )
    add(
        "--triplets",
        type=int,
        default=6144,
        help="triplets per epoch, made as they are needed (default: 6144)",
    )
    add("--epochs", type=int, default=16, help="epochs (default: 16)")
    add("--batch", type=int, default=256, help="triplets per step (default: 256)")
    add("--rate", type=float, default=1e-3, help="Adam's first learning rate (default: 0.001)")
    add(
        "--mining",
        choices=("random", "semi-hard"),
        default="semi-hard",
        help="negatives of the triplets: as drawn, or the nearest one of the batch that is "
        "farther than the positive (default: semi-hard)",
    )
    add("--margin", type=float, default=0.3, help="margin of the loss (default: 0.3)")
    add("--hidden", type=int, default=256, help="units of the first layer (default: 256)")
    add("--embedding", type=int, default=32, help="units of the second layer (default: 32)")
    add(
        "--networks",
        type=int,
        default=1,
        help="networks side by side, each from its own seed (default: 1)",
    )
    add("--seed", type=int, default=42, help="seed of weights, spectra and masks")
    add("--threads", type=int, default=2, help="TensorFlow's threads; they change the last bits")


def one_line(error: Exception) -> str:
    """The message of an exception, with line breaks folded."""
    return " ".join(str(error).split())


def add_blocks(parser: argparse.ArgumentParser) -> None:
    """Add `--block-px`, the side of a block, and `--threads`."""
    parser.add_argument(
        "--block-px", type=int, default=512, help="side of a block in pixels; sets the memory"
    )
    add_threads(parser)


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add `--threads`, the number of blocks worked on at once."""
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="blocks worked on at once"
    )

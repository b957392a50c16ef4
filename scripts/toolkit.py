"""What every command-line tool shares: logged arguments, one-line errors, exit codes."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
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


def add_drawing(parser: argparse.ArgumentParser, scene_dir: str, figures: str) -> None:
    """Add `--scene-dir`, where a tool of figures finds what it draws, and `--output-dir`."""
    add = parser.add_argument
    add("--scene-dir", type=Path, required=True, help=scene_dir)
    add("--output-dir", type=Path, required=True, help=f"folder for {figures} (PNG)")


def add_paper(parser: argparse.ArgumentParser) -> None:
    """Add `--paper` and `--published`, the published numbers that are drawn beside ours."""
    add = parser.add_argument
    add("--paper", default="", help="entry of --published to draw beside ours (default: none)")
    add("--published", type=Path, help="published numbers of papers (JSON)")


def read_paper(arguments: argparse.Namespace) -> dict:
    """What `add_paper` names: the entry of the paper in the published numbers; {} without one."""
    if arguments.paper and arguments.published is None:
        raise InputError("--paper: its numbers are not given; give --published, too")
    return find_paper(arguments.paper, arguments.published) if arguments.paper else {}


def find_paper(name: str, published: Path) -> dict:
    """A paper's entry in the published numbers; {} where no paper is named."""
    from gossan.files import read_json

    papers = read_json(published)
    if name and name not in papers:
        raise InputError(
            f"{published}: has no paper {name!r} (it has: {', '.join(papers) or 'none'}); mend "
            "the study's key paper"
        )
    return papers[name] if name else {}


def add_ground(parser: argparse.ArgumentParser) -> None:
    """Add what every simulated scene takes: `--seed`, `--difficulty`, `--library`, `--threads`."""
    add = parser.add_argument
    add("--seed", type=int, default=42, help="number that sets the ground")
    add(
        "--difficulty",
        type=float,
        default=1.0,
        help="0 = nearly pure and clean, 1 = calibrated default, up to 4",
    )
    add("--library", type=Path, required=True, help="spectral library with all constituents")
    add_threads(parser)


def check_ground(difficulty: float, *sides_px: int) -> None:
    """InputError unless a simulated scene can have this difficulty and these sides."""
    if not 0 <= difficulty <= 4:
        raise InputError(f"--difficulty {difficulty}: out of range; use 0 to 4")
    if min(sides_px) < 32:
        raise InputError(f"--size-px {min(sides_px)}: too small; use 32 or more")


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

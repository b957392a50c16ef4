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


def add_wavelets(parser: argparse.ArgumentParser) -> None:
    """Add how bands are transformed, whatever the wavelet: `--level` to `--gaps`."""
    add = parser.add_argument
    add("--level", type=int, required=True, help="number of levels")
    add(
        "--mode",
        required=True,
        help="how a band goes on beyond its edges: symmetric, reflect, constant, zero, smooth, "
        "antisymmetric or antireflect",
    )
    add(
        "--transform",
        choices=("dwt", "swt"),
        required=True,
        help="decimated, or stationary, which moves with any shift",
    )
    add(
        "--gaps",
        choices=("fill", "nodata"),
        required=True,
        help="what becomes of valid pixels within the filter's reach of nodata: their values rest "
        "in part on nodata filled from its surroundings, or they are nodata, too",
    )


def one_line(error: Exception) -> str:
    """The message of an exception, with line breaks folded."""
    return " ".join(str(error).split())


def add_part(parser: argparse.ArgumentParser) -> None:
    """Add `--window` and `--polygon`, the part of the product that becomes the cube."""
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--window",
        nargs=4,
        type=int,
        metavar=("COLUMN", "ROW", "WIDTH", "HEIGHT"),
        help="part of the product to use, in pixels (default: all)",
    )
    part.add_argument(
        "--polygon",
        type=Path,
        help="vector file of the area to use; pixels outside become nodata",
    )


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

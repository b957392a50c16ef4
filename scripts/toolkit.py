"""What every command-line tool shares: logged arguments, one-line errors, exit codes."""

import argparse
import logging
import os
import sys
from collections.abc import Callable

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

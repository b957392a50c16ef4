"""What every command-line tool shares: logged arguments, one-line errors, exit codes."""

import argparse
import atexit
import functools
import gc
import importlib
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gossan.errors import ADVICE, InputError, decoding, system_fault
from gossan.files import remove_work, together

# What is left goes with the process. Python would look through it once more: TensorFlow and all
# that it brought take a second.
atexit.register(gc.freeze)

Main = Callable[[argparse.Namespace], None]

FROM_FILE = "@"
"""What tells a tool, before the name of a file, to read flags and values there, one a line.

For those tools alone whose flags grow with the scenes: no command line holds thousands."""


def run(parser: argparse.ArgumentParser, main: Callable[[argparse.Namespace], None]) -> None:
    """Parse the command line, log the resolved arguments and call `main`.

    Outputs get their names together when `main` has succeeded. An InputError, and what the system
    forbids (no space, no rights, no memory, too many files), end the process with one line on
    standard error and exit code 1. Any other exception is a fault of ours and keeps its traceback.
    """
    arguments = parser.parse_args()
    # Modules and figures are objects that stay: to look through them ever again takes a twentieth
    # of the time.
    gc.set_threshold(100_000, 50, 100)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # Where standard error is a file on a full disk, too, there is nobody left to be told.
    logging.raiseExceptions = False
    said = _Listener()
    # GDAL's own lines about a broken file would bury the one line that says what to do.
    for name in ("rasterio", "pyogrio"):
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(said)
    for key, value in sorted(vars(arguments).items()):
        logging.info("%s: %s", key, value)
    try:
        with end_on_signals(), together():
            main(arguments)
    except InputError as error:
        sys.exit(f"error: {one_line(error)}{_reason(error)}")
    except Exception as error:
        fault = system_fault(error, said.lines)
        if fault is not None:
            place = f"{fault.filename}: " if fault.filename is not None else ""
            sys.exit(f"error: {place}{fault.strerror}; {ADVICE[fault.errno]}")
        if isinstance(error, OSError) and error.filename is not None:
            sys.exit(f"error: {error.filename}: {error.strerror}")
        raise
    finally:
        for name in ("rasterio", "pyogrio"):
            logging.getLogger(name).removeHandler(said)


def puts_together(argument: str) -> Callable[[Main], Main]:
    """Say of a `main` that it puts records and tables of other tools together.

    Where they do not fit, one line names them, and the `argument` that led to them.
    """

    def decorate(main: Main) -> Main:
        @functools.wraps(main)
        def guarded(arguments: argparse.Namespace) -> None:
            with decoding(getattr(arguments, argument)):
                main(arguments)

        return guarded

    return decorate


class _Listener(logging.Handler):
    """Keeps what GDAL says last, for its exceptions often do not hand it on."""

    def __init__(self):
        """Nothing is said yet."""
        super().__init__(logging.WARNING)
        self.lines = deque(maxlen=20)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def _reason(error: InputError) -> str:
    """What the system forbade, in brackets, where it is behind wrong input and not yet told."""
    fault = system_fault(error)
    told = fault is None or fault.strerror.lower() in str(error).lower()
    return "" if told else f" ({fault.strerror}; {ADVICE[fault.errno]})"


@contextmanager
def end_on_signals() -> Iterator[None]:
    """End at once when told to terminate, and leave no working folder behind.

    Threads are not waited for: a scheduler kills what has not ended some seconds after the signal.
    """

    def leave(number: int, frame: object) -> None:
        # Often told to each process of a job, and again by those above.
        signal.signal(number, signal.SIG_IGN)
        remove_work()
        with suppress(OSError):
            os.write(2, b"error: told to end (SIGTERM); run it again\n")
        os._exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
        required=True,
        help="sensors masked at most; 0: never. One is always left, however large the number",
    )
    add("--triplets", type=int, required=True, help="triplets per epoch, made as they are needed")
    add("--epochs", type=int, required=True, help="epochs")
    add(
        "--mining",
        choices=("random", "semi-hard"),
        required=True,
        help="negatives of the triplets: as drawn, or the nearest one of the batch that is "
        "farther than the positive",
    )
    add("--margin", type=float, required=True, help="margin of the loss")
    add("--hidden", type=int, required=True, help="units of the first layer")
    add("--embedding", type=int, required=True, help="units of the second layer")
    add("--networks", type=int, required=True, help="networks side by side, each of its own seed")
    add("--seed", type=int, required=True, help="seed of weights, spectra and masks")
    add(
        "--threads", type=int, required=True, help="TensorFlow's threads; they change the last bits"
    )


def add_tested_pixels(parser: argparse.ArgumentParser) -> None:
    """Add which pixels of a stack networks are tested on: what `tested_ground.read_ground` reads.

    Beside them the library, whose pure spectra stand for the minerals.
    """
    add = parser.add_argument
    add("--stack", type=Path, required=True, help="stacked sensors, reflectance (stack.tif)")
    add("--sensors", type=Path, required=True, help="raster of the sensors present (sensors.tif)")
    add("--bands", type=Path, required=True, help="table of the stack's bands (bands.csv)")
    add(
        "--truth",
        type=Path,
        help="class raster in global codes, or points or polygons with the attribute `class`; "
        "without it thresholds come from the library and no accuracy is stated",
    )
    add(
        "--several",
        action="store_true",
        help="a pixel counts for each mineral that it holds: polygons may overlap, a raster may "
        "have several bands",
    )
    add(
        "--outside",
        choices=("other", "untested"),
        default="untested",
        help="ground outside all polygons is none of the minerals (other), or is not tested "
        "(untested)",
    )
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add("--minerals", type=Path, help="table of all classes (CSV), whose further names are `other`")
    add(
        "--library",
        type=Path,
        nargs="+",
        required=True,
        help="libraries of pure spectra: USGS or ECOSTRESS folder, ENVI .sli, CSV, or the "
        "analytic table",
    )
    add("--scene", required=True, help="scene id")
    add("--spatial-block-px", type=int, required=True, help="side of a spatial block, in pixels")
    add(
        "--validation-share",
        type=float,
        required=True,
        help="share of each mineral's pixels whose blocks choose the thresholds",
    )
    add(
        "--per-class",
        type=int,
        required=True,
        help="pixels of a truth class that validate, and that test, at most",
    )
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of blocks, draws, forests and bootstrap")


def add_site_flags(parser: argparse.ArgumentParser) -> None:
    """Add the sites that maps of potential are held against, and which of them count."""
    add = parser.add_argument
    add("--claims", type=Path, help="vector file of mining claims: polygons or points")
    add("--occurrences", type=Path, help="vector file of known occurrences: points or polygons")
    add(
        "--mines",
        type=Path,
        help="vector file of the mines that trained the forest: claims and occurrences that touch "
        "none of them are counted again on their own",
    )
    add(
        "--known-mines",
        type=Path,
        help="vector file of mines that taught nothing, with the attribute `name` if there is one",
    )
    add(
        "--substances",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="count claims and occurrences of these substances only, in whatever case "
        "(default: all)",
    )
    add(
        "--substance-attribute",
        required=True,
        help="attribute of claims and occurrences that names the substance; read where substances "
        "are named",
    )


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


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold linear algebra to one thread: the threads of a tool go over its own pieces of work.

    Sums of matrix products depend on the threads, which a run sets to the cores that it has. The
    libraries are loaded first, for only those that are can be held.
    """
    from threadpoolctl import threadpool_limits

    importlib.import_module("scipy.linalg")
    with threadpool_limits(1):
        yield


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


def add_ranges(parser: argparse.ArgumentParser) -> None:
    """Add `--range-um`, the ranges outside of which bands are not compared."""
    parser.add_argument(
        "--range-um",
        nargs=2,
        type=float,
        action="append",
        default=[],
        metavar=("LOW", "HIGH"),
        help="compare the bands within this range of wavelengths (µm) only; may be given several "
        "times (default: all)",
    )


def add_records(parser: argparse.ArgumentParser) -> None:
    """Add `--records`, the accuracy records of a scene's maps."""
    parser.add_argument(
        "--records",
        nargs=3,
        action="append",
        default=[],
        metavar=("SECTION", "SENSOR", "PATH"),
        help="the study's section that made a map of the scene, its sensor or stack, and its "
        "accuracy record (JSON) or a folder of such; repeat the flag for each (default: none)",
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

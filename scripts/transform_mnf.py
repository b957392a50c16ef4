"""Minimum noise fraction of a cube, the purity of its pixels, and end-members among them."""

import argparse
import threading
from functools import reduce
from pathlib import Path

import numpy as np
from rasterio.windows import Window
from threadpoolctl import threadpool_limits

from gossan.cube.colours import write_view
from gossan.errors import InputError
from gossan.legend import write_continuous_style
from gossan.library.readers import References, write_references
from gossan.raster import (
    Layer,
    RasterInfo,
    decode,
    iter_blocks,
    map_blocks,
    open_raster,
    read_info,
)
from gossan.tables import write_table
from gossan.transforms.noise_fraction import (
    SceneSums,
    measure_block,
    solve,
    tabulate_eigenvalues,
    transform_block,
)
from gossan.transforms.pixel_purity import (
    Extremes,
    PurePixels,
    choose_endmembers,
    count_purity,
    find_extremes,
    make_skewers,
    number_places,
)
from toolkit import add_blocks, run

METHOD = "Minimum noise fraction"
PURITY_METHOD = "Pixel purity index"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to transform")
    parser.add_argument(
        "--components",
        type=int,
        required=True,
        help="components to keep, those of the most signal; not more than the cube has bands",
    )
    parser.add_argument(
        "--skewers",
        type=int,
        required=True,
        help="random directions along which extreme pixels are counted",
    )
    parser.add_argument(
        "--purity-threshold",
        type=float,
        required=True,
        help="distance, in standard deviations of the noise, within which of an end pixels count; "
        "0 counts one pixel at each end",
    )
    parser.add_argument(
        "--endmember-count",
        type=int,
        required=True,
        help="end-members to look for at most; 0: one more than components, of which there can "
        "be no more",
    )
    parser.add_argument("--seed", type=int, required=True, help="number that sets the directions")
    parser.add_argument("--output", type=Path, required=True, help="raster of components to write")
    parser.add_argument(
        "--eigenvalues", type=Path, required=True, help="table to write of all components (CSV)"
    )
    parser.add_argument("--purity", type=Path, required=True, help="raster of counts to write")
    parser.add_argument(
        "--endmembers",
        type=Path,
        required=True,
        help="spectra of the end-members to write (CSV, as resample_library.py writes references)",
    )
    parser.add_argument(
        "--places",
        type=Path,
        required=True,
        help="table to write of the end-members' pixels, coordinates and purity (CSV)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Sum up noise and signal, write components, purity, end-members and tables."""
    info = read_info(arguments.cube)
    names = info.bands.names
    if not (info.bands.centre_um and info.bands.fwhm_um):
        raise InputError(
            f"{arguments.cube}: its bands lack wavelengths or widths, without which spectra of "
            "end-members have no meaning; write them into the raster"
        )
    components = arguments.components
    if not 1 <= components <= len(names):
        raise InputError(
            f"--components {components}: {arguments.cube} has {len(names)} bands to make "
            f"components of; give 1 to {len(names)}"
        )
    count = arguments.endmember_count or components + 1
    for flag, value, least in (
        ("skewers", arguments.skewers, 1),
        ("purity-threshold", arguments.purity_threshold, 0),
        ("seed", arguments.seed, 0),
        ("endmember-count", count, 0),
    ):
        if not value >= least:
            raise InputError(f"--{flag} {value}: give {least} or more")
    width = info.grid.width
    options = {"block_px": arguments.block_px, "threads": arguments.threads}

    def places_of(window: Window) -> np.ndarray:
        shape = (int(window.height), int(window.width))
        return number_places(shape, (int(window.row_off), int(window.col_off)), width)

    # Workers go over blocks; BLAS threads beside them would slow both down.
    with threadpool_limits(1):
        sums = SceneSums(len(names), width)
        for window, block in iter_blocks(
            lambda block: measure_block(block, info.nodata),
            [arguments.cube],
            scaled=False,
            progress="noise and signal",
            **options,
        ):
            sums.add(window, block)
        fraction = solve(sums, names, str(arguments.cube))
        tags = {**info.tags, "METHOD": METHOD, "BANDS": " ".join(names)}
        map_blocks(
            lambda block: transform_block(block, fraction, components, info.nodata),
            [arguments.cube],
            [
                Layer(
                    arguments.output,
                    "float32",
                    np.nan,
                    tuple(f"MNF {number}" for number in range(1, components + 1)),
                    tags=tags,
                )
            ],
            scaled=False,
            progress="components",
            **options,
        )
        skewers = make_skewers(arguments.skewers, components, arguments.seed)
        extremes = reduce(
            Extremes.merge,
            (
                found
                for _, found in iter_blocks(
                    lambda block, places: find_extremes(block, skewers, places),
                    [arguments.output, places_of],
                    progress="extremes",
                    **options,
                )
            ),
        )
        lock = threading.Lock()
        purest: PurePixels | None = None

        def count_block(block: np.ndarray, places: np.ndarray) -> np.ndarray:
            nonlocal purest
            purity = count_purity(block, skewers, extremes, arguments.purity_threshold, places)
            found = PurePixels.of_block(block, purity, places)
            with lock:
                purest = found if purest is None else purest.merge(found)
            return purity

        map_blocks(
            count_block,
            [arguments.output, places_of],
            [
                Layer(
                    arguments.purity,
                    "int32",
                    -1,
                    ("purity",),
                    tags={
                        **tags,
                        "METHOD": PURITY_METHOD,
                        "SKEWERS": str(arguments.skewers),
                        "THRESHOLD": f"{arguments.purity_threshold:g}",
                        "SEED": str(arguments.seed),
                    },
                )
            ],
            progress="purity",
            **options,
        )

    write_view(arguments.output)
    write_continuous_style(arguments.purity, 0.0, float(purest.purity[0]))
    write_table(arguments.eigenvalues, tabulate_eigenvalues(fraction.eigenvalues))
    write_endmembers(arguments, info, purest, choose_endmembers(purest, count))


def write_endmembers(
    arguments: argparse.Namespace,
    info: RasterInfo,
    pixels: PurePixels,
    corners: np.ndarray,
) -> None:
    """Write spectra and places of the pixels that `corners` indexes."""
    titles = tuple(f"endmember-{number}" for number in range(1, len(corners) + 1))
    rows, columns = np.divmod(pixels.place[corners], info.grid.width)
    with open_raster(arguments.cube) as dataset:
        spectra = [
            decode(dataset.read(window=Window(column, row, 1, 1)), info)[:, 0, 0]
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    references = References(
        titles,
        info.bands.names,
        np.array(info.bands.centre_um),
        np.array(info.bands.fwhm_um),
        np.array(spectra),
    )
    write_references(arguments.endmembers, references)
    table = []
    for title, place, row, column in zip(titles, corners, rows, columns, strict=True):
        x, y = info.grid.place(column + 0.5, row + 0.5)
        table.append(
            {
                "name": title,
                "row": row,
                "column": column,
                "x": f"{x:.10g}",
                "y": f"{y:.10g}",
                "purity": pixels.purity[place],
            }
        )
    write_table(arguments.places, table)


if __name__ == "__main__":
    run(build_parser(), main)

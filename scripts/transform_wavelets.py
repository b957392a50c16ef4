"""Split the bands of a cube into wavelet sub-bands on the cube's own grid."""

import argparse
from pathlib import Path

from toolkit import add_blocks, add_wavelets, run

METHOD = "Wavelet sub-bands"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to split")
    add_wavelets(parser)
    parser.add_argument(
        "--wavelet", required=True, help="PyWavelets' name of a discrete wavelet, such as sym4"
    )
    parser.add_argument(
        "--anomalies",
        type=Path,
        help="raster of map_anomalies.py of the cube: of each band its anomalies alone are "
        "transformed, all else is 0 (default: the whole band is)",
    )
    parser.add_argument(
        "--keep",
        choices=("values", "marks"),
        default="values",
        help="what is kept of the anomalies: the band's values, or 1",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help='raster of sub-bands to write, its bands called "4 LL", "4 LH" and so on',
    )
    parser.add_argument(
        "--profile",
        type=Path,
        required=True,
        help="table to write of the horizontal detail (LH) down the image, row by row (CSV)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Split block by block, write the raster, its style and the profile."""
    import logging
    import threading

    import numpy as np
    from rasterio.windows import Window

    from gossan.errors import InputError
    from gossan.legend import write_continuous_style
    from gossan.raster import Layer, decode, map_blocks, read_info
    from gossan.tables import write_table
    from gossan.transforms.wavelets import Transform, mark_influenced, split_block
    from gossan.zones.anomalies import ANOMALOUS, keep_anomalies
    from gossan.zones.cube_limits import require_fit
    from gossan.zones.wavelet_profile import RowSums, profile_rows

    transform = Transform(
        arguments.wavelet, arguments.level, arguments.mode, arguments.transform, arguments.gaps
    )
    info = read_info(arguments.cube)
    require_fit(info, transform)
    bands = info.bands.names
    marked = [] if arguments.anomalies is None else [arguments.anomalies]
    for path in marked:
        other = read_info(path)
        info.grid.require_same(other.grid, str(path))
        if other.bands.names != bands:
            raise InputError(
                f"{path}: has the bands {', '.join(other.bands.names)} where {arguments.cube} has "
                f"{', '.join(bands)}; map the anomalies of this cube"
            )
    names = [(band, part) for band in bands for part in transform.subbands]
    horizontal = [place for place, (_, part) in enumerate(names) if part.startswith("LH")]

    lock = threading.Lock()
    sums: list[RowSums] = []
    seen = 0
    valid, near, found = (np.zeros(len(bands), np.int64) for _ in range(3))
    lowest, highest = np.inf, -np.inf

    def note(
        missing: np.ndarray, anomalous: np.ndarray, inner: tuple[slice, slice], part: RowSums
    ) -> None:
        """Count a block; fail in the last one if a band has no pixel, so that nothing appears."""
        nonlocal seen
        influenced = [
            mark_influenced(band, transform.reach)[inner].sum() if band.any() else 0
            for band in missing
        ]
        inside = ~missing[:, *inner]
        with lock:
            sums.append(part)
            seen += inside[0].size
            valid[:] += inside.sum(axis=(1, 2))
            near[:] += influenced
            found[:] += (anomalous & ~missing)[:, *inner].sum(axis=(1, 2))
            if seen == info.grid.width * info.grid.height and not valid.all():
                raise InputError(
                    f"{arguments.cube}, band {bands[int(valid.argmin())]}: has no valid pixel; "
                    "choose another scene or leave the band out"
                )
            if seen == info.grid.width * info.grid.height and not found.all():
                raise InputError(
                    f"{arguments.anomalies}, band {bands[int(found.argmin())]}: has no anomaly, so "
                    "that nothing is left to transform; lower the number of MADs "
                    "(zones.published.mad.n)"
                )

    def split(
        inner: tuple[slice, slice], cube: np.ndarray, window: Window, *codes: np.ndarray
    ) -> np.ndarray:
        nonlocal lowest, highest
        block = decode(cube, info)
        anomalous = codes[0] == ANOMALOUS if codes else np.ones(block.shape, bool)
        if codes:
            block = keep_anomalies(block, codes[0], arguments.keep)
        result = split_block(block, inner, transform)
        row, column = window.row_off + inner[0].start, window.col_off + inner[1].start
        note(np.isnan(block), anomalous, inner, RowSums.of_block(result[horizontal], row, column))
        with lock:
            lowest = min(lowest, np.fmin.reduce(result[0], axis=None, initial=np.inf))
            highest = max(highest, np.fmax.reduce(result[0], axis=None, initial=-np.inf))
        return result

    layer = Layer(
        arguments.output,
        "float32",
        np.nan,
        tuple(f"{band} {part}" for band, part in names),
        tags={
            **info.tags,
            "METHOD": METHOD,
            "WAVELET": transform.wavelet,
            "WAVELET_LEVEL": str(transform.level),
            "WAVELET_MODE": transform.mode,
            "WAVELET_TRANSFORM": transform.kind,
            "WAVELET_GAPS": transform.gaps,
            **({"WAVELET_OF": f"anomalies, {arguments.keep}"} if marked else {}),
        },
    )
    map_blocks(
        split,
        [arguments.cube, lambda window: window, *marked],
        [layer],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
        halo=transform.halo,
        align=transform.align,
        progress="sub-bands",
    )
    for band, pixels, influenced in zip(bands, valid, near, strict=True):
        logging.info(
            "band %s: %d of %d valid pixels lie within %d pixels of nodata, by row or column",
            *(band, influenced, pixels, transform.reach),
        )
    # A constant band has a range of no width, which no ramp can show.
    highest = highest if highest > lowest else lowest + 1
    write_continuous_style(arguments.output, float(lowest), float(highest))
    rows = profile_rows(sums, [names[place] for place in horizontal], info.grid)
    write_table(arguments.profile, rows)


if __name__ == "__main__":
    run(build_parser(), main)

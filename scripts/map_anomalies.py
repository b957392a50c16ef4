"""Map the anomalies of each band: pixels beyond its centre by more than n MAD."""

import argparse
import math
from pathlib import Path

from toolkit import add_blocks, run

METHOD = "Median absolute deviation"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to search (int16)")
    parser.add_argument("--n", type=float, required=True, help="how many MAD beyond the centre")
    parser.add_argument(
        "--centre",
        choices=("median", "mean"),
        required=True,
        help="from where the n MAD count; the MAD itself is about the median",
    )
    parser.add_argument(
        "--side",
        choices=("high", "low", "both"),
        required=True,
        help="which pixels are anomalous: high ones, low ones or both",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="raster to write, one band per band: 1 anomalous, 0 not, 255 nodata",
    )
    parser.add_argument(
        "--table", type=Path, required=True, help="table of thresholds and counts to write (CSV)"
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Count the stored numbers, solve the thresholds, write the raster, its style and the table."""
    import threading

    import numpy as np

    from gossan.errors import InputError
    from gossan.maps import ClassMap, write_maps
    from gossan.raster import iter_blocks, read_info
    from gossan.tables import write_table
    from gossan.zones.anomalies import (
        ANOMALY,
        Rule,
        count_levels,
        encode_anomalies,
        mark_anomalies,
        spread_of_counts,
    )
    from gossan.zones.cube_limits import require_few_bands

    rule = Rule(arguments.n, arguments.centre, arguments.side)
    info = read_info(arguments.cube)
    if np.dtype(info.dtype).kind not in "iu" or np.dtype(info.dtype).itemsize > 2:
        raise InputError(f"{arguments.cube}: stored as {info.dtype}; store the cube as int16")
    require_few_bands(info)
    names = info.bands.names

    def find_valid(cube: np.ndarray) -> np.ndarray:
        return np.ones(cube.shape, bool) if info.nodata is None else cube != info.nodata

    def count(cube: np.ndarray) -> np.ndarray:
        return count_levels(cube, find_valid(cube))

    options = {"block_px": arguments.block_px, "threads": arguments.threads, "scaled": False}
    blocks = iter_blocks(count, [arguments.cube], progress="statistics", **options)
    counts = sum(part for _, part in blocks)
    lowest = np.iinfo(info.dtype).min
    spreads = [
        spread_of_counts(own, lowest, f"{arguments.cube}, band {name}")
        for own, name in zip(counts, names, strict=True)
    ]
    limits = [rule.thresholds(spread) for spread in spreads]
    totals = np.zeros(len(names), np.int64)
    lock = threading.Lock()

    def search(cube: np.ndarray) -> np.ndarray:
        valid = find_valid(cube)
        anomalous = np.stack(
            [mark_anomalies(band, *limit) for band, limit in zip(cube, limits, strict=True)]
        )
        anomalous &= valid
        with lock:
            totals[:] += anomalous.sum(axis=(1, 2))
        return encode_anomalies(anomalous, valid)

    tags = {
        **info.tags,
        "METHOD": METHOD,
        "MAD_N": repr(rule.n),
        "MAD_CENTRE": rule.centre,
        "MAD_SIDE": rule.side,
    }
    anomalies = ClassMap(arguments.output, [ANOMALY], names, tags=tags)
    write_maps(search, [arguments.cube], [anomalies], progress="anomalies", **options)

    def number(value: float) -> str:
        return f"{value:.8g}" if math.isfinite(value) else ""

    rows = []
    for name, stored, limit, found in zip(names, spreads, limits, totals, strict=True):
        spread = stored.rescale(info.scale, info.offset)
        low, high = (value * info.scale + info.offset for value in limit)
        rows.append(
            {
                "band": name,
                "median": number(spread.median),
                "mean": number(spread.mean),
                "mad": number(spread.mad),
                "n": number(rule.n),
                "centre": rule.centre,
                "side": rule.side,
                "threshold_low": number(low),
                "threshold_high": number(high),
                "anomalies": int(found),
                "pixels": spread.pixels,
                "share": f"{found / spread.pixels:.6f}",
            }
        )
    write_table(arguments.table, rows)


if __name__ == "__main__":
    run(build_parser(), main)

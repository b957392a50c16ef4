"""Test what wavelet details say of the ground: HL near faults, LH from one zone to the next."""

import argparse
from pathlib import Path

from toolkit import add_threads, run

WINDOW_PX = 512


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--subbands", type=Path, required=True, help="sub-bands of transform_wavelets.py")
    add("--faults", type=Path, help="vector file of mapped faults; without it HL is not tested")
    add(
        "--fault-distance-m",
        type=float,
        required=True,
        help="pixels so near to a fault count as lying at it",
    )
    add(
        "--truth",
        type=Path,
        help="vector file of the zones with the attribute `class`; without it LH is not tested",
    )
    add(
        "--zone",
        nargs="+",
        required=True,
        help="zones in the order in which LH is said to fall from one to the next",
    )
    add(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap",
    )
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of the bootstrap")
    add("--table", type=Path, required=True, help="table of what was tested to write (CSV)")
    add(
        "--profile",
        type=Path,
        required=True,
        help="table of LH by the distance from a zone's edge to write (CSV)",
    )
    add("--record", type=Path, required=True, help="record of what was not tested, and why (JSON)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Test, and write tables and record."""
    from gossan.accuracy.blocks import Bootstrap
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.raster import is_synthetic, read_info
    from gossan.tables import write_rows
    from gossan.zones.confidence import low_pass_bands
    from gossan.zones.detail_assessment import (
        PROFILE_COLUMNS,
        TABLE_COLUMNS,
        assess_details,
        open_faults,
    )
    from gossan.zones.zone_assessment import open_zones

    if not arguments.fault_distance_m >= 0:
        raise InputError(
            f"fault-distance-m: {arguments.fault_distance_m:g} is no distance; give metres"
        )
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    info = read_info(arguments.subbands)
    bands = low_pass_bands(info.bands.names, str(arguments.subbands))
    faults = truth = None
    untested = {}
    if arguments.faults is None:
        untested["faults"] = "no file of faults is given (zones.faults)"
    else:
        faults = open_faults(arguments.faults, info.grid)
        if not faults.count:
            untested["faults"] = f"no fault of {faults.file} lies over the map"
    if arguments.truth is None:
        untested["zones"] = "there is no truth of the zones"
    elif len(arguments.zone) < 2:
        untested["zones"] = f"the study has one zone, {arguments.zone[0]}"
    else:
        truth = open_zones(arguments.truth, info.grid, "untested")
    rows, profile = assess_details(
        arguments.subbands,
        bands,
        faults=None if "faults" in untested else faults,
        near_m=arguments.fault_distance_m,
        truth=truth,
        zones=arguments.zone,
        bootstrap=bootstrap,
        window_px=WINDOW_PX,
        threads=arguments.threads,
    )
    write_rows(arguments.table, TABLE_COLUMNS, rows)
    write_rows(arguments.profile, PROFILE_COLUMNS, profile)
    write_json(
        arguments.record,
        {
            "synthetic": is_synthetic(info.tags),
            "fault_distance_m": arguments.fault_distance_m,
            "faults": faults and {"file": faults.file, "count": faults.count},
            "bootstrap": bootstrap.replicates,
            "block_px": bootstrap.spatial_block_px,
            "untested": untested,
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)

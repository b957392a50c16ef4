"""Test confidence maps of alteration zones against polygons: a table and accuracy records."""

import argparse
from pathlib import Path

from toolkit import add_threads, run

WINDOW_PX = 512


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--confidence",
        type=Path,
        nargs="+",
        required=True,
        help="confidence rasters of map_confidence.py, one per zone",
    )
    parser.add_argument(
        "--anomalies",
        type=Path,
        help="raster of map_anomalies.py, whose anomalies are tested as a map of each zone, too",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        help="vector file of the zones with the attribute `class`; without it the table counts "
        "what was found and the records say that the maps were not assessed",
    )
    parser.add_argument(
        "--outside",
        choices=("other", "untested"),
        required=True,
        help="ground outside all polygons is no zone (other), or is not tested (untested)",
    )
    parser.add_argument("--scene", required=True, help="scene id")
    parser.add_argument(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap",
    )
    parser.add_argument("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    parser.add_argument("--seed", type=int, required=True, help="seed of the bootstrap")
    parser.add_argument(
        "--table", type=Path, required=True, help="table of zones, bands and levels to write (CSV)"
    )
    parser.add_argument(
        "--record-dir",
        type=Path,
        required=True,
        help="folder for one record per zone, band and level: ZONE-BAND-LEVEL.json",
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Assess each band and level of each zone; write the table and the records."""
    from gossan.accuracy.blocks import Bootstrap
    from gossan.accuracy.record import unassessed_record
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.raster import read_info
    from gossan.tables import write_rows
    from gossan.zones.zone_assessment import (
        LEVELS,
        TABLE_COLUMNS,
        assess_confidence,
        count_levels,
        open_zones,
        read_anomalies,
        read_zone_map,
        record_name,
        table_row,
    )

    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    maps = [read_zone_map(path) for path in arguments.confidence]
    for place, item in enumerate(maps):
        if item.zone in [other.zone for other in maps[:place]]:
            raise InputError(f"{item.path}: zone {item.zone} is given twice; give each zone once")
    if arguments.anomalies is not None:
        maps += [read_anomalies(arguments.anomalies, item.zone) for item in maps]
    rows, records = [], {}
    for item in maps:
        title = "fixed ranges" if item.levels is LEVELS else "anomalies"
        if arguments.truth is None:
            counts = count_levels(item.path, window_px=WINDOW_PX, threads=arguments.threads)
            for place, band in enumerate(item.bands):
                for level, codes in item.levels.items():
                    records[item.zone, band, level] = unassessed_record(
                        scene=arguments.scene,
                        method=item.method(band, level),
                        synthetic=item.synthetic,
                    )
                    rows.append(
                        {
                            "zone": item.zone,
                            "method": title,
                            "band": band,
                            "level": level,
                            "found": int(counts[place, list(codes)].sum()),
                            "synthetic": "yes" if item.synthetic else "no",
                        }
                    )
            continue
        truth = open_zones(arguments.truth, read_info(item.path).grid, outside=arguments.outside)
        found = assess_confidence(
            item,
            truth,
            scene=arguments.scene,
            bootstrap=bootstrap,
            window_px=WINDOW_PX,
            threads=arguments.threads,
        )
        for (band, level), record in found.items():
            records[item.zone, band, level] = record
            rows.append(table_row(record, item.zone, title, band, level))
    for key, record in records.items():
        write_json(arguments.record_dir / record_name(*key), record)
    write_rows(arguments.table, TABLE_COLUMNS, rows)


if __name__ == "__main__":
    run(build_parser(), main)

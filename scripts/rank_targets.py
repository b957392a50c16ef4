"""Rank targets on a map of potential, and compare the map with claims and occurrences."""

import argparse
from pathlib import Path

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.files import write_json
from gossan.prospects.potential import IRON_METHOD, POTENTIAL
from gossan.raster import is_synthetic, read_info
from gossan.tables import write_rows
from gossan.targets.ranking import (
    add_sites,
    least_pixels,
    survey_targets,
    write_kml,
    write_targets,
)
from gossan.targets.sites import (
    CURVE_COLUMNS,
    OVERLAY_COLUMNS,
    compare_sites,
    read_sites,
)
from gossan.vectors import POLYGONS, read_features
from toolkit import add_threads, run

MOST = 200
"""Targets that are written, the best."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--potential",
        type=Path,
        required=True,
        help="raster of potential (map_potential.py or map_agreement.py)",
    )
    add("--score", type=Path, required=True, help="raster of its score, by the same tool")
    add("--uncertainty", type=Path, help="raster whose first band is averaged over each target")
    add("--claims", type=Path, help="vector file of mining claims: polygons or points")
    add("--occurrences", type=Path, help="vector file of known occurrences: points or polygons")
    add(
        "--mines",
        type=Path,
        help="vector file of the mines that trained the forest: claims and occurrences that touch "
        "none of them are counted again on their own",
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
    add(
        "--level",
        choices=[item.name for item in POTENTIAL[1:]],
        required=True,
        help="least potential of the pixels of a target",
    )
    add(
        "--min-area-ha",
        type=float,
        required=True,
        help="smaller patches are no targets, in hectares",
    )
    add(
        "--spatial-block-px",
        type=int,
        required=True,
        help="side of a spatial block of the bootstrap, in pixels",
    )
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of the bootstrap")
    add("--scene", required=True, help="scene id, the title of the KML file")
    add("--targets", type=Path, required=True, help="targets to write (GeoPackage)")
    add("--kml", type=Path, required=True, help="targets to write (KML)")
    add(
        "--overlay",
        type=Path,
        required=True,
        help="table to write of claims and occurrences by potential, against its area (CSV)",
    )
    add(
        "--curves",
        type=Path,
        required=True,
        help="table to write of success-rate and prediction-area curves (CSV)",
    )
    add("--record", type=Path, required=True, help="summary to write (JSON)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Find the targets, count the sites, and write targets, tables and the record."""
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    info = read_info(arguments.potential)
    if info.dtype != "uint8":
        raise InputError(f"{arguments.potential}: {info.dtype}, not uint8; give a map of potential")
    grid, synthetic = info.grid, is_synthetic(info.tags)
    least_px = least_pixels(grid, arguments.min_area_ha, str(arguments.potential))
    sites = [
        read_sites(path, grid, name, arguments.substances, arguments.substance_attribute)
        for name, path in (("claims", arguments.claims), ("occurrences", arguments.occurrences))
        if path is not None
    ]
    mines = None
    if arguments.mines is not None:
        mines = read_features(arguments.mines, grid, "mines", POLYGONS).geometry.to_numpy()
    survey = survey_targets(
        arguments.potential,
        arguments.score,
        arguments.uncertainty,
        sites,
        level=arguments.level,
        least_px=least_px,
        most=MOST,
        synthetic=synthetic,
        threads=arguments.threads,
    )
    targets = add_sites(survey.targets, sites)
    compared = [
        compare_sites(item, tally, mines, survey.counts, bootstrap)
        for item, tally in zip(sites, survey.tallies, strict=True)
    ]
    overlay = [row | {"synthetic": "yes" if synthetic else "no"} for c in compared for row in c[0]]
    record = {
        "scene": arguments.scene,
        "synthetic": synthetic,
        "level": arguments.level,
        "min_area_ha": arguments.min_area_ha,
        "thresholds": {name: info.tags.get(name.upper()) for name in ("medium", "high")},
        "geology": info.tags.get("GEOLOGY"),
        "substances": arguments.substances,
        "potential": survey.counts.summary(),
        "patches": survey.patches,
        "targets": len(targets),
        "curves": [item for c in compared for item in c[2]],
        "bootstrap": arguments.bootstrap,
        "block_px": arguments.spatial_block_px,
        "seed": arguments.seed,
    }
    kind = "Iron targets" if info.tags.get("METHOD") == IRON_METHOD else "Targets"
    title = f"{kind}, {arguments.scene}" + (" (SYNTHETIC)" if synthetic else "")
    write_targets(arguments.targets, targets)
    write_kml(arguments.kml, targets, title)
    write_rows(arguments.overlay, OVERLAY_COLUMNS, overlay)
    write_rows(arguments.curves, CURVE_COLUMNS, [row for c in compared for row in c[1]])
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(build_parser(), main)

"""Rank targets on a map of potential, and compare the map with claims and occurrences."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gossan.accuracy.blocks import Bootstrap
from gossan.errors import InputError
from gossan.files import write_json
from gossan.prospects.potential import IRON_METHOD, POTENTIAL
from gossan.raster import is_synthetic, read_info
from gossan.tables import write_rows
from gossan.targets.known_sites import (
    DISTRICT_COLUMNS,
    MINE_COLUMNS,
    NAME_ATTRIBUTE,
    PERIOD_COLUMNS,
    district_rows,
    mine_rows,
    names_of,
    parse_periods,
    period_rows,
    year_of,
)
from gossan.targets.ranking import Survey, add_sites, least_pixels, survey_targets
from gossan.targets.sites import (
    CURVE_COLUMNS,
    OVERLAY_COLUMNS,
    MapCounts,
    Sites,
    SiteTally,
    compare_sites,
    read_sites,
    score_steps,
)
from gossan.targets.target_files import write_csv, write_geopackage, write_gpx, write_kml
from gossan.targets.target_ground import classes_of, zones_of
from gossan.targets.target_list import (
    KNOWN_DEPOSIT,
    TRAINING,
    KnownSites,
    describe_list,
    list_targets,
)
from gossan.vectors import POLYGONS, read_features
from toolkit import add_site_flags, add_threads, run

if TYPE_CHECKING:
    import geopandas

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
    add(
        "--support",
        type=Path,
        help="raster of the votes of methods (map_agreement.py): a target names those in favour",
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--class-map",
        nargs=2,
        type=Path,
        metavar=("RASTER", "TABLE"),
        help="class raster and its class table: a target names the class on most of it",
    )
    kinds.add_argument(
        "--zone",
        dest="zones",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "RASTER"),
        help="confidence in a zone, once per zone: a target names the zone on most of it",
    )
    add(
        "--known",
        type=Path,
        help="vector file of known mines and occurrences, with the attribute `name` if there is "
        "one, beside the known mines and the occurrences",
    )
    add_site_flags(parser)
    add(
        "--districts",
        type=Path,
        help="vector file of polygons, with the attribute `name` if there is one, over which the "
        "potential is summed up",
    )
    add(
        "--periods",
        nargs="*",
        action="extend",
        default=[],
        metavar="YEARS",
        help="periods in which claims are counted, such as 1992-2009 and 2010-",
    )
    add(
        "--date-attribute",
        required=True,
        help="attribute of claims that tells their date; read where periods are named",
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
    add("--gpx", type=Path, required=True, help="targets to write, as waypoints (GPX)")
    add("--table", type=Path, required=True, help="targets to write (CSV)")
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
    add("--period-table", type=Path, required=True, help="table to write of claims by period (CSV)")
    add("--district-table", type=Path, required=True, help="table to write of the districts (CSV)")
    add("--mine-table", type=Path, required=True, help="table to write of the known mines (CSV)")
    add("--record", type=Path, required=True, help="summary to write (JSON)")
    add_threads(parser)
    return parser


def write_known(
    arguments: argparse.Namespace,
    tallied: dict[str, tuple[Sites, SiteTally]],
    periods: dict[str, tuple[int, int]],
    counts: MapCounts,
    bootstrap: Bootstrap,
) -> list[str]:
    """Write the tables of claims by period, of districts and of known mines; what is to be said."""
    notes, rows, districts, mines = [], [], [], []
    if "claims" in tallied and periods:
        claims, tally = tallied["claims"]
        dates = claims.attributes.get(arguments.date_attribute)
        if dates is None:
            notes.append(
                f"{arguments.claims.name} has no attribute '{arguments.date_attribute}', so no "
                "claim has a date."
            )
            dates = [None] * len(claims.shapes)
        years = [year_of(value) for value in dates]
        rows = period_rows(claims, years, periods, tally, counts, bootstrap)
        if undated := years.count(None):
            notes.append(f"{undated} of {len(years)} claims have no date; counted apart.")
    if "districts" in tallied:
        own, tally = tallied["districts"]
        known = {name: tallied[name] for name in ("claims", "occurrences") if name in tallied}
        place = read_info(arguments.potential).grid.place
        names = names_of(own, "District")
        districts = district_rows(names, tally, own.shapes, known, counts.pixel_area_m2, place)
    if "known mines" in tallied:
        own, tally = tallied["known mines"]
        mines = mine_rows(names_of(own, "Mine"), tally, counts, score_steps(tally.score))
    write_rows(arguments.period_table, PERIOD_COLUMNS, rows)
    write_rows(arguments.district_table, DISTRICT_COLUMNS, districts)
    write_rows(arguments.mine_table, MINE_COLUMNS, mines)
    for note in notes:
        logging.info("%s", note)
    return notes


def known_ground(sites: Sequence[Sites], places: Sequence[Sites]) -> list[KnownSites]:
    """What is known of the ground, among the sites that are counted."""
    titles = {"occurrences": "Occurrence", "known mines": "Mine"}
    return [
        KnownSites.of(item, titles[item.name], KNOWN_DEPOSIT)
        for item in (*places, *sites)
        if item.name in titles
    ]


def list_record(
    survey: Survey,
    targets: "geopandas.GeoDataFrame",
    tags: Mapping[str, str],
    arguments: argparse.Namespace,
) -> dict[str, object]:
    """What the record says of the list: how many are new and known, the highest score."""
    new = int((targets.known == "").sum())
    known = len(targets) - new
    limit = f"{arguments.level} potential"
    if least := tags.get(arguments.level.upper()):
        limit = f"a score of {least} or more ({limit})"
    score, longitude, latitude = survey.highest or (None, None, None)
    note = describe_list(new, known, survey.highest, arguments.min_area_ha, limit)
    if note:
        logging.info("%s", note)
    return {
        "targets": new,
        "known_ground": known,
        "highest": {"score": score, "longitude": longitude, "latitude": latitude},
        "note": note,
    }


def main(arguments: argparse.Namespace) -> None:
    """Find the targets, count the sites, and write targets, tables and the record."""
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    info = read_info(arguments.potential)
    if info.dtype != "uint8":
        raise InputError(f"{arguments.potential}: {info.dtype}, not uint8; give a map of potential")
    grid, synthetic = info.grid, is_synthetic(info.tags)
    least_px = least_pixels(grid, arguments.min_area_ha, str(arguments.potential))
    periods = parse_periods(arguments.periods)
    if arguments.districts is not None:
        read_features(arguments.districts, grid, "districts", POLYGONS)
    kept = (arguments.date_attribute, NAME_ATTRIBUTE)
    sites = [
        read_sites(path, grid, name, arguments.substances, arguments.substance_attribute, kept)
        for name, path in (("claims", arguments.claims), ("occurrences", arguments.occurrences))
        if path is not None
    ]
    places = [
        read_sites(path, grid, name, None, "", (NAME_ATTRIBUTE,))
        for name, path in (
            ("known mines", arguments.known_mines),
            ("districts", arguments.districts),
        )
        if path is not None
    ]
    mines, known = None, known_ground(sites, places)
    if arguments.mines is not None:
        mines = read_features(arguments.mines, grid, "mines", POLYGONS).geometry.to_numpy()
        taught = read_sites(arguments.mines, grid, "mines", None, "", (NAME_ATTRIBUTE,))
        known.append(KnownSites.of(taught, "Mine", TRAINING))
    if arguments.known is not None:
        others = read_sites(arguments.known, grid, "known sites", None, "", (NAME_ATTRIBUTE,))
        # Before the occurrences, which may have no name of their own.
        known.insert(0, KnownSites.of(others, "Known site", KNOWN_DEPOSIT))
    kinds = zones_of({name: Path(path) for name, path in arguments.zones})
    if arguments.class_map:
        kinds = classes_of(*arguments.class_map)
    survey = survey_targets(
        arguments.potential,
        arguments.score,
        arguments.uncertainty,
        [*sites, *places],
        support=arguments.support,
        kinds=kinds,
        level=arguments.level,
        least_px=least_px,
        most=MOST,
        synthetic=synthetic,
        threads=arguments.threads,
    )
    targets = list_targets(add_sites(survey.targets, sites), known, grid.crs.linear_units_factor[1])
    compared = [
        compare_sites(item, tally, mines, survey.counts, bootstrap)
        for item, tally in zip(sites, survey.tallies, strict=False)
    ]
    tallied = {
        item.name: (item, tally)
        for item, tally in zip([*sites, *places], survey.tallies, strict=True)
    }
    notes = write_known(arguments, tallied, periods, survey.counts, bootstrap)
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
        **list_record(survey, targets, info.tags, arguments),
        "curves": [item for c in compared for item in c[2]],
        "notes": notes,
        "bootstrap": arguments.bootstrap,
        "block_px": arguments.spatial_block_px,
        "seed": arguments.seed,
    }
    kind = "Iron targets" if info.tags.get("METHOD") == IRON_METHOD else "Targets"
    title = f"{kind}, {arguments.scene}" + (" (SYNTHETIC)" if synthetic else "")
    write_geopackage(arguments.targets, targets)
    write_csv(arguments.table, targets)
    write_kml(arguments.kml, targets, title, record["note"])
    write_gpx(arguments.gpx, targets, title, record["note"])
    write_rows(arguments.overlay, OVERLAY_COLUMNS, overlay)
    write_rows(arguments.curves, CURVE_COLUMNS, [row for c in compared for row in c[1]])
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(build_parser(), main)

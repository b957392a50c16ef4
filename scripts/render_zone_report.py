"""Render the report of a study of alteration zones: one self-contained HTML page."""

import argparse
from pathlib import Path

from gossan.errors import InputError
from gossan.files import read_json, write_text
from gossan.report.page import records_of, relative_link
from gossan.report.zones_section import ZoneScene, figure_titles, render_zone_report, zone_names
from gossan.tables import read_table
from toolkit import add_page, run

ANOMALY_COLUMNS = ["band", "median", "mad", "n", "centre", "side", "anomalies", "pixels", "share"]
RULE_COLUMNS = ["zone", "band", "level", "found"]
WAVELET_COLUMNS = ["wavelet", "taps", "band", "share_LL", "entropy_bits"]


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add(
        "--scene",
        nargs=6,
        action="append",
        required=True,
        dest="scenes",
        metavar=(
            *("ID", "CUBE_JSON", "FIGURES_DIR"),
            *("ANOMALIES_CSV", "CONFIDENCE_CSV", "WAVELETS_CSV"),
        ),
        help="a scene with its record, its folder of figures, and the tables of map_anomalies, "
        "assess_zones and compare_wavelets; repeat the flag for each scene",
    )
    add(
        "--score",
        nargs=2,
        action="append",
        default=[],
        dest="scores",
        metavar=("ID", "SCORE_JSON"),
        help="a scene with its record of score_alteration; once for each scene that has one",
    )
    add_page(parser, "zones.html.j2")
    return parser


def read_scene(
    scene: str,
    cube: str,
    figures: str,
    tables: tuple[str, str, str],
    score: str | None,
    accuracy: dict,
) -> ZoneScene:
    """Read what the report shows of a scene; InputError for a table without a row."""
    columns = (ANOMALY_COLUMNS, RULE_COLUMNS, WAVELET_COLUMNS)
    anomalies, rules, wavelets = map(read_table, tables, columns)
    for path, rows in ((tables[0], anomalies), (tables[1], rules)):
        if not rows:
            raise InputError(f"{path}: has no rows; make the table again")
    return ZoneScene(
        id=scene,
        cube=read_json(cube),
        figures={name: Path(figures) / f"{name}.png" for name in figure_titles(zone_names(rules))},
        anomalies=anomalies,
        rules=rules,
        wavelets=wavelets,
        score=read_json(score) if score else None,
        records=records_of(accuracy, scene),
    )


def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the page."""
    accuracy = read_json(arguments.accuracy)
    scores = dict(arguments.scores)
    unknown = scores.keys() - {scene for scene, *_ in arguments.scenes}
    if unknown:
        raise InputError(f"score: {', '.join(sorted(unknown))} is no --scene; name the scene too")
    page = render_zone_report(
        arguments.template.read_text(encoding="utf-8"),
        arguments.base.read_text(encoding="utf-8"),
        arguments.style.read_text(encoding="utf-8"),
        study=arguments.study,
        scenes=[
            read_scene(scene, cube, figures, tuple(tables), scores.get(scene), accuracy)
            for scene, cube, figures, *tables in arguments.scenes
        ],
        config=read_json(arguments.config),
        published=read_json(arguments.published).get(arguments.study, {}),
        files=[(path, relative_link(path, arguments.output)) for path in arguments.files],
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)

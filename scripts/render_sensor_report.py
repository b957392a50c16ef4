"""Render the report of a study of several sensors and one embedding: one self-contained page."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.cube.bands import COLUMNS, SENSORS
from gossan.embedding.sensor_scores import NEEDED_COLUMNS
from gossan.errors import InputError
from gossan.files import read_json, write_text
from gossan.report.embedding_section import SensorScene, figure_names, render_sensor_report
from gossan.report.page import records_of, relative_link
from gossan.tables import read_table
from toolkit import add_page, run

# Name -> columns of a table, None for a record (JSON).
TABLES: Mapping[str, Sequence[str] | None] = {
    "areas": ("name", "label", "pixels", "area_km2"),
    "sensor_areas": ("sensors", "name", "pixels"),
    **NEEDED_COLUMNS,
    "masked": None,
    "unmasked": None,
    "filler": None,
    "references": ("band", "wavelength_um"),
    "spectra": (),
}


PIXEL_COLUMNS = ("method", "mineral", "nearest", "within_threshold", "named")
TRIAL_COLUMNS = (
    "method",
    "sensors",
    "spectra",
    "mineral",
    "threshold_kind",
    "n",
    "n_mineral",
    "f1",
)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add(
        "--scene",
        nargs=4,
        action="append",
        required=True,
        dest="scenes",
        metavar=("ID", "STACK_JSON", "BANDS_CSV", "FIGURES_DIR"),
        help="a scene with the record and the table of bands of stack_sensors, and its folder of "
        "figures; repeat the flag for each scene",
    )
    add(
        "--sensor",
        nargs=3,
        action="append",
        default=[],
        dest="sensors",
        metavar=("SENSOR", "ID", "CUBE_JSON"),
        help=f"record of a sensor's cube in a scene, of {', '.join(SENSORS)}; repeat the flag for "
        "each",
    )
    add(
        "--table",
        nargs=3,
        action="append",
        default=[],
        dest="tables",
        metavar=("NAME", "ID", "PATH"),
        help="what else a scene has, by name: areas and sensor_areas (tables of map_embedding), "
        "detection, subsets, similarity and coverage (tables of assess_detectors), masked, "
        "unmasked and filler (records of the networks), references (class spectra in the stack's "
        "bands), spectra (table of the library records that trained); repeat the flag for each",
    )
    add(
        "--trial",
        nargs=2,
        type=Path,
        metavar=("SCORES_CSV", "RECORD_JSON"),
        help="scores and record of assess_spectra, the trial on real spectra",
    )
    add(
        "--pixels",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "SUMMARY_CSV"),
        help="a collection of measured spectra and the summary of name_spectra; once for each",
    )
    add_page(parser, "sensors.html.j2")
    return parser


def read_tables(
    given: Sequence[tuple[str, str, str]], scenes: Sequence[str]
) -> dict[str, dict[str, Sequence | Mapping]]:
    """Scene -> name -> rows or record; InputError for an unknown name or scene, or one twice."""
    tables: dict[str, dict[str, Sequence | Mapping]] = {scene: {} for scene in scenes}
    for name, scene, path in given:
        if name not in TABLES:
            raise InputError(f"table: {name} is none of {', '.join(TABLES)}")
        _require_place("table", name, scene, tables)
        columns = TABLES[name]
        tables[scene][name] = read_json(path) if columns is None else read_table(path, columns)
    return tables


def read_sensors(
    given: Sequence[tuple[str, str, str]], scenes: Sequence[str]
) -> dict[str, dict[str, Mapping]]:
    """Scene -> sensor -> record of its cube, in the order of SENSORS; InputError as above."""
    records: dict[str, dict[str, Mapping]] = {scene: {} for scene in scenes}
    for name, scene, path in given:
        if name not in SENSORS:
            raise InputError(f"sensor: {name} is none of {', '.join(SENSORS)}")
        _require_place("sensor", name, scene, records)
        records[scene][name] = read_json(path)
    return {
        scene: {name: own[name] for name in SENSORS if name in own}
        for scene, own in records.items()
    }


def _require_place(flag: str, name: str, scene: str, given: Mapping[str, Mapping]) -> None:
    if scene not in given:
        raise InputError(f"{flag}: {scene} is no --scene; name the scene too")
    if name in given[scene]:
        raise InputError(f"{flag}: {name} of {scene} is given twice; give it once")


def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the page."""
    accuracy = read_json(arguments.accuracy)
    ids = [scene for scene, *_ in arguments.scenes]
    tables = read_tables(arguments.tables, ids)
    sensors = read_sensors(arguments.sensors, ids)
    scenes = [
        SensorScene(
            id=scene,
            cube=read_json(record),
            bands=read_table(bands, COLUMNS),
            sensors=sensors[scene],
            figures={name: Path(figures) / f"{name}.png" for name in figure_names(tables[scene])},
            records=records_of(accuracy, scene),
            tables=tables[scene],
        )
        for scene, record, bands, figures in arguments.scenes
    ]
    trial = None
    if arguments.trial:
        scores, record = arguments.trial
        trial = read_table(scores, TRIAL_COLUMNS), read_json(record)
    page = render_sensor_report(
        arguments.template.read_text(encoding="utf-8"),
        arguments.base.read_text(encoding="utf-8"),
        arguments.style.read_text(encoding="utf-8"),
        study=arguments.study,
        scenes=scenes,
        config=read_json(arguments.config),
        published=read_json(arguments.published).get(arguments.study, {}),
        trial=trial,
        pixels={name: read_table(path, PIXEL_COLUMNS) for name, path in arguments.pixels},
        files=[(path, relative_link(path, arguments.output)) for path in arguments.files],
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)

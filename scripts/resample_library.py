"""Reference spectra of a study's classes at the bands of a cube, from any spectral library."""

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.errors import InputError
from gossan.legend import MapClass, read_classes
from gossan.library.readers import (
    has_spectrum,
    is_record,
    read_library,
    select_all,
    select_from_libraries,
    write_references,
)
from gossan.library.resample import note_responses, resample_records
from gossan.library.scene_spectra import read_scene, stand_in
from gossan.library.separability import COLUMNS, read_spread, separable_rows, separate
from gossan.library.spectrum import Spectrum
from gossan.raster import read_info
from gossan.tables import write_rows
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--library",
        nargs="+",
        type=Path,
        required=True,
        help="libraries in order of preference: USGS or ECOSTRESS folder, ENVI .sli, CSV, or the "
        "analytic table",
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="class table: code,name,label,colour,…,record"
    )
    parser.add_argument(
        "--cube", type=Path, required=True, help="raster with band wavelengths and a SENSOR tag"
    )
    parser.add_argument(
        "--records-per-class",
        choices=("one", "all"),
        required=True,
        help="one: the record that the class table names, or the only one; all: every record of "
        "the class in the libraries",
    )
    parser.add_argument(
        "--skip-absent",
        action="store_true",
        help="leave out classes that no library has, but not all of them (default: an error)",
    )
    parser.add_argument(
        "--from-scene",
        type=Path,
        help="spectra of the cube's own pixels (table of measure_references.py), which stand in "
        "place of the libraries' for their classes (default: there are none)",
    )
    parser.add_argument(
        "--spread",
        type=Path,
        required=True,
        help="table of how records of one mineral differ (measure_spread.py)",
    )
    parser.add_argument("--references", type=Path, required=True, help="table of spectra to write")
    parser.add_argument(
        "--records", type=Path, required=True, help="table to write of the records that each took"
    )
    parser.add_argument(
        "--separable",
        type=Path,
        required=True,
        help="table to write of the minerals that the bands tell apart, and of those that are one",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the libraries, resample each class's records and write the tables."""
    info = read_info(arguments.cube)
    classes = read_classes(arguments.classes)
    spread = read_spread(arguments.spread)
    libraries = [read_library(path) for path in arguments.library]
    scene = None
    if arguments.from_scene is not None:
        scene = read_scene(arguments.from_scene, info.bands, str(arguments.cube))
    every = classes
    classes = [item for item in every if scene is None or item.name not in scene.names]
    if arguments.skip_absent:
        named = ", ".join(entry.name for entry in classes)
        classes = [item for item in classes if has_spectrum(libraries, item.name, item.record)]
        if not classes:
            files = ", ".join(map(str, arguments.library))
            raise InputError(f"{files}: no spectrum is called {named}; name those that are yours")
    picked = {
        entry.name: (
            select_all(libraries, entry.name, entry.record)
            if arguments.records_per_class == "all"
            else [select_from_libraries(libraries, entry.name, entry.record)]
        )
        for entry in classes
    }
    references, records = None, []
    if classes:
        references, records = resample_records(
            {name: [spectrum for _, spectrum in found] for name, found in picked.items()},
            info.bands,
            info.tags.get("SENSOR"),
            what=str(arguments.cube),
        )
    names = references.names if references else ()
    if scene is not None:
        references = stand_in(references, scene, [entry.name for entry in every])
    for note in note_responses(info.tags.get("SENSOR"), info.bands.names):
        logging.info("%s", note)
    write_references(arguments.references, references)
    left_out = [name for name in info.bands.names if name not in references.band]
    if left_out:
        logging.info("bands left out, over which a record has no values: %s", " ".join(left_out))
    places = {id(spectrum): place for found in picked.values() for place, spectrum in found}
    missed = find_missed(classes, picked)
    rows = [
        {
            "name": name,
            "library": "analytic"
            if record.modelled
            else arguments.library[places[id(record)]].name,
            "record": record.name,
            "missed": missed[name],
        }
        for name, record in zip(names, records, strict=True)
    ]
    if scene is not None:
        rows += [
            {"name": name, "library": scene.file, "record": scene.described(name)}
            for name in scene.names
        ]
        order = [entry.name for entry in every]
        rows.sort(key=lambda row: order.index(row["name"]))
    write_rows(arguments.records, ("name", "library", "record", "missed"), rows)
    minerals = [entry.name for entry in every if entry.kind == "mineral"]
    separable = separable_rows(separate(references.only(minerals), spread)) if minerals else []
    write_rows(arguments.separable, COLUMNS, separable)


def find_missed(
    classes: Sequence[MapClass], picked: Mapping[str, Sequence[tuple[int, Spectrum]]]
) -> dict[str, str]:
    """By class the record that the table of classes names and no library holds; else "".

    It may never have been in these libraries, or have been taken out of one. Modelled spectra
    stand in for measured ones of whatever name, so that nothing is missed where they do.
    """
    missed = {}
    for entry in classes:
        spectra = [spectrum for _, spectrum in picked[entry.name]]
        there = any(one.modelled or is_record(one, entry.record) for one in spectra)
        missed[entry.name] = "" if there else entry.record
        if missed[entry.name]:
            logging.warning(
                "%s: no library holds the record %s that the table of classes names; %s stands in",
                entry.name,
                entry.record,
                spectra[0].name,
            )
    return missed


if __name__ == "__main__":
    run(build_parser(), main)

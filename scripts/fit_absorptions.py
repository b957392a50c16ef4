"""The analytic mineral library, fitted to measured records, from any library folder."""

import argparse
import os
from pathlib import Path

# Set before numpy is loaded: the fit solves many small systems, which several threads of linear
# algebra slow down more than tenfold on a busy machine, and whose last bits they change.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library import absorptions
from gossan.library.covers import COVERS, construct_cover
from gossan.library.mixtures import MIXTURES, construct_mixture
from gossan.library.readers import read_library, select_from_libraries
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--library",
        nargs="+",
        type=Path,
        required=True,
        help="folders or files of real spectra, in order of preference",
    )
    parser.add_argument(
        "--minerals",
        type=Path,
        required=True,
        help="class table (code,name,label,kind,colour,record); record names the spectrum to fit",
    )
    parser.add_argument("--table", type=Path, required=True, help="analytic library to write")
    parser.add_argument("--residuals", type=Path, required=True, help="residual table to write")
    parser.add_argument(
        "--names",
        nargs="+",
        default=[],
        help="fit only these minerals and keep the other rows of existing tables (default: all)",
    )
    parser.add_argument(
        "--absorptions", type=int, default=14, help="absorptions per mineral (default: 14)"
    )
    parser.add_argument(
        "--max-angle-rad",
        type=float,
        default=0.01,
        help="spectral angle below which a fit counts as good in the summary (default: 0.01)",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Fit the minerals, construct the covers and write both tables."""
    classes = read_classes(arguments.minerals)
    unknown = sorted(set(arguments.names) - {entry.name for entry in classes})
    if unknown:
        raise InputError(f"--names {unknown[0]}: not in {arguments.minerals}; add it there first")
    models, residuals = {}, {}
    if arguments.names and arguments.table.exists():
        models = {model.name: model for model in absorptions.read_models(arguments.table)}
    if arguments.names and arguments.residuals.exists():
        residuals = {row.name: row for row in absorptions.read_residuals(arguments.residuals)}
    libraries = [read_library(path) for path in arguments.library]
    # A mineral is looked up before any is fitted, so a wrong name costs no waiting.
    records = {
        entry.name: select_from_libraries(libraries, entry.name, entry.record)[1]
        for entry in classes
        if entry.kind == "mineral"
        and entry.name not in MIXTURES
        and (not arguments.names or entry.name in arguments.names)
    }
    print(f"{'name':<26}{'rms':>9}{'angle_rad':>11}{'channels':>10}  record", flush=True)
    for name, record in records.items():
        models[name] = absorptions.fit(record, name=name, absorptions=arguments.absorptions)
        residuals[name] = row = absorptions.measure_residual(models[name], record)
        print(
            f"{name:<26}{row.rms:>9.5f}{row.angle_rad:>11.5f}{row.channels:>10}  {row.record}",
            flush=True,
        )
    for entry in classes:
        if entry.kind != "mineral" and entry.name in COVERS:
            models[entry.name] = construct_cover(entry.name)
        if entry.name in MIXTURES:
            models[entry.name] = _mixture(entry.name, models, arguments)
        if entry.name not in models:
            raise InputError(
                f"{arguments.minerals}: {entry.name!r} ({entry.kind}) has no model; fit it as a "
                "mineral with a record, or leave it out of the table"
            )
    good = sum(residuals[name].angle_rad < arguments.max_angle_rad for name in records)
    print(f"{good} of {len(records)} minerals below {arguments.max_angle_rad:g} rad")
    order = [entry.name for entry in classes]
    absorptions.write_models(arguments.table, [models[name] for name in order])
    absorptions.write_residuals(
        arguments.residuals, [residuals[name] for name in order if name in residuals]
    )


def _mixture(
    name: str, models: dict[str, absorptions.AbsorptionModel], arguments: argparse.Namespace
) -> absorptions.AbsorptionModel:
    absent = [member for member, _ in MIXTURES[name] if member not in models]
    if absent:
        raise InputError(
            f"{arguments.minerals}: {name!r} needs {absent[0]!r}; put that into the table above it"
        )
    return construct_mixture(name, models, arguments.absorptions)


if __name__ == "__main__":
    run(build_parser(), main)

"""Name the minerals of single spectra with embedding networks, beside their opponents."""

import argparse
from math import isfinite
from pathlib import Path

from toolkit import add_threads, one_blas_thread, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--spectra",
        type=Path,
        nargs="+",
        required=True,
        help="spectra to name: files or folders of any format that a library may have",
    )
    add(
        "--sensor",
        required=True,
        help="sensor of the networks to whose bands the spectra are brought",
    )
    add(
        "--onnx",
        type=Path,
        nargs="+",
        required=True,
        help="networks of train_embedding.py (.onnx): one over all bands, or one for each region",
    )
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--library",
        type=Path,
        nargs="+",
        required=True,
        help="spectral libraries that the network was trained on; they give the thresholds, and "
        "the records of the spectral angle",
    )
    add("--coverage", type=float, required=True, help="coverage asked of the limits, 0 to 1")
    add(
        "--named-share",
        type=float,
        required=True,
        help="share of the spectra that the network of a region names at most, 0 to 1: those "
        "whose nearest mineral is nearest by the largest margin",
    )
    add("--seed", type=int, required=True, help="seed of the augmented spectra")
    add("--table", type=Path, required=True, help="answers of all methods to write (CSV)")
    add(
        "--summary",
        type=Path,
        required=True,
        help="counts by network, method and mineral to write (CSV)",
    )
    add(
        "--thresholds",
        type=Path,
        required=True,
        help="thresholds, limits and margins to write (JSON)",
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read spectra, network and library, choose thresholds, name, write tables."""
    with one_blas_thread():
        _name(arguments)


def _name(arguments: argparse.Namespace) -> None:
    from gossan.embedding.model import read_model
    from gossan.embedding.regions import REGIONS
    from gossan.embedding.spectra_naming import (
        CALIBRATION_SPECTRA,
        SUMMARY_COLUMNS,
        bands_of,
        calibrate,
        calibrate_margins,
        columns,
        make_methods,
        name_by_margin,
        name_spectra,
        naming_rows,
        read_spectra,
        summary_rows,
        to_bands,
    )
    from gossan.embedding.spectral_augmentation import GROUND, Augmentation, Augmenter
    from gossan.embedding.training_spectra import read_training
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.tables import write_rows

    if not 0 < arguments.named_share <= 1:
        raise InputError(f"--named-share: {arguments.named_share:g} is no share above 0")
    classes = read_classes(arguments.classes)
    models = [read_model(path) for path in arguments.onnx]
    spectra = read_spectra(arguments.spectra)
    named, thresholds = [], {}
    for path, model in zip(arguments.onnx, models, strict=True):
        header = model.header
        header.require_classes(classes, str(arguments.classes))
        if header.region in thresholds:
            raise InputError(f"{path}: a second network of the same region; give one of each")
        minerals = [item for item in classes if item.code in header.codes]
        region = REGIONS.get(header.region)
        bands = bands_of(header.bands, arguments.sensor)
        values = to_bands(spectra, bands)
        augmenter = Augmenter(
            read_training(arguments.library, minerals),
            bands,
            Augmentation() if region is None else GROUND,
            region,
        )
        methods = make_methods(model, augmenter)
        options = {"seed": arguments.seed, "threads": arguments.threads}
        if region is None:
            chosen = calibrate(
                methods,
                augmenter,
                spectra=CALIBRATION_SPECTRA,
                coverage=arguments.coverage,
                **options,
            )
            answers = {
                method: name_spectra(detector, chosen[method], values, arguments.threads)
                for method, detector in methods.items()
            }
        else:
            margins = calibrate_margins(methods, augmenter, **options)
            answers = {
                method: name_by_margin(
                    detector,
                    margins[method],
                    values,
                    share=arguments.named_share,
                    region=region.name,
                    threads=arguments.threads,
                )
                for method, detector in methods.items()
            }
            chosen = {
                method: {
                    # Infinite where no margin is large enough.
                    "of_library": margins[method] if isfinite(margins[method]) else None,
                    "least_margin": own.least_margin if isfinite(own.least_margin) else None,
                }
                for method, own in answers.items()
            }
        named.append(answers)
        thresholds[header.region] = chosen
    every = [own for network in named for own in network.values()]
    write_rows(arguments.table, columns(every), naming_rows(spectra, named))
    write_rows(arguments.summary, SUMMARY_COLUMNS, summary_rows(named))
    # A network over all bands keeps the form of an assessment's thresholds.
    write_json(
        arguments.thresholds,
        thresholds.get("", {}) | {name: own for name, own in thresholds.items() if name},
    )


if __name__ == "__main__":
    run(build_parser(), main)

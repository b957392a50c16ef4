"""Name the minerals of single spectra with an embedding network, beside the spectral angle."""

import argparse
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
        help="sensor of the network to whose bands the spectra are brought",
    )
    add("--onnx", type=Path, required=True, help="network of train_embedding.py (.onnx)")
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
    add("--seed", type=int, required=True, help="seed of the augmented spectra")
    add("--table", type=Path, required=True, help="answers of both methods to write (CSV)")
    add("--summary", type=Path, required=True, help="counts by method and mineral to write (CSV)")
    add("--thresholds", type=Path, required=True, help="thresholds and limits to write (JSON)")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read spectra, network and library, choose thresholds, name, write tables."""
    with one_blas_thread():
        _name(arguments)


def _name(arguments: argparse.Namespace) -> None:
    from gossan.embedding.model import read_model
    from gossan.embedding.spectra_naming import (
        CALIBRATION_SPECTRA,
        SUMMARY_COLUMNS,
        bands_of,
        calibrate,
        columns,
        make_methods,
        name_spectra,
        naming_rows,
        read_spectra,
        summary_rows,
        to_bands,
    )
    from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
    from gossan.embedding.training_spectra import read_training
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.tables import write_rows

    model = read_model(arguments.onnx)
    classes = read_classes(arguments.classes)
    model.header.require_classes(classes, str(arguments.classes))
    minerals = [item for item in classes if item.code in model.header.codes]
    bands = bands_of(model.header.bands, arguments.sensor)
    spectra = read_spectra(arguments.spectra)
    values = to_bands(spectra, bands)
    augmenter = Augmenter(read_training(arguments.library, minerals), bands, Augmentation())
    methods = make_methods(model, augmenter)
    thresholds = calibrate(
        methods,
        augmenter,
        spectra=CALIBRATION_SPECTRA,
        coverage=arguments.coverage,
        seed=arguments.seed,
        threads=arguments.threads,
    )
    named = {
        method: name_spectra(detector, thresholds[method], values, arguments.threads)
        for method, detector in methods.items()
    }
    write_rows(arguments.table, columns(model.header.minerals), naming_rows(spectra, named))
    write_rows(arguments.summary, SUMMARY_COLUMNS, summary_rows(named))
    write_json(arguments.thresholds, thresholds)


if __name__ == "__main__":
    run(build_parser(), main)

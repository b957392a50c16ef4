"""Train the embedding network on one instrument's spectra, and find minerals among another's."""

import argparse
import logging
from pathlib import Path

from toolkit import add_embedding, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--training",
        type=Path,
        required=True,
        help="spectra to train on, which also choose the thresholds (.npz with wavelength_um, "
        "reflectance, title, mineral)",
    )
    add("--test", type=Path, required=True, help="spectra to find minerals among (.npz, likewise)")
    add("--classes", type=Path, required=True, help="classes.csv with the minerals to find")
    add(
        "--sensors",
        type=Path,
        required=True,
        help="centres and widths of the sensors' bands (CSV: sensor, band, centre_nm, fwhm_nm)",
    )
    add(
        "--instruments",
        nargs="+",
        required=True,
        metavar="SENSOR",
        help="sensors of that table whose bands the spectra are brought to, as emit or landsat",
    )
    add(
        "--folds",
        type=int,
        required=True,
        help="parts of the training spectra, each measured by a network without it, to choose "
        "the thresholds",
    )
    add_embedding(parser)
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples of specimens")
    add("--table", type=Path, required=True, help="scores to write (CSV)")
    add("--record", type=Path, required=True, help="record of the trial to write (JSON)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read both archives, train fold by fold and once on all, measure, write."""
    import numpy as np

    from gossan.embedding.sensor_scores import ORACLE, VALIDATION
    from gossan.embedding.spectra_trial import (
        ALL,
        ALL_SENSORS,
        COLUMNS,
        NEW,
        count_unmeasured,
        deal_folds,
        gather_archive,
        in_bands,
        macro_f1,
        measure,
        measure_angles,
        measure_held_out,
        read_sensors,
        score_rows,
        shared_specimens,
    )
    from gossan.embedding.spectral_augmentation import Augmentation
    from gossan.embedding.training import learn, read_training_options
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.networks.keras_files import set_up_tensorflow
    from gossan.tables import write_rows

    classes = [item for item in read_classes(arguments.classes) if item.kind == "mineral"]
    minerals = [item.name for item in classes]
    bands = read_sensors(arguments.sensors, arguments.instruments)
    training = read_training_options(vars(arguments)).for_sensors(len(bands.sensors))
    records = gather_archive(arguments.training, classes)
    known = in_bands(records, bands, minerals)
    asked = in_bands(gather_archive(arguments.test, classes), bands, minerals)
    unmeasured = {
        "training": count_unmeasured(known, bands),
        "test": count_unmeasured(asked, bands),
    }
    for what, path, total in (
        ("training", arguments.training, len(known.truth)),
        ("test", arguments.test, len(asked.truth)),
    ):
        for sensor, count in unmeasured[what].items():
            if count:
                logging.getLogger(__name__).warning(
                    "%s: %d of %d spectra do not reach every band of %s and are not scored with it",
                    path,
                    count,
                    total,
                    "any sensor" if sensor == ALL_SENSORS else sensor,
                )
    set_up_tensorflow(training.threads, training.seed)
    augmentation = Augmentation()
    names = [arguments.training.name]

    def train(rows):
        part = records.take(rows)
        learned = learn(part, classes, bands, training, augmentation, scene="", libraries=names)
        return learned.as_model().distances

    fold = deal_folds(records.minerals, known.specimens, minerals, arguments.folds, arguments.seed)
    every = np.arange(len(records))
    scores = {
        "network": (
            measure_held_out(known, fold, bands, train, len(minerals)),
            measure(asked, np.arange(len(asked.truth)), bands, train(every)),
        ),
        "sam": (
            measure_angles(known, known, bands, minerals),
            measure_angles(asked, known, bands, minerals),
        ),
    }
    rows = []
    for method, (validation, tested) in scores.items():
        rows += score_rows(
            method,
            minerals,
            validation,
            tested,
            known,
            asked,
            replicates=arguments.bootstrap,
            seed=arguments.seed,
        )
    write_rows(arguments.table, COLUMNS, rows)
    shared = shared_specimens(known, asked)
    write_json(
        arguments.record,
        {
            "training": arguments.training.name,
            "test": arguments.test.name,
            "minerals": {
                name: {
                    "training": int((known.truth == place).sum()),
                    "test": int((asked.truth == place).sum()),
                }
                for place, name in enumerate(minerals, start=1)
            },
            "n_training": len(known.truth),
            "n_test": len(asked.truth),
            "not_measured": unmeasured,
            "bands": len(bands),
            "split": "specimen: thresholds of the network chosen on training spectra of held-out "
            f"specimens ({arguments.folds} folds), those of the spectral angle by leaving out one "
            "record at a time; intervals by a bootstrap of specimens",
            "shared_specimens": shared,
            "n_test_shared": int(np.isin(asked.specimens, shared).sum()),
            "network": training.describe(),
            "augmentation": augmentation.describe(bands.sensors),
            "bootstrap": arguments.bootstrap,
            "macro_f1": {
                spectra: {kind: macro_f1(rows, spectra, kind) for kind in (VALIDATION, ORACLE)}
                for spectra in (ALL, NEW)
            },
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)

"""Find minerals with networks and baselines, and test each on blocks that chose no threshold."""

import argparse
import logging
from pathlib import Path

from toolkit import add_tested_pixels, add_threads, one_blas_thread, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_tested_pixels(parser)
    add = parser.add_argument
    add("--masked", type=Path, required=True, help="network trained with absent sensors (.onnx)")
    add("--unmasked", type=Path, help="network trained with all sensors (.onnx)")
    add("--filler", type=Path, help="network that fills in absent sensors (.onnx)")
    add("--coverage", type=float, required=True, help="coverage asked of the answers, 0 to 1")
    add(
        "--training-spectra",
        type=int,
        required=True,
        help="augmented spectra per mineral that one-class models learn from",
    )
    add("--svm-nu", type=float, required=True, help="share that a one-class SVM may leave out")
    add("--trees", type=int, required=True, help="trees of an Isolation Forest")
    add("--detection", type=Path, required=True, help="table of methods and minerals (CSV)")
    add("--thresholds", type=Path, required=True, help="thresholds and limits to write (JSON)")
    add("--similarity", type=Path, required=True, help="table of embeddings moved (CSV)")
    add("--subsets", type=Path, required=True, help="table of all sets of sensors (CSV)")
    add("--coverage-table", type=Path, required=True, help="table of abstentions (CSV)")
    add("--record-dir", type=Path, required=True, help="folder for accuracy records: METHOD.json")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read pixels, library and networks, test every method, write tables and records."""
    with one_blas_thread():
        _assess(arguments)


def _assess(arguments: argparse.Namespace) -> None:
    from gossan.accuracy.record import unassessed_record
    from gossan.cube.bands import read_bands
    from gossan.embedding.detection import DETECTION_COLUMNS, accuracy_record
    from gossan.embedding.detector_assessment import (
        COVERAGE_COLUMNS,
        draw_library,
        examine_detector,
        make_detectors,
    )
    from gossan.embedding.model import read_model
    from gossan.embedding.sensor_scores import MAPPED, method_label
    from gossan.embedding.sensor_subsets import (
        SIMILARITY_COLUMNS,
        SUBSET_COLUMNS,
        assess_subsets,
        compare_embeddings,
        whole_pixels,
    )
    from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
    from gossan.embedding.tested_ground import read_ground
    from gossan.embedding.training_spectra import read_training
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.raster import is_synthetic, read_info
    from gossan.tables import write_rows

    bands = read_bands(arguments.bands)
    classes = read_classes(arguments.classes)
    models = {"masked": read_model(arguments.masked)}
    if arguments.unmasked is not None:
        models["unmasked"] = read_model(arguments.unmasked)
    for model in models.values():
        model.header.require_bands(bands, str(arguments.bands))
        model.header.require_classes(classes, str(arguments.classes))
    header = models["masked"].header
    own = {item.code: item for item in classes}
    minerals = [own[code] for code in header.codes]
    filler = None
    if arguments.filler is not None:
        from gossan.embedding.filler import read_filler

        filler = read_filler(arguments.filler)
        header.require_bands(filler.header.bands, str(arguments.filler))
    synthetic = is_synthetic(read_info(arguments.stack).tags)
    ground = read_ground(vars(arguments), bands, classes, minerals)
    pixels = None if ground is None else ground.pixels
    augmenter = Augmenter(read_training(arguments.library, minerals), bands, Augmentation())
    detectors, training = make_detectors(
        augmenter,
        models,
        filler,
        spectra=arguments.training_spectra,
        nu=arguments.svm_nu,
        trees=arguments.trees,
        seed=arguments.seed,
    )
    library = draw_library(augmenter, header.minerals, arguments.training_spectra, arguments.seed)
    examined = {}
    for method, detector in detectors.items():
        logging.info("%s", method_label(method))
        examined[method] = examine_detector(
            method,
            detector,
            library,
            pixels,
            training=training.get(method, {}),
            coverage=arguments.coverage,
            replicates=arguments.bootstrap,
            seed=arguments.seed,
            threads=arguments.threads,
        )
    whole, available = whole_pixels(library if pixels is None else pixels, bands)
    logging.info("missing sensors: %d pixels that have %s", len(whole), "+".join(available))
    moved = compare_embeddings(
        models["masked"].embed, bands, whole.spectra, whole.truth, header.minerals, available
    )
    subsets = []
    if pixels is not None and whole.is_test.any() and not whole.is_test.all():
        subsets = assess_subsets(
            {
                name: detectors[name]
                for name in ("masked", "filled", "unmasked", "sam", "shape")
                if name in detectors
            },
            bands,
            whole,
            available=available,
            replicates=arguments.bootstrap,
            seed=arguments.seed,
            threads=arguments.threads,
        )
    # The map names a pixel by the conformal limits, not by the thresholds of the best F1.
    tested = [("map", MAPPED, examined["masked"].answered)]
    tested += [(method, method_label(method), item.named) for method, item in examined.items()]
    for method, label, classes in tested:
        if ground is None:
            record = unassessed_record(scene=arguments.scene, method=label, synthetic=synthetic)
        else:
            record = accuracy_record(
                classes,
                ground,
                minerals,
                scene=arguments.scene,
                method=label,
                file=arguments.truth.name,
                synthetic=synthetic,
            )
        write_json(arguments.record_dir / f"{method}.json", record)
    write_rows(
        arguments.detection,
        DETECTION_COLUMNS,
        [row for item in examined.values() for row in item.rows],
    )
    write_rows(arguments.similarity, SIMILARITY_COLUMNS, moved)
    write_rows(arguments.subsets, SUBSET_COLUMNS, subsets)
    # The limits that name pixels are the masked network's, so the abstentions are, too.
    write_rows(arguments.coverage_table, COVERAGE_COLUMNS, examined["masked"].coverage)
    write_json(arguments.thresholds, {method: item.thresholds for method, item in examined.items()})


if __name__ == "__main__":
    run(build_parser(), main)

"""Compare embedding networks as published with the study's own, on the same pixels."""

import argparse
from pathlib import Path

from toolkit import add_tested_pixels, add_threads, one_blas_thread, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_tested_pixels(parser)
    add = parser.add_argument
    add("--masked", type=Path, required=True, help="own network, trained with absent sensors")
    add("--unmasked", type=Path, help="own network, trained with all sensors")
    add("--published-masked", type=Path, required=True, help="the first as published (.onnx)")
    add("--published-unmasked", type=Path, help="the second as published (.onnx)")
    add("--comparison", type=Path, required=True, help="table of both side by side (CSV)")
    add("--similarity", type=Path, required=True, help="table of embeddings moved (CSV)")
    add("--record-dir", type=Path, required=True, help="folder for accuracy records: NETWORK.json")
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read pixels, library and networks, compare them, write tables and records."""
    with one_blas_thread():
        _compare(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    from gossan.accuracy.record import unassessed_record
    from gossan.cube.bands import read_bands
    from gossan.embedding.comparison import (
        COMPARISON_COLUMNS,
        MOVED_COLUMNS,
        compare_moved,
        compare_networks,
    )
    from gossan.embedding.detection import accuracy_record, choose_thresholds, name_pixels
    from gossan.embedding.detector_assessment import pure_spectra
    from gossan.embedding.model import read_model
    from gossan.embedding.sensor_scores import published_label
    from gossan.embedding.sensor_subsets import whole_pixels
    from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
    from gossan.embedding.tested_ground import read_ground
    from gossan.embedding.training_spectra import read_training
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.raster import is_synthetic, read_info
    from gossan.tables import write_rows

    bands = read_bands(arguments.bands)
    classes = read_classes(arguments.classes)
    pairs = {
        "masked": (arguments.published_masked, arguments.masked),
        "unmasked": (arguments.published_unmasked, arguments.unmasked),
    }
    models = {
        name: tuple(read_model(path) for path in paths)
        for name, paths in pairs.items()
        if None not in paths
    }
    for pair in models.values():
        for model in pair:
            model.header.require_bands(bands, str(arguments.bands))
            model.header.require_classes(classes, str(arguments.classes))
    published, own = models["masked"]
    named = {item.code: item for item in classes}
    minerals = [named[code] for code in own.header.codes]
    references = pure_spectra(
        Augmenter(read_training(arguments.library, minerals), bands, Augmentation()),
        own.header.minerals,
    )
    ground = read_ground(vars(arguments), bands, classes, minerals)
    rows, records = [], {}
    for name, (theirs, ours) in models.items():
        label = published_label(name)
        if ground is None:
            records[name] = unassessed_record(
                scene=arguments.scene,
                method=label,
                synthetic=is_synthetic(read_info(arguments.stack).tags),
            )
            continue
        pixels = ground.pixels
        found, scores = compare_networks(
            name,
            theirs,
            ours,
            pixels,
            replicates=arguments.bootstrap,
            seed=arguments.seed,
            threads=arguments.threads,
        )
        rows += found
        held = pixels.take(~pixels.is_test)
        limits = choose_thresholds(scores[~pixels.is_test], held.held, held.weight)
        records[name] = accuracy_record(
            name_pixels(scores[pixels.is_test], limits),
            ground,
            minerals,
            scene=arguments.scene,
            method=label,
            file=arguments.truth.name,
            synthetic=is_synthetic(read_info(arguments.stack).tags),
        )
    whole, available = (None, ()) if ground is None else whole_pixels(ground.pixels, bands)
    moved = compare_moved({"published": published, "own": own}, bands, references, whole, available)
    for name, record in records.items():
        write_json(arguments.record_dir / f"{name}.json", record)
    write_rows(arguments.comparison, COMPARISON_COLUMNS, rows)
    write_rows(arguments.similarity, MOVED_COLUMNS, moved)


if __name__ == "__main__":
    run(build_parser(), main)

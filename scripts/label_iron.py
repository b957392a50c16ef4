"""Label iron ore by spectral angle: choose thresholds on samples, map similarity and grades."""

import argparse
import threading
from pathlib import Path

from toolkit import add_blocks, run

METHOD = "Spectral Angle Mapper, iron grades"


def parse_theta(text: str) -> float | None:
    """Radians, or None for `published`."""
    return None if text == "published" else float(text)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cube", type=Path, required=True, help="cube to label")
    parser.add_argument(
        "--references",
        type=Path,
        help="laboratory spectra at the cube's bands (CSV of resample_library.py), of hematite, "
        "itabirite (or quartz, to mix it of hematite and quartz), soil or vegetation (default for "
        "each that is not given: the mean spectrum of its training samples)",
    )
    parser.add_argument(
        "--samples", type=Path, required=True, help="sample points of sample_strata.py"
    )
    parser.add_argument(
        "--geology",
        type=Path,
        help="vector file of polygons with the attribute `iron` (yes or no); iron grades lie in "
        "units with yes only (default: no constraint)",
    )
    parser.add_argument(
        "--classes", type=Path, required=True, help="table of iron grades (CSV): iron.csv"
    )
    parser.add_argument(
        "--covers", type=Path, required=True, help="table of cover classes (CSV): covers.csv"
    )
    parser.add_argument(
        "--max-angle-rad",
        nargs="*",
        default=[],
        metavar="NAME=RAD",
        help="thresholds to use as they are, such as hematite=0.10 itabirite=0.12; those of the "
        "other references are chosen on the training samples",
    )
    parser.add_argument(
        "--theta-max-rad",
        type=parse_theta,
        required=True,
        metavar="RAD",
        help="angle of similarity 0, for all references; or `published`: so that the paper's "
        "thresholds have a similarity of 0.7 (hematite 0.333, itabirite 0.4, soil and vegetation "
        "0.5)",
    )
    parser.add_argument(
        "--grades",
        type=float,
        nargs=3,
        required=True,
        metavar="S",
        help="least similarity of high, moderate and low grade",
    )
    parser.add_argument("--scene", required=True, help="scene id")
    parser.add_argument("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    parser.add_argument("--seed", type=int, required=True, help="seed of the bootstrap")
    parser.add_argument(
        "--similarity",
        type=Path,
        required=True,
        help="raster to write of the similarity to each reference, one per band",
    )
    parser.add_argument("--labels", type=Path, required=True, help="raster of grades to write")
    parser.add_argument(
        "--scan", type=Path, required=True, help="table of thresholds and scores to write (CSV)"
    )
    parser.add_argument(
        "--robustness",
        type=Path,
        required=True,
        help="table to write of scores with thresholds shifted by 0.02 rad (CSV)",
    )
    parser.add_argument(
        "--spectra", type=Path, required=True, help="reference spectra used, to write (CSV)"
    )
    parser.add_argument(
        "--points",
        type=Path,
        required=True,
        help="table to write of the samples with their angles to the references (radians) and "
        "their reflectance in each band (CSV)",
    )
    parser.add_argument(
        "--record", type=Path, required=True, help="how the labels were made, to write (JSON)"
    )
    parser.add_argument(
        "--accuracy",
        type=Path,
        required=True,
        help="accuracy record of the four cover classes on the test samples to write (JSON)",
    )
    add_blocks(parser)
    return parser


def parse_limits(pairs: list[str]) -> dict[str, float]:
    """Name -> radians of NAME=RAD; InputError for anything else."""
    from gossan.errors import InputError

    limits = {}
    for pair in pairs:
        name, _, number = pair.rpartition("=")
        try:
            limits[name] = float(number)
        except ValueError as error:
            raise InputError(f"max-angle-rad: {pair!r} is not NAME=RAD; correct it") from error
    return limits


def main(arguments: argparse.Namespace) -> None:
    """Choose thresholds, map similarity and grades, write tables and records."""
    import numpy as np

    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.legend import (
        NODATA,
        read_classes,
    )
    from gossan.library.readers import read_references, write_references
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.minerals.spectral_angle import map_angles
    from gossan.prospects.iron_labels import (
        REFERENCES,
        SHIFTS,
        Grading,
        Spectra,
        as_references,
        classify_angles,
        confuse,
        count_iron,
        cover_places,
        dict_of,
        hold_out_strata,
        make_references,
        plain_scores,
        point_angles,
        point_record,
        point_rows,
        robustness_rows,
        scan_rows,
        scan_steps,
        scan_thresholds,
    )
    from gossan.prospects.potential import open_hosts
    from gossan.prospects.strata import Samples, index_bands, read_samples, read_spectra
    from gossan.raster import is_synthetic, read_info
    from gossan.tables import write_table

    info = read_info(arguments.cube)
    indices = index_bands(info.bands, str(arguments.cube))
    classes, covers = read_classes(arguments.classes), read_classes(arguments.covers)
    steps = scan_steps(parse_limits(arguments.max_angle_rad))
    table = None if arguments.references is None else read_references(arguments.references)
    what = str(arguments.references or arguments.samples)
    samples = read_samples(arguments.samples, info.grid)
    training = samples.split == "train"
    for split, chosen in (("train", training), ("test", ~training)):
        if not chosen.any():
            raise InputError(f"{arguments.samples}: has no {split} samples; draw them again")
    points = read_spectra(arguments.cube, samples.row, samples.column)
    truth = cover_places(samples)

    def make(spectra: np.ndarray, own: Samples) -> Spectra:
        return make_references(table, info.bands, what, spectra, own)

    spectra = make(points[training], samples.select(training))
    angles = point_angles(points, spectra)
    scan = scan_thresholds(angles[training], truth[training], steps)
    limits = scan.limits
    grading = Grading.of(arguments.theta_max_rad, arguments.grades, classes)
    held_out = hold_out_strata(samples.select(training), points[training], steps, make)
    test = samples.select(~training)
    said = classify_angles(angles[~training], limits)
    synthetic = is_synthetic(info.tags)
    accuracy = point_record(
        test,
        said,
        covers,
        scene=arguments.scene,
        file=arguments.samples.name,
        synthetic=synthetic,
        replicates=arguments.bootstrap,
        seed=arguments.seed,
    )

    lock = threading.Lock()
    iron = np.zeros(len(SHIFTS), np.int64)
    pixels = np.zeros(256, np.int64)
    stored = info.offset == 0.0

    def label(block: np.ndarray, hosting: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        nodata = info.nodata if stored else None
        every = map_angles(block, spectra.reflectance, nodata=nodata, every_angle=True)[3]
        similarity = grading.similarity(every)
        codes = grading.classify(every, similarity, hosting)
        found = count_iron(every, hosting, grading, SHIFTS)
        with lock:
            iron[:] += found
            pixels[:] += np.bincount(codes.ravel(), minlength=256)
        return similarity, codes

    sources: list = [arguments.cube]
    if arguments.geology is not None:
        sources.append(open_hosts(arguments.geology, info.grid))
    tags = {**info.tags, "METHOD": METHOD}
    write_maps(
        label,
        sources,
        [
            Ramp(arguments.similarity, REFERENCES, 0.0, 1.0, tags=tags),
            ClassMap(arguments.labels, classes, ("iron",), tags=tags),
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=not stored,
        progress="iron labels",
    )
    valid = int(pixels[:NODATA].sum())
    write_table(arguments.scan, scan_rows(scan, truth[training]))
    write_table(
        arguments.robustness,
        robustness_rows(limits, angles, truth, samples.split, iron, valid),
    )
    write_references(arguments.spectra, as_references(spectra, info.bands))
    write_table(arguments.points, point_rows(samples, angles, points, info.bands.names))
    write_json(
        arguments.record,
        {
            "method": METHOD,
            "scene": arguments.scene,
            "synthetic": synthetic,
            "sources": dict(zip(REFERENCES, spectra.source, strict=True)),
            "limits_rad": dict_of(limits),
            "fixed": sorted(parse_limits(arguments.max_angle_rad)),
            "theta_max_rad": dict_of(grading.theta_max_rad),
            "grades": dict(zip(("high", "moderate", "low"), grading.grades, strict=True)),
            "geology": None if arguments.geology is None else arguments.geology.name,
            "index_bands": list(indices.names),
            "green_for_blue": indices.green_for_blue,
            "train": plain_scores(
                confuse(truth[training], classify_angles(angles[training], limits))
            ),
            "test": plain_scores(confuse(truth[~training], said)),
            "held_out_strata": held_out,
            "pixels": valid,
            "classes": [
                {
                    "code": item.code,
                    "name": item.name,
                    "pixels": int(pixels[item.code]),
                    "share": round(int(pixels[item.code]) / valid, 6) if valid else None,
                }
                for item in classes
            ],
        },
    )
    write_json(arguments.accuracy, accuracy)


if __name__ == "__main__":
    run(build_parser(), main)

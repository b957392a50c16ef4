"""Name the minerals of one region of the spectrum in a stack of sensors, by margin."""

import argparse
from pathlib import Path

from toolkit import add_blocks, one_blas_thread, run

METHOD = "Metric learning in a region of the spectrum"
SAMPLE_PX = 20_000
"""Pixels, evenly spread, whose margins tell how they are spread over the scene."""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--stack", type=Path, required=True, help="stacked sensors, reflectance (stack.tif)")
    add("--sensors", type=Path, required=True, help="raster of the sensors present (sensors.tif)")
    add("--onnx", type=Path, required=True, help="network of train_embedding.py --region (.onnx)")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--library",
        type=Path,
        nargs="+",
        required=True,
        help="spectral libraries that the network was trained on",
    )
    add(
        "--named-share",
        type=float,
        required=True,
        help="share of the pixels to name at most, 0 to 1: those of the largest margin",
    )
    add("--seed", type=int, required=True, help="seed of the augmented spectra")
    add("--scene", required=True, help="scene id, for the record")
    add("--class-map", type=Path, required=True, help="class raster to write")
    add("--margin", type=Path, required=True, help="raster to write of the margin")
    add("--areas", type=Path, required=True, help="table of the classes' areas to write (CSV)")
    add("--record", type=Path, required=True, help="record to write of the map (JSON)")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read network and library, sample margins, name pixels block by block, write."""
    with one_blas_thread():
        _map(arguments)


def _map(arguments: argparse.Namespace) -> None:
    import math
    from functools import partial

    import numpy as np

    from gossan.embedding.detectors import Embedding
    from gossan.embedding.mapper import (
        AREA_COLUMNS,
        Mapper,
        area_rows,
        require_inputs,
        require_stack,
        stack_bands,
    )
    from gossan.embedding.margins import least_margin
    from gossan.embedding.model import read_model
    from gossan.embedding.region_mapper import RegionMapper
    from gossan.embedding.regions import REGIONS, bands_in
    from gossan.embedding.spectra_naming import calibrate_margins
    from gossan.embedding.spectral_augmentation import GROUND, Augmenter
    from gossan.embedding.training_spectra import read_training
    from gossan.errors import InputError
    from gossan.files import write_json
    from gossan.legend import read_classes
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.networks.headers import describe_origin, origin_tags
    from gossan.raster import iter_blocks, read_info
    from gossan.tables import write_rows

    model = read_model(arguments.onnx)
    header = model.header
    region = REGIONS.get(header.region)
    if region is None:
        raise InputError(
            f"{arguments.onnx}: is of no region; give a network of train_embedding.py --region"
        )
    if not 0 < arguments.named_share <= 1:
        raise InputError(f"--named-share: {arguments.named_share:g} is no share above 0")
    classes = read_classes(arguments.classes)
    header.require_classes(classes, str(arguments.classes))
    minerals = [item for item in classes if item.code in header.codes]
    info = read_info(arguments.stack)
    bands = require_stack(header, info, bands_in(stack_bands(info), region))
    require_inputs(info, read_info(arguments.sensors))
    training = read_training(arguments.library, minerals)
    augmenter = Augmenter(training, header.bands, GROUND, region)
    of_library = calibrate_margins(
        {"network": Embedding(header.minerals, model.distances)},
        augmenter,
        seed=arguments.seed,
        threads=arguments.threads,
    )["network"]
    names = stack_bands(info).names
    rows = np.array([names.index(name) for name in bands.names])
    sources = [arguments.stack, arguments.sensors]
    blocks = {"block_px": arguments.block_px, "threads": arguments.threads, "scaled": False}

    def make(least: float) -> RegionMapper:
        none = np.full(len(header.minerals), np.nan)
        mapper = Mapper(model, none, info, bands, arguments.sensors)
        return RegionMapper(mapper, rows, least)

    rows_px, columns_px = info.grid.shape
    step = max(1, math.isqrt(rows_px * columns_px // SAMPLE_PX))
    sample = partial(make(math.inf).margins, step=step)
    found = [own for _, own in iter_blocks(sample, sources, progress="margins", **blocks)]
    sampled = np.concatenate(found)
    least = least_margin(sampled, of_library, arguments.named_share)
    mapper = make(least)
    origin = describe_origin(arguments.onnx, header, arguments.scene)
    tags = {**info.tags, "METHOD": METHOD, "REGION": region.name, **origin_tags(origin)}
    write_maps(
        mapper,
        sources,
        [
            ClassMap(arguments.class_map, minerals, tags=tags),
            Ramp(arguments.margin, ("margin",), 0.0, 1.0, tags=tags),
        ],
        progress="minerals",
        **blocks,
    )
    areas = area_rows(mapper.mapper.counts, minerals, info.grid.pixel_area_m2)
    write_rows(arguments.areas, AREA_COLUMNS, areas)
    write_json(
        arguments.record,
        {
            "scene": arguments.scene,
            "method": METHOD,
            "region": region.name,
            "network": origin,
            "minerals": list(header.minerals),
            "sensors": list(bands.sensors),
            "libraries": list(header.libraries),
            "modelled": header.modelled,
            "named_share": arguments.named_share,
            "sampled_px": int(sampled.size),
            "margin": {
                # Infinite where no margin is large enough.
                name: round(value, 6) if math.isfinite(value) else None
                for name, value in (("of_library", of_library), ("least", least))
            },
        },
    )


if __name__ == "__main__":
    run(build_parser(), main)

"""Name the minerals of a stack of sensors with an embedding network, by ONNX Runtime."""

import argparse
from pathlib import Path

from toolkit import add_blocks, run

METHOD = "Metric learning over sensors"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--stack", type=Path, required=True, help="stacked sensors, reflectance (stack.tif)")
    add("--sensors", type=Path, required=True, help="raster of the sensors present (sensors.tif)")
    add("--onnx", type=Path, required=True, help="network of train_embedding.py (.onnx)")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--thresholds",
        type=Path,
        required=True,
        help="limits of the distances (thresholds.json of the assessment)",
    )
    add("--filler", type=Path, help="network that fills in absent sensors before (.onnx)")
    add("--scene", required=True, help="scene id, for the record")
    add("--class-map", type=Path, required=True, help="class raster to write")
    add(
        "--distance",
        type=Path,
        required=True,
        help="raster to write of the distance to the named or nearest mineral, then to each",
    )
    add(
        "--answer",
        type=Path,
        required=True,
        help="raster to write of why a pixel has its class or none: named, none, several",
    )
    add("--areas", type=Path, required=True, help="table of the classes' areas to write (CSV)")
    add(
        "--sensor-areas",
        type=Path,
        required=True,
        help="table of areas to write, by the sensors present (CSV)",
    )
    add(
        "--record",
        type=Path,
        required=True,
        help="record to write of where the network came from and what it used (JSON)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read network and limits, name pixels block by block, write rasters, styles and table."""

    from gossan.embedding.filler import read_filler
    from gossan.embedding.mapper import (
        ANSWERS,
        AREA_COLUMNS,
        SENSOR_AREA_COLUMNS,
        Mapper,
        area_rows,
        map_record,
        read_limits,
        require_inputs,
        require_stack,
        sensor_area_rows,
    )
    from gossan.embedding.model import read_model
    from gossan.files import write_json
    from gossan.legend import (
        read_classes,
    )
    from gossan.maps import ClassMap, Ramp, write_maps
    from gossan.networks.headers import describe_origin, origin_tags
    from gossan.raster import read_info
    from gossan.tables import write_rows

    model = read_model(arguments.onnx)
    header = model.header
    classes = read_classes(arguments.classes)
    header.require_classes(classes, str(arguments.classes))
    own = [item for item in classes if item.code in header.codes]
    network = "masked" if header.masked else "unmasked"
    limits = read_limits(arguments.thresholds, network, header.minerals)
    info = read_info(arguments.stack)
    bands = require_stack(header, info)
    require_inputs(info, read_info(arguments.sensors))
    filler = None
    if arguments.filler is not None:
        filler = read_filler(arguments.filler)
        header.require_bands(filler.header.bands, str(arguments.filler))
    origin = describe_origin(arguments.onnx, header, arguments.scene)
    mapper = Mapper(model, limits, info, bands, arguments.sensors, filler)
    tags = {
        **info.tags,
        "METHOD": METHOD,
        "NETWORK": network,
        "FILLED": "no" if filler is None else "yes",
        **origin_tags(origin),
    }
    write_maps(
        mapper,
        [arguments.stack, arguments.sensors],
        [
            ClassMap(arguments.class_map, own, tags=tags),
            Ramp(
                arguments.distance,
                ("distance", *header.minerals),
                0.0,
                float(limits.max()) or 1.0,
                reverse=True,
                tags=tags,
            ),
            ClassMap(arguments.answer, ANSWERS, ("answer",), tags=tags),
        ],
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
        progress="minerals",
    )
    area_m2 = info.grid.pixel_area_m2
    write_rows(arguments.areas, AREA_COLUMNS, area_rows(mapper.counts, own, area_m2))
    write_rows(
        arguments.sensor_areas,
        SENSOR_AREA_COLUMNS,
        sensor_area_rows(mapper.counts, own, area_m2),
    )
    record = map_record(header, bands, classes, limits)
    record["thresholds"] |= {"file": arguments.thresholds.name, "method": network}
    if filler is not None:
        record["filler"] = describe_origin(arguments.filler, filler.header, arguments.scene)
    write_json(
        arguments.record,
        {"scene": arguments.scene, "method": METHOD, "network": origin, **record},
    )


if __name__ == "__main__":
    run(build_parser(), main)

"""The ground that embedding networks are tested on, as the command line tells of it."""

from collections.abc import Mapping, Sequence

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.truth import KEPT, REFUSED, open_truth
from gossan.cube.bands import StackBands
from gossan.embedding.detection import Ground, Protocol, read_pixels
from gossan.legend import MapClass, read_classes
from gossan.raster import read_info


def read_ground(
    options: Mapping,
    bands: StackBands,
    classes: Sequence[MapClass],
    minerals: Sequence[MapClass],
) -> Ground | None:
    """The tested pixels; None without a truth.

    `options` are those of `toolkit.add_tested_pixels` by name; `minerals` are the `classes` in the
    order of the networks. Raises InputError for numbers that divide no pixels, and what
    `open_truth` and `read_pixels` raise.
    """
    protocol = Protocol(
        Bootstrap(options["spatial_block_px"], options["bootstrap"], options["seed"]),
        options["validation_share"],
        options["per_class"],
    )
    if options["truth"] is None:
        return None
    truth = open_truth(
        options["truth"],
        read_info(options["stack"]).grid,
        classes,
        read_classes(options["minerals"]) if options["minerals"] else (),
        overlaps=KEPT if options["several"] else REFUSED,
        outside=options["outside"],
    )
    return read_pixels(
        options["stack"],
        options["sensors"],
        bands,
        truth,
        minerals,
        protocol,
        options["threads"],
    )

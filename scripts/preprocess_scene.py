"""Turn a sensor's native product into the cube: calibrated, corrected, masked reflectance."""

import argparse
from pathlib import Path

from gossan.cube.atmosphere import METHODS
from gossan.cube.normalisation import NORMALISATIONS
from gossan.cube.preprocessing import Recipe, make_cube
from gossan.library.readers import read_library
from gossan.library.resample import note_responses
from gossan.products.product import Product
from gossan.products.readers import READERS, open_product
from gossan.products.subset import describe_part, nearest_bands, select_part, without_empty_bands
from gossan.transforms.vegetation import check_index
from toolkit import add_blocks, add_part, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--sensor", required=True, choices=sorted(READERS), help="whose product it is")
    add(
        "--product",
        required=True,
        type=Path,
        help="native product: a folder, a file or an archive; for rasters a folder of GeoTIFFs "
        "with one band each, called BAND.tif, or one GeoTIFF or ENVI image",
    )
    add(
        "--atmosphere",
        nargs="+",
        required=True,
        choices=["none", *METHODS],
        help="corrections in their order, or none; surface reflectance skips dos1, cost and quac",
    )
    add(
        "--library",
        nargs="+",
        default=[],
        type=Path,
        help="spectral library for quac: the analytic table, or one with the same names",
    )
    bands = parser.add_mutually_exclusive_group()
    bands.add_argument(
        "--bands",
        nargs="+",
        action="extend",
        metavar="BAND",
        help="bands of the product to use, in this order (default: all)",
    )
    bands.add_argument(
        "--centres-um",
        nargs="+",
        type=float,
        metavar="UM",
        help="wavelengths in µm: use the band nearest to each, by ascending wavelength",
    )
    add(
        "--wavelengths-um",
        nargs="+",
        default=[],
        type=float,
        metavar="UM",
        help="centres in µm of the bands of rasters that tell none, one for each of --bands or of "
        "all; they are then reflectance",
    )
    add(
        "--fwhm-um",
        nargs="+",
        default=[],
        type=float,
        metavar="UM",
        help="widths that go with --wavelengths-um (default: the distance to the nearest centre)",
    )
    add(
        "--scale",
        type=float,
        help="reflectance of a stored 1 in rasters that do not tell it, as 0.0001 (default: as the "
        "files tell)",
    )
    add_part(parser)
    add(
        "--mask",
        nargs="*",
        required=True,
        metavar="FLAG",
        help="quality flags that become nodata; no name after it masks nothing",
    )
    add(
        "--ndvi-max",
        type=float,
        help="pixels of a higher NDVI after the atmospheric correction become nodata (default: "
        "none do); pixels without an NDVI, black in both of its bands, stay",
    )
    add(
        "--normalisation",
        required=True,
        choices=sorted(NORMALISATIONS),
        help="clip holds reflectance within 0 to 1, minmax stretches each band to 0-1",
    )
    add("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    add("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


def open_chosen(arguments: argparse.Namespace) -> tuple[Product, list[str] | None, list[str]]:
    """The product, opened for the bands that are asked for; their names; notes on the choice."""
    sensor, path, names = arguments.sensor, arguments.product, arguments.bands
    centres, widths, scale = arguments.wavelengths_um, arguments.fwhm_um, arguments.scale
    notes = []
    if arguments.centres_um is not None:
        with open_product(sensor, path, None, centres, widths, scale) as product:
            names, missed = nearest_bands(product.bands, arguments.centres_um)
            table = product.bands
        if missed:
            missing = ", ".join(f"{centre:g}" for centre in missed)
            notes.append(f"no band lies near {missing} µm, which the cube does without")
        if centres and arguments.ndvi_max is None:
            places = [table.names.index(name) for name in names]
            centres = [table.centre_um[place] for place in places]
            widths = [table.fwhm_um[place] for place in places]
    # The index may need bands that the cube does not: then the reader opens all.
    whole = arguments.ndvi_max is not None and not (arguments.bands and centres)
    needed = None if whole else names
    return open_product(sensor, path, needed, centres, widths, scale), names, notes


def main(arguments: argparse.Namespace) -> None:
    """Open the product, write the cube and its record."""
    check_index(arguments.ndvi_max)
    library = [spectrum for path in arguments.library for spectrum in read_library(path)]
    recipe = Recipe(
        arguments.atmosphere,
        arguments.mask,
        arguments.normalisation,
        arguments.ndvi_max,
        library,
    )
    product, names, notes = open_chosen(arguments)
    with product:
        part = select_part(product, names, arguments.window, arguments.polygon)
        part, left_out = without_empty_bands(part, named=arguments.bands is not None)
        notes += note_responses(part.product.sensor, part.bands.names)
        cut = arguments.window or arguments.polygon or names
        record = make_cube(
            part,
            recipe,
            arguments.cube,
            how=describe_part(part, arguments.polygon) if cut else {},
            notes=[*notes, *left_out],
            block_px=arguments.block_px,
            threads=arguments.threads,
        )
        record.write(arguments.record)


if __name__ == "__main__":
    run(build_parser(), main)

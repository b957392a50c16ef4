"""Map the class of the nearest reference spectrum, its angle, and the margin to the second."""

import argparse
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import write_json
from gossan.legend import NODATA, MapClass, read_classes, write_class_style, write_continuous_style
from gossan.libraries import References, read_references
from gossan.raster import BandTable, Layer, map_blocks, read_info
from gossan.spectral_angle import map_angles
from gossan.stac import build_item
from toolkit import add_blocks, run

METHOD = "Spectral Angle Mapper"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--scene", required=True, help="id of the scene, for the STAC item")
    add("--cube", type=Path, required=True, help="reflectance cube of the scene")
    add(
        "--references", type=Path, required=True, help="reference spectra on the cube's bands (CSV)"
    )
    add("--classes", type=Path, required=True, help="the study's classes.csv, with thresholds")
    add("--class-map", type=Path, required=True, help="class raster to write")
    add("--angle", type=Path, required=True, help="raster of the winner's angle to write (rad)")
    add("--margin", type=Path, required=True, help="raster of the margin to write (rad)")
    add("--item", type=Path, required=True, help="STAC item to write (JSON)")
    add("--angles", type=Path, help="raster of the angle to every reference to write (rad)")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Write the maps, their styles and the STAC item."""
    classes = read_classes(arguments.classes)
    references = read_references(arguments.references)
    cube = read_info(arguments.cube)
    spectra = matched_spectra(references, classes, cube.bands, arguments)
    thresholds = [np.pi if item.max_angle_rad is None else item.max_angle_rad for item in classes]
    codes = [item.code for item in classes]
    every_angle = arguments.angles is not None
    tags = cube.tags | {"METHOD": METHOD}
    layers = [
        Layer(
            arguments.class_map,
            "uint8",
            NODATA,
            ("class",),
            overviews="mode",
            colours={item.code: item.colour for item in classes},
            tags=tags,
        ),
        Layer(arguments.angle, "float32", np.nan, ("angle_rad",), tags=tags),
        Layer(arguments.margin, "float32", np.nan, ("margin_rad",), tags=tags),
    ]
    if every_angle:
        names = tuple(f"angle_rad to {item.name}" for item in classes)
        layers.append(Layer(arguments.angles, "float32", np.nan, names, tags=tags))
    mapped_pixels = []

    def work(block: np.ndarray) -> tuple[np.ndarray, ...]:
        maps = map_angles(block, spectra, thresholds, codes, cube.nodata, every_angle=every_angle)
        mapped_pixels.append(np.count_nonzero(maps[0] != NODATA))
        return maps

    map_blocks(
        work,
        [arguments.cube],
        layers,
        block_px=arguments.block_px,
        threads=arguments.threads,
        scaled=False,
        progress="spectral angles",
    )
    if not sum(mapped_pixels):
        for layer in layers:
            layer.path.unlink()
        raise InputError(
            f"{arguments.cube}: every pixel is nodata; choose a scene with clear ground"
        )
    write_class_style(arguments.class_map, classes)
    widest = max(min(angle, np.pi / 2) for angle in thresholds)
    write_continuous_style(arguments.angle, 0.0, widest, unit="rad", reverse=True)
    write_continuous_style(arguments.margin, 0.0, widest / 2, unit="rad")
    item = build_item(
        arguments.scene,
        cube.grid,
        cube.tags.get("ACQUIRED", ""),
        {layer.path.stem: layer.path for layer in layers},
        {"gossan:method": METHOD, "gossan:synthetic": cube.tags.get("SYNTHETIC") == "yes"},
    )
    write_json(arguments.item, item)


def matched_spectra(
    references: References,
    classes: list[MapClass],
    bands: BandTable,
    arguments: argparse.Namespace,
) -> np.ndarray:
    """Spectra of the classes, (classes, bands), on exactly the cube's bands."""
    if references.band != bands.names or not np.allclose(
        references.wavelength_um, bands.centre_um, rtol=0, atol=1e-4
    ):
        raise InputError(
            f"{arguments.references}: its bands are not those of {arguments.cube}; make it again "
            "with resample_library.py for this cube"
        )
    missing = [item.name for item in classes if item.name not in references.names]
    if missing:
        raise InputError(
            f"{arguments.references}: lacks {', '.join(missing)} of {arguments.classes}; make it "
            "again with resample_library.py for these classes"
        )
    return references.reflectance[[references.names.index(item.name) for item in classes]]


if __name__ == "__main__":
    run(build_parser(), main)

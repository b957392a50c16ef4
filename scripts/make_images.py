"""The pictures that geologists look at first: composites, band ratios, components, a stretch."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.cube.lattice import read_lattice
from gossan.errors import InputError
from gossan.legend import write_continuous_style, write_rgb_style
from gossan.raster import Layer, RasterInfo, map_blocks, read_info
from gossan.tables import write_rows
from gossan.transforms.band_ratios import SHOWN_RATIOS, BandRatio, band_ratio, list_ratios
from gossan.transforms.composites import (
    PICTURES,
    STRETCHED,
    WITHOUT,
    Composite,
    find_limits,
    nearest_bands,
    paint_bands,
    to_picture,
)
from gossan.transforms.principal_components import (
    SELECTIONS,
    Components,
    add_components,
    combine_bands,
    decorrelate,
    find_components,
    find_selected,
    find_selective,
    place_among,
    stretch_shares,
)
from toolkit import add_blocks, one_blas_thread, run

MOST_COMPONENTS = 6
# Ratios are stored in steps of this, up to 16.
RATIO_STEP = 5e-4
# Components are stored as int16 in the finest step that holds this many times what the sample has.
COMPONENT_STEP, ROOM = 1e-4, 3.0
INT16, INT16_MOST = -32768, 32767
LIGHT_AND_DARK = (1.0, 255.0)
# Ratios drawn as red, green and blue: the first three of which a sensor has all.
RATIO_COMPOSITES = (
    ("clay", "iron_oxide", "ferric_oxide"),
    ("al_oh", "kaolinite_alunite", "mg_oh"),
    ("al_oh", "kaolinite_alunite", "ferric_iron"),
    ("iron_oxide", "vegetation", "ferric_oxide"),
)
SELECTIVE = "Selective principal components (Crósta and Moore 1989; Loughlin 1991)"
COLUMNS = ("image", "band", "name", "formula", "wavelengths_um", "shows", "low", "high", "source")


@dataclass(frozen=True)
class Image:
    """One raster to write: its layer, what makes it of a block, and what is told of its bands.

    `drawn` are the places (from 0) of its bands drawn as red, green and blue, or of a single one;
    `limits` what is drawn dark and light, a pair a band. `rows` say of each band what COLUMNS name.
    """

    layer: Layer
    make: Callable[[np.ndarray], np.ndarray]
    drawn: tuple[int, ...]
    limits: Sequence[tuple[float, float]]
    rows: Sequence[Mapping[str, object]] = field(default_factory=tuple)

    def write_style(self) -> None:
        """Write how QGIS draws it."""
        if len(self.drawn) == 3:
            limits = [self.limits[place] for place in self.drawn]
            write_rgb_style(self.layer.path, [place + 1 for place in self.drawn], limits)
        else:
            write_continuous_style(self.layer.path, *self.limits[0])


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cube", type=Path, required=True, help="cube to make pictures of")
    add("--ratios", type=Path, required=True, help="raster of band ratios to write")
    add("--components", type=Path, required=True, help="raster of principal components to write")
    add(
        "--selective",
        type=Path,
        required=True,
        help="raster of the selective components of hydroxyl and iron to write",
    )
    add("--stretch", type=Path, required=True, help="decorrelation stretch to write (RGB)")
    add("--composites", type=Path, required=True, help="folder of composites to write (RGB)")
    add("--table", type=Path, required=True, help="table to write of what each band shows (CSV)")
    add("--loadings", type=Path, required=True, help="table of the components' weights (CSV)")
    add_blocks(parser)
    return parser


def label_bands(info: RasterInfo, places: Sequence[int]) -> tuple[str, str]:
    """Bands by name and by wavelength, as a table tells them."""
    names = [info.bands.names[place] for place in places]
    centres = info.bands.centre_um
    return " ".join(names), " ".join(f"{centres[place]:.3f}" for place in places if centres)


def make_rows(
    layer: Layer, told: Sequence[Mapping[str, object]], limits: Sequence[tuple[float, float]]
) -> list[dict[str, object]]:
    """Rows of the table, of what is told of each band of a raster."""
    return [
        {
            **dict.fromkeys(COLUMNS, ""),
            "image": layer.path.name,
            "band": number,
            **one,
            "low": f"{low:.5g}",
            "high": f"{high:.5g}",
        }
        for number, (one, (low, high)) in enumerate(zip(told, limits, strict=True), 1)
    ]


def of_ratios(path: Path, info: RasterInfo, sample: np.ndarray) -> Image | None:
    """The ratios that the cube has the bands of; None without any."""
    ratios = list_ratios(info.bands, SHOWN_RATIOS)
    if not ratios:
        return None
    names = tuple(ratio.name for ratio in ratios)

    def make(block: np.ndarray) -> np.ndarray:
        return np.stack([band_ratio(block, info.bands.names, ratio) for ratio in ratios])

    limits = [find_limits(values) for values in make(sample.T[:, :, np.newaxis])]
    formulas = "; ".join(f"{ratio.name} = {ratio.formula}" for ratio in ratios)
    tags = {**info.tags, "METHOD": "Band ratios", "FORMULAS": formulas}
    layer = Layer(path, "int16", INT16, names, scale=RATIO_STEP, tags=tags)
    chosen = next((three for three in RATIO_COMPOSITES if set(three) <= set(names)), ())
    drawn = tuple(names.index(name) for name in chosen) or (0,)
    told = [tell_ratio(ratio, info) for ratio in ratios]
    return Image(layer, make, drawn, limits, make_rows(layer, told, limits))


def tell_ratio(ratio: BandRatio, info: RasterInfo) -> dict[str, str]:
    """What the table says of a ratio."""
    bands = list(dict.fromkeys(ratio.bands))
    places = [info.bands.names.index(name) for name in bands]
    return {
        "name": ratio.name,
        "formula": ratio.formula,
        "wavelengths_um": " ".join(
            f"{name}={info.bands.centre_um[place]:.3f}"
            for name, place in zip(bands, places, strict=True)
        ),
        "shows": ratio.marks,
        "source": ratio.source,
    }


def of_components(
    path: Path,
    info: RasterInfo,
    sample: np.ndarray,
    parts: Sequence[tuple[str, Sequence[int], Components]],
    method: str,
) -> Image | None:
    """Components, each (name, places of its bands, itself); the first three are drawn."""
    if not parts:
        return None

    def make(block: np.ndarray) -> np.ndarray:
        made = np.concatenate([combine_bands(block[list(at)], own) for _, at, own in parts])
        # A picture has data where all of its bands have.
        made[:, np.isnan(made).any(axis=0)] = np.nan
        return made

    values = make(sample.T[:, :, np.newaxis])[:, :, 0]
    step, most = COMPONENT_STEP, ROOM * float(np.nanmax(np.abs(values)))
    while step * INT16_MOST < most:
        step *= 2
    limits = [find_limits(own) for own in values]
    names = tuple(name for name, _, own in parts for _ in own.weights)
    if len(parts) == 1:
        names = tuple(f"{parts[0][0]}{number}" for number in range(1, len(names) + 1))
    layer = Layer(path, "int16", INT16, names, scale=step, tags={**info.tags, "METHOD": method})
    told = []
    for _, at, own in parts:
        bands, centres = label_bands(info, at)
        told += [
            {"formula": f"of {bands}", "wavelengths_um": centres, "source": method}
            for _ in own.weights
        ]
    told = [{"name": name, **one} for name, one in zip(names, told, strict=True)]
    drawn = (0, 1, 2) if len(names) > 2 else (0,)
    return Image(layer, make, drawn, limits, make_rows(layer, told, limits))


def find_selective_parts(
    info: RasterInfo, sample: np.ndarray
) -> Iterator[tuple[str, list[int], Components]]:
    """The selective components that the cube has the bands of, and their sum where both are."""
    found = []
    for selection in SELECTIONS:
        bands = find_selected(info.bands, selection)
        if bands:
            four = keep_whole(sample[:, bands])
            own = find_selective(four, selection.light, selection.dark)
            found.append((selection.name, bands, own))
    yield from found
    if len(found) == len(SELECTIONS):
        every = sorted({band for _, bands, _ in found for band in bands})
        parts = [place_among(own, bands, every) for _, bands, own in found]
        yield " and ".join(name for name, *_ in found), every, add_components(parts)


def of_stretch(path: Path, info: RasterInfo, sample: np.ndarray) -> Image | None:
    """The decorrelation stretch of the first of STRETCHED that the cube has; None without any."""
    for composite in STRETCHED:
        bands = nearest_bands(info.bands, composite.centres_um)
        if bands:
            break
    else:
        bands = list(range(3)) if len(info.bands.names) > 2 else []
        composite = Composite("", "First three bands", (0.0, 0.0, 0.0), "")
    if not bands:
        return None
    turned = decorrelate(keep_whole(sample[:, bands]))
    method = "Decorrelation stretch (Gillespie et al. 1986)"

    def make(block: np.ndarray) -> np.ndarray:
        return to_picture(stretch_shares(combine_bands(block[bands], turned)))

    return of_picture(path, info, bands, composite, make, method)


def of_composite(
    folder: Path, info: RasterInfo, sample: np.ndarray, composite: Composite
) -> Image | None:
    """One composite; None where the cube lacks a band."""
    bands = nearest_bands(info.bands, composite.centres_um)
    if not bands:
        return None
    limits = [find_limits(sample[:, band]) for band in bands]

    def make(block: np.ndarray) -> np.ndarray:
        return paint_bands(block[bands], limits)

    path = folder / f"{composite.name}.tif"
    return of_picture(path, info, bands, composite, make, "Composite, 2 % to 98 %", limits)


def of_picture(
    path: Path,
    info: RasterInfo,
    bands: Sequence[int],
    composite: Composite,
    make: Callable[[np.ndarray], np.ndarray],
    method: str,
    limits: Sequence[tuple[float, float]] = (LIGHT_AND_DARK,) * 3,
) -> Image:
    """A picture of three bands in red, green and blue, as any program shows it."""
    names, centres = label_bands(info, bands)
    tags = {
        **info.tags,
        "METHOD": method,
        "COMPOSITE": composite.title,
        "RGB_BANDS": names,
        **({"RGB_WAVELENGTHS_UM": centres} if centres else {}),
        "RGB_LIMITS": " ".join(f"{low:.5g}..{high:.5g}" for low, high in limits),
    }
    spectral = info.bands.centre_um
    told = [
        {
            "name": f"{colour} {info.bands.names[band]}",
            "formula": info.bands.names[band],
            "wavelengths_um": f"{spectral[band]:.3f}" if spectral else "",
            "shows": composite.shows,
            "source": method,
        }
        for colour, band in zip(("red", "green", "blue"), bands, strict=True)
    ]
    layer = Layer(path, "uint8", WITHOUT, tuple(one["name"] for one in told), tags=tags)
    return Image(layer, make, (0, 1, 2), (LIGHT_AND_DARK,) * 3, make_rows(layer, told, limits))


def keep_whole(sample: np.ndarray) -> np.ndarray:
    """Pixels of a sample (n, bands) that have a value in all bands."""
    return sample[np.isfinite(sample).all(axis=1)]


def main(arguments: argparse.Namespace) -> None:
    """Sample the cube, write the pictures in one pass, their styles and tables."""
    with one_blas_thread():
        _make(arguments)


def _make(arguments: argparse.Namespace) -> None:
    info = read_info(arguments.cube)
    options = {"block_px": arguments.block_px, "threads": arguments.threads}
    (sample,) = read_lattice([arguments.cube], **options)
    # A band of nothing, as in the absorption of water, is in no component.
    whole = [band for band in range(sample.shape[1]) if np.isfinite(sample[:, band]).any()]
    pixels = keep_whole(sample[:, whole])
    if not whole or not len(pixels):
        raise InputError(f"{arguments.cube}: no pixel is valid in all bands; choose another scene")
    components = find_components(pixels)
    count = min(MOST_COMPONENTS, len(whole))
    wanted = [
        (arguments.ratios, of_ratios(arguments.ratios, info, sample)),
        (
            arguments.components,
            of_components(
                arguments.components,
                info,
                sample,
                [("PC", whole, components.take(range(count)))],
                "Principal components of the covariance",
            ),
        ),
        (
            arguments.selective,
            of_components(
                arguments.selective,
                info,
                sample,
                list(find_selective_parts(info, sample)),
                SELECTIVE,
            ),
        ),
        (arguments.stretch, of_stretch(arguments.stretch, info, sample)),
    ]
    images = [image for _, image in wanted if image is not None]
    for composite in PICTURES:
        image = of_composite(arguments.composites, info, sample, composite)
        images += [image] if image is not None else []
    map_blocks(
        lambda block: [image.make(block) for image in images],
        [arguments.cube],
        [image.layer for image in images],
        progress="images",
        **options,
    )
    arguments.composites.mkdir(parents=True, exist_ok=True)
    for image in images:
        image.write_style()
    write_rows(arguments.table, COLUMNS, [row for image in images for row in image.rows])
    names = [info.bands.names[band] for band in whole]
    shares = components.variances / max(components.variances.sum(), 1e-30)
    write_rows(
        arguments.loadings,
        ("component", "share_of_variance", *names),
        [
            {
                "component": f"PC{place + 1}",
                "share_of_variance": f"{shares[place]:.6f}",
                **{
                    name: f"{weight:.5f}"
                    for name, weight in zip(names, components.weights[place], strict=True)
                },
            }
            for place in range(count)
        ],
    )
    for path, image in wanted:
        if image is None:  # of which the sensor lacks the bands
            for file in (path, path.with_suffix(".qml")):
                file.unlink(missing_ok=True)
                file.touch()


if __name__ == "__main__":
    run(build_parser(), main)

"""Turn a sensor's native product into the cube: calibrated, corrected, masked reflectance."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from gossan.atmosphere import (
    METHODS,
    NORMALISATIONS,
    Correction,
    Scene,
    apply_corrections,
    plan_methods,
)
from gossan.errors import InputError
from gossan.files import write_json
from gossan.raster import Layer, iter_blocks, map_blocks
from gossan.sensors import READERS, Product, open_product
from toolkit import add_blocks, run

CUBE_SCALE = 1e-4
CUBE_NODATA = -32768


@dataclass(frozen=True)
class Counts:
    """Pixels of the grid, with data in all bands, under each flag, and left after masking."""

    total: int
    observed: int
    flagged: tuple[int, ...]
    valid: int

    def __add__(self, other: "Counts") -> "Counts":
        """The counts of two blocks together."""
        return Counts(
            self.total + other.total,
            self.observed + other.observed,
            tuple(a + b for a, b in zip(self.flagged, other.flagged, strict=True)),
            self.valid + other.valid,
        )


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sensor", required=True, choices=sorted(READERS), help="whose product it is"
    )
    parser.add_argument(
        "--product", required=True, type=Path, help="native product: a folder, .tar or .tar.gz"
    )
    parser.add_argument(
        "--atmosphere",
        nargs="+",
        default=["none"],
        choices=["none", *METHODS],
        help="corrections in their order, or none (default); Level-2 products skip dos1",
    )
    parser.add_argument(
        "--mask",
        nargs="*",
        default=["cloud", "dilated_cloud", "cloud_shadow", "cirrus", "snow", "saturation"],
        metavar="FLAG",
        help="quality flags that become nodata (default: cloud dilated_cloud cloud_shadow "
        "cirrus snow saturation); no name after it masks nothing",
    )
    parser.add_argument(
        "--normalisation",
        default="clip",
        choices=sorted(NORMALISATIONS),
        help="clip (default) holds reflectance within 0 to 1",
    )
    parser.add_argument("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


class Preprocessing:
    """The passes over one product: first statistics, then the cube."""

    def __init__(self, product: Product, arguments: argparse.Namespace):
        """Set up reading `product` as the command line says."""
        self.product = product
        self.mask = tuple(dict.fromkeys(arguments.mask))
        self.normalise = NORMALISATIONS[arguments.normalisation]
        self.sources = [product.read_reflectance, self._read_flags]
        self.options = {
            "grid": product.grid,
            "block_px": arguments.block_px,
            "threads": arguments.threads,
        }

    def _read_flags(self, window: Window) -> np.ndarray:
        return self.product.read_flags(window, ("fill", *self.mask))

    @staticmethod
    def _observe(reflectance: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels with data in all bands, and those of them that no flag masks."""
        observed = np.isfinite(reflectance).all(axis=0) & ~flags[0]
        return observed, observed & ~flags[1:].any(axis=0)

    def survey(self, method: str | None, before: Sequence[Correction]) -> tuple[Counts, Any]:
        """Count the pixels and collect the statistics of `method` after the corrections before."""

        def look(reflectance: np.ndarray, flags: np.ndarray) -> tuple[Counts, Any]:
            observed, kept = self._observe(reflectance, flags)
            counts = Counts(
                observed.size,
                int(observed.sum()),
                tuple(int((flag & observed).sum()) for flag in flags[1:]),
                int(kept.sum()),
            )
            if method is None:
                return counts, None
            reflectance[:, ~observed] = np.nan
            return counts, METHODS[method].collect(apply_corrections(reflectance, before), kept)

        label = f"statistics for {method}" if method else "counting pixels"
        blocks = iter_blocks(look, self.sources, progress=label, **self.options)
        _, (counts, statistics) = next(blocks)
        for _, (more_counts, more_statistics) in blocks:
            counts = counts + more_counts
            if method is not None:
                statistics = METHODS[method].merge(statistics, more_statistics)
        return counts, statistics

    def solve(self, methods: Sequence[str]) -> tuple[Counts, list[Correction]]:
        """Count the pixels and solve all corrections, with a pass for each."""
        scene = Scene(self.product.bands, self.product.sun_elevation_deg)
        corrections: list[Correction] = []
        counts, statistics = self.survey(methods[0] if methods else None, corrections)
        self._require_pixels(counts)
        for position, method in enumerate(methods):
            if position:
                _, statistics = self.survey(method, corrections)
            corrections.append(METHODS[method].solve(statistics, scene))
        return counts, corrections

    def _require_pixels(self, counts: Counts) -> None:
        name = self.product.product_id
        if counts.observed == 0:
            raise InputError(f"{name}: all pixels are nodata; choose another scene")
        if counts.valid == 0:
            raise InputError(
                f"{name}: the flags {' '.join(self.mask)} mask every pixel; choose another scene "
                "or fewer flags"
            )

    def write(self, layer: Layer, corrections: Sequence[Correction]) -> None:
        """Write the corrected, masked and normalised cube."""

        def make(reflectance: np.ndarray, flags: np.ndarray) -> np.ndarray:
            _, kept = self._observe(reflectance, flags)
            reflectance = self.normalise(apply_corrections(reflectance, corrections))
            reflectance[:, ~kept] = np.nan
            return reflectance

        map_blocks(make, self.sources, [layer], progress="cube", **self.options)


def describe_atmosphere(product: Product, corrections: Sequence[Correction]) -> str:
    """What was done about the atmosphere, in a word: by the product's maker, then by us."""
    done = [product.level] if product.surface_reflectance else []
    return " ".join(done + [correction.method for correction in corrections]) or "none"


def main(arguments: argparse.Namespace) -> None:
    """Run the passes and write the cube and its record."""
    with open_product(arguments.sensor, arguments.product) as product:
        methods, notes = plan_methods(arguments.atmosphere, product.surface_reflectance)
        work = Preprocessing(product, arguments)
        notes += product.notes
        absent = [flag for flag in work.mask if flag in product.absent_flags]
        if absent:
            notes.append(
                f"Collection {product.collection} has no flag {', '.join(absent)}; it masks nothing"
            )
        counts, corrections = work.solve(methods)
        atmosphere = describe_atmosphere(product, corrections)
        synthetic = "yes" if product.synthetic else "no"
        layer = Layer(
            path=arguments.cube,
            dtype="int16",
            nodata=CUBE_NODATA,
            bands=product.bands,
            scale=CUBE_SCALE,
            tags={
                "SENSOR": product.sensor,
                "ACQUIRED": product.acquired,
                "SUN_ELEVATION_DEG": repr(product.sun_elevation_deg),
                "PRODUCT_ID": product.product_id,
                "ATMOSPHERE": atmosphere,
                "NORMALISATION": arguments.normalisation,
                "SYNTHETIC": synthetic,
            },
        )
        work.write(layer, corrections)
        write_json(
            arguments.record,
            {
                "product_id": product.product_id,
                "spacecraft": product.spacecraft,
                "sensor": product.sensor,
                "collection": product.collection,
                "level": product.level,
                "acquired": product.acquired,
                "sun_elevation_deg": product.sun_elevation_deg,
                "synthetic": product.synthetic,
                "atmosphere": atmosphere,
                "corrections": [{"method": c.method, **c.parameters} for c in corrections],
                "normalisation": arguments.normalisation,
                "pixels": {
                    "total": counts.total,
                    "observed": counts.observed,
                    "valid": counts.valid,
                },
                "masked": {
                    flag: {"pixels": pixels, "share_of_observed": pixels / counts.observed}
                    for flag, pixels in zip(work.mask, counts.flagged, strict=True)
                },
                "bands": [
                    {"name": name, "centre_um": centre, "fwhm_um": fwhm}
                    for name, centre, fwhm in zip(
                        product.bands.names,
                        product.bands.centre_um,
                        product.bands.fwhm_um,
                        strict=True,
                    )
                ],
                "notes": notes,
            },
        )


if __name__ == "__main__":
    run(build_parser(), main)

"""Turn a sensor's native product into the cube: calibrated, corrected, masked reflectance."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from gossan.cube.atmosphere import (
    METHODS,
    apply_corrections,
    is_relative,
    plan_methods,
    solve_corrections,
)
from gossan.cube.corrections import Collect, Correction, Merge, Scene
from gossan.cube.normalisation import NORMALISATIONS, check_normalisation
from gossan.cube.stage_quality import StageMeter
from gossan.errors import InputError
from gossan.files import write_json
from gossan.library.readers import read_library
from gossan.products.readers import READERS, Product, open_product
from gossan.products.subset import Subset, describe_part, select_part
from gossan.raster import CUBE_NODATA, CUBE_SCALE, Layer, iter_blocks, map_blocks
from gossan.transforms.vegetation import vegetation_bands, vegetation_index
from toolkit import add_blocks, run

VEGETATION = "vegetation"


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
        help="corrections in their order, or none (default); Level-2 products skip dos1 and quac",
    )
    parser.add_argument(
        "--library",
        nargs="+",
        default=[],
        type=Path,
        help="spectral library for quac: the analytic table, or one with the same names",
    )
    parser.add_argument(
        "--bands",
        nargs="+",
        metavar="BAND",
        help="bands of the product to use, in this order (default: all)",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--window",
        nargs=4,
        type=int,
        metavar=("COLUMN", "ROW", "WIDTH", "HEIGHT"),
        help="part of the scene to use, in pixels (default: all)",
    )
    part.add_argument(
        "--polygon",
        type=Path,
        help="vector file of the area to use; pixels outside become nodata",
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
        "--ndvi-max",
        type=float,
        help="pixels of a higher NDVI become nodata (default: none do); pixels without an NDVI, "
        "black in both of its bands, stay",
    )
    parser.add_argument(
        "--normalisation",
        default="clip",
        choices=sorted(NORMALISATIONS),
        help="clip (default) holds reflectance within 0 to 1, minmax stretches each band to 0-1",
    )
    parser.add_argument("--cube", required=True, type=Path, help="cube to write, a GeoTIFF")
    parser.add_argument("--record", required=True, type=Path, help="record to write, JSON")
    add_blocks(parser)
    return parser


class Preprocessing:
    """The passes over one product: first statistics, then the cube.

    `stages` holds the signal and noise of each stage, `result` those of what goes into the cube.
    """

    def __init__(self, part: Subset, plants: Subset | None, arguments: argparse.Namespace):
        """Set up reading `part` as the command line says; `plants` are red and near infrared."""
        self.part = part
        self.plants = plants
        self.ndvi_max = arguments.ndvi_max
        self.flags = tuple(dict.fromkeys(arguments.mask))
        self.mask = self.flags if plants is None else (*self.flags, VEGETATION)
        self.sources = [part.read_reflectance, self._read_flags]
        self.counts: Counts | None = None
        self.stages: list[tuple[str, StageMeter]] = []
        self.result = StageMeter(part.bands)
        self.options = {
            "grid": part.grid,
            # Statistics take pixels in pairs and in cells of four, which no block may divide.
            "block_px": arguments.block_px + arguments.block_px % 2,
            "threads": arguments.threads,
        }

    def _read_flags(self, window: Window) -> np.ndarray:
        flags = self.part.read_flags(window, ("fill", *self.flags))
        if self.plants is None:
            return flags
        index = vegetation_index(*self.plants.read_reflectance(window))
        return np.concatenate([flags, (index > self.ndvi_max)[np.newaxis]])

    @staticmethod
    def _observe(reflectance: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels with data in all bands, and those of them that no flag masks."""
        observed = np.isfinite(reflectance).all(axis=0) & ~flags[0]
        return observed, observed & ~flags[1:].any(axis=0)

    def _next_stage(self, corrections: Sequence[Correction]) -> StageMeter | None:
        """A new meter when the stage that these corrections end with has none yet."""
        if len(self.stages) > len(corrections):
            return None
        if corrections:
            name = corrections[-1].method
        else:
            name = "surface" if self.part.product.surface_reflectance else "toa"
        meter = StageMeter(self.part.bands)
        self.stages.append((name, meter))
        return meter

    def survey(self, corrections: Sequence[Correction], collect: Collect, merge: Merge) -> Any:
        """The merged statistics of all blocks after the corrections.

        The first pass also counts pixels, and the first after each correction measures its stage.
        """
        meter = self._next_stage(corrections)

        def look(reflectance: np.ndarray, flags: np.ndarray) -> tuple[Counts, Any]:
            observed, kept = self._observe(reflectance, flags)
            counts = Counts(
                observed.size,
                int(observed.sum()),
                tuple(int((flag & observed).sum()) for flag in flags[1:]),
                int(kept.sum()),
            )
            reflectance[:, ~observed] = np.nan
            values, kept = apply_kept(reflectance, kept, corrections)
            if meter is not None:
                meter.add(values, kept)
            return counts, collect(values, kept)

        label = f"statistics after {corrections[-1].method if corrections else 'calibration'}"
        blocks = iter_blocks(look, self.sources, progress=label, **self.options)
        _, (counts, statistics) = next(blocks)
        for _, (more_counts, more_statistics) in blocks:
            counts = counts + more_counts
            statistics = merge(statistics, more_statistics)
        self.counts = counts
        self._require_pixels()
        return statistics

    def solve(
        self, methods: Sequence[str], normalisation: str, scene: Scene
    ) -> tuple[list[Correction], Correction]:
        """Solve all corrections and the normalisation, with the passes that they need."""
        corrections = solve_corrections(methods, scene, self.survey)
        normalise = NORMALISATIONS[normalisation](
            scene, lambda collect, merge: self.survey(corrections, collect, merge)
        )
        if self.counts is None:
            self.survey([], lambda values, kept: None, lambda one, other: None)
        return corrections, normalise

    def _require_pixels(self) -> None:
        name = self.part.product.product_id
        if self.counts.observed == 0:
            raise InputError(f"{name}: all pixels are nodata; choose another scene")
        if self.counts.valid == 0:
            raise InputError(
                f"{name}: the flags {' '.join(self.mask)} mask every pixel; choose another scene, "
                "fewer flags or a higher NDVI"
            )

    def write(self, layer: Layer, corrections: Sequence[Correction], normalise: Correction) -> None:
        """Write the corrected, masked and normalised cube; measure what is not measured yet."""
        meter = self._next_stage(corrections)

        def make(reflectance: np.ndarray, flags: np.ndarray) -> np.ndarray:
            values, kept = apply_kept(
                reflectance, self._observe(reflectance, flags)[1], corrections
            )
            if meter is not None:
                meter.add(values, kept)
            values = normalise.apply(values)
            self.result.add(values, kept, noise=False)
            values[:, ~kept] = np.nan
            return values

        map_blocks(make, self.sources, [layer], progress="cube", **self.options)

    def describe(self) -> dict[str, Any]:
        """What was measured of the stages and of the cube, for the record."""
        return {
            "stages": [{"stage": name, **meter.describe()} for name, meter in self.stages],
            "histograms": {
                "before": self.stages[-1][1].histogram(),
                "after": self.result.histogram(),
            },
            "beyond_cube_range": self.result.beyond(),
        }


def apply_kept(
    reflectance: np.ndarray, kept: np.ndarray, corrections: Sequence[Correction]
) -> tuple[np.ndarray, np.ndarray]:
    """Corrected values, and the pixels that are still valid: a method may make some nodata."""
    values = apply_corrections(reflectance, corrections)
    return values, kept & np.isfinite(values).all(axis=0)


def describe_atmosphere(product: Product, corrections: Sequence[Correction]) -> str:
    """What was done about the atmosphere, in a word: by the product's maker, then by us."""
    done = [product.level] if product.surface_reflectance else []
    return " ".join(done + [correction.method for correction in corrections]) or "none"


def main(arguments: argparse.Namespace) -> None:
    """Run the passes and write the cube and its record."""
    if arguments.ndvi_max is not None and not -1 <= arguments.ndvi_max <= 1:
        raise InputError(f"ndvi-max {arguments.ndvi_max:g} is no NDVI; give -1 to 1")
    # The index may need bands that the cube does not: then the reader opens all.
    needed = arguments.bands if arguments.ndvi_max is None else None
    with open_product(arguments.sensor, arguments.product, needed) as product:
        methods, notes = plan_methods(arguments.atmosphere, product.surface_reflectance)
        check_normalisation(arguments.normalisation, is_relative(methods))
        cut = arguments.window or arguments.polygon or arguments.bands
        part = select_part(product, arguments.bands, arguments.window, arguments.polygon)
        plants = None
        if arguments.ndvi_max is not None:
            pair = vegetation_bands(product.bands)
            plants = select_part(product, pair, arguments.window, arguments.polygon)
        work = Preprocessing(part, plants, arguments)
        notes += product.notes
        absent = [flag for flag in work.flags if flag in product.absent_flags]
        if absent:
            notes.append(
                f"Collection {product.collection} has no flag {', '.join(absent)}; it masks nothing"
            )
        spectra = [spectrum for path in arguments.library for spectrum in read_library(path)]
        scene = Scene(part.bands, product.sun_elevation_deg, product.sensor, spectra)
        corrections, normalise = work.solve(methods, arguments.normalisation, scene)
        atmosphere = describe_atmosphere(product, corrections)
        synthetic = "yes" if product.synthetic else "no"
        layer = Layer(
            path=arguments.cube,
            dtype="int16",
            nodata=CUBE_NODATA,
            bands=part.bands,
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
        work.write(layer, corrections, normalise)
        counts = work.counts
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
                **({} if plants is None else {"ndvi_max": arguments.ndvi_max}),
                **({"normalisation_range": normalise.parameters} if normalise.parameters else {}),
                **(describe_part(part, arguments.polygon) if cut else {}),
                "pixels": {
                    "total": counts.total,
                    "observed": counts.observed,
                    "valid": work.result.pixels,
                },
                "masked": {
                    flag: {"pixels": pixels, "share_of_observed": pixels / counts.observed}
                    for flag, pixels in zip(work.mask, counts.flagged, strict=True)
                },
                "bands": [
                    {"name": name, "centre_um": centre, "fwhm_um": fwhm}
                    for name, centre, fwhm in zip(
                        part.bands.names,
                        part.bands.centre_um,
                        part.bands.fwhm_um,
                        strict=True,
                    )
                ],
                **work.describe(),
                "notes": notes,
            },
        )


if __name__ == "__main__":
    run(build_parser(), main)

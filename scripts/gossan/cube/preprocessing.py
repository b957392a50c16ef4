"""A product becomes a cube: passes over it for statistics, then one that writes.

The product is calibrated by its reader; here it is masked by its flags, corrected and normalised,
block by block. Plants are told from the reflectance that the corrections leave, before a method
makes ratios of it; what such a method and the normalisation learn of the scene is without them.
Numbers without wavelengths are no reflectance: they are only masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gossan.cube.atmosphere import (
    METHODS,
    apply_corrections,
    count_absolute,
    is_relative,
    plan_methods,
    solve_corrections,
)
from gossan.cube.colours import write_view
from gossan.cube.corrections import Collect, Correction, Merge, Scene
from gossan.cube.cube import Cube, Pixels, Record, describe_masked
from gossan.cube.masks import VEGETATION, note_absent, select_plants
from gossan.cube.normalisation import NORMALISATIONS, check_normalisation
from gossan.cube.plausibility import ReflectanceMeter, note_offset, note_partial
from gossan.cube.stage_quality import StageMeter, describe_quality
from gossan.errors import InputError
from gossan.raster import Layer, iter_blocks, map_blocks
from gossan.transforms.vegetation import vegetation_index

if TYPE_CHECKING:
    from rasterio.windows import Window

    from gossan.library.spectrum import Spectrum
    from gossan.products.product import Product
    from gossan.products.subset import Subset

_STAGE = {True: "surface", False: "toa", None: "given"}


@dataclass(frozen=True)
class Recipe:
    """How a cube is made: corrections by name, flags that become nodata, the last step's name.

    Pixels of an NDVI above `ndvi_max` (None: none) after the corrections become nodata too.
    `library` are the spectra that corrections may need.
    """

    atmosphere: Sequence[str]
    mask: Sequence[str]
    normalisation: str
    ndvi_max: float | None = None
    library: Sequence[Spectrum] = ()


@dataclass(frozen=True)
class Counts:
    """Pixels of the grid, with data in all bands, under each flag, and left after masking.

    `partial` are those with data in some of the bands only, `lacking` how many of them each band
    lacks; `below` those left that lie below zero by half of the product's offset in any band.
    """

    total: int
    observed: int
    flagged: tuple[int, ...]
    valid: int
    partial: int
    lacking: tuple[int, ...]
    below: int

    def __add__(self, other: Counts) -> Counts:
        """The counts of two blocks together."""
        return Counts(
            self.total + other.total,
            self.observed + other.observed,
            tuple(a + b for a, b in zip(self.flagged, other.flagged, strict=True)),
            self.valid + other.valid,
            self.partial + other.partial,
            tuple(a + b for a, b in zip(self.lacking, other.lacking, strict=True)),
            self.below + other.below,
        )


class Preprocessing:
    """The passes over one part of a product: first statistics, then the cube.

    `stages` holds the signal and noise of each stage, `result` those of what goes into the cube.
    """

    def __init__(
        self,
        part: Subset,
        plants: Subset | None,
        recipe: Recipe,
        block_px: int = 512,
        threads: int = 1,
    ):
        """Set up reading `part`; `plants` are the same ground's red and near infrared."""
        self.part = part
        self.plants = plants
        self.ndvi_max = recipe.ndvi_max
        # How many corrections come before the index, and those of the plants' bands alone.
        self.before_index = 0
        self.of_plants: list[Correction] = []
        self.flags = tuple(dict.fromkeys(recipe.mask))
        self.mask = self.flags if plants is None else (*self.flags, VEGETATION)
        self.sources = [part.read_reflectance, self._read_flags]
        self.places: list[int] | None = None
        if plants is not None:
            names = part.bands.names
            if all(name in names for name in plants.bands.names):
                self.places = [names.index(name) for name in plants.bands.names]
            else:
                self.sources.append(plants.read_reflectance)
        self.counts: Counts | None = None
        self.plausible = ReflectanceMeter(len(part.bands.names))
        self.stages: list[tuple[str, StageMeter]] = []
        self.result = StageMeter(part.bands)
        self.options = {
            "grid": part.grid,
            "block_px": block_px,
            # Statistics take pixels in pairs and in cells of four, which no block may divide.
            "multiple": 2,
            "threads": threads,
        }

    def _read_flags(self, window: Window) -> np.ndarray:
        return self.part.read_flags(window, ("fill", *self.flags))

    def _find_plants(self, values: np.ndarray, plants: Sequence[np.ndarray]) -> np.ndarray:
        """Where plants are in a block, bool, by corrected values of the part or of `plants`."""
        bands = (
            apply_corrections(plants[0], self.of_plants)
            if self.places is None
            else values[self.places]
        )
        return vegetation_index(*bands) > self.ndvi_max

    def _correct(
        self,
        reflectance: np.ndarray,
        kept: np.ndarray,
        corrections: Sequence[Correction],
        plants: Sequence[np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
        """Corrected values, the pixels with data that are left, those of them that are still
        valid (a method may make some nodata), and where plants are.

        The last is empty where no index is asked for, or too few corrections are known for it.
        """
        green: list[np.ndarray] = []
        values = apply_corrections(reflectance, corrections[: self.before_index])
        if self.plants is not None and len(corrections) >= self.before_index:
            green.append(self._find_plants(values, plants))
            kept = kept & ~green[0]
        values = apply_corrections(values, corrections[self.before_index :])
        return values, kept, kept & np.isfinite(values).all(axis=0), green

    @staticmethod
    def _observe(known: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels with data in all bands (`known`), and those of them that no flag masks."""
        observed = known.all(axis=0) & ~flags[0]
        return observed, observed & ~flags[1:].any(axis=0)

    def _count_below(self, reflectance: np.ndarray, kept: np.ndarray) -> int:
        offset = self.part.product.offset
        if offset >= 0:
            return 0
        return int(np.count_nonzero((reflectance < offset / 2).any(axis=0) & kept))

    def _next_stage(self, corrections: Sequence[Correction]) -> StageMeter | None:
        """A new meter when the stage that these corrections end with has none yet."""
        if len(self.stages) > len(corrections) or not self.part.bands.centre_um:
            return None
        if corrections:
            name = corrections[-1].method
        else:
            name = _STAGE[self.part.product.surface_reflectance]
        meter = StageMeter(self.part.bands)
        self.stages.append((name, meter))
        return meter

    def survey(self, corrections: Sequence[Correction], collect: Collect, merge: Merge) -> Any:
        """The merged statistics of all blocks after the corrections.

        The first pass also counts pixels, and the first after each correction measures its stage.
        """
        meter = self._next_stage(corrections)

        def look(
            reflectance: np.ndarray, flags: np.ndarray, *plants: np.ndarray
        ) -> tuple[Counts, Any]:
            known = np.isfinite(reflectance)
            observed, kept = self._observe(known, flags)
            partial = known.any(axis=0) & ~observed & ~flags[0]
            if self.counts is None:
                self.plausible.add(reflectance, observed)
            reflectance[:, ~observed & ~np.isnan(reflectance).all(axis=0)] = np.nan
            values, kept, valid, green = self._correct(reflectance, kept, corrections, plants)
            counts = Counts(
                observed.size,
                int(np.count_nonzero(observed)),
                tuple(int(np.count_nonzero(flag & observed)) for flag in (*flags[1:], *green)),
                int(np.count_nonzero(kept)),
                int(np.count_nonzero(partial)),
                tuple(np.count_nonzero(~known[:, partial], axis=1).tolist()),
                self._count_below(reflectance, kept),
            )
            if meter is not None:
                meter.add(values, valid)
            return counts, collect(values, valid)

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
        self.before_index = count_absolute(methods)
        self._solve_plants(methods[: self.before_index], scene)
        corrections = solve_corrections(methods, scene, self.survey)
        normalise = NORMALISATIONS[normalisation](
            scene, lambda collect, merge: self.survey(corrections, collect, merge)
        )
        # The index needs a pass of its own where none was made after the corrections.
        if self.counts is None or len(self.counts.flagged) < len(self.mask):
            self.survey(corrections, lambda values, kept: None, lambda one, other: None)
        return corrections, normalise

    def _solve_plants(self, methods: Sequence[str], scene: Scene) -> None:
        """Correct red and near infrared apart where the part lacks one of them."""
        if self.plants is None or self.places is not None or not methods:
            return
        bands = self.plants.bands
        needy = [name for name in methods if METHODS[name].least_bands > len(bands.names)]
        if needy:
            raise InputError(
                f"ndvi_max: {needy[0]} corrects no two bands alone; add {' and '.join(bands.names)}"
                " to the bands, or leave ndvi_max out"
            )
        options = {key: self.options[key] for key in ("block_px", "threads")}
        alone = Preprocessing(self.plants, None, Recipe((), self.flags, "none"), **options)
        self.of_plants, _ = alone.solve(methods, "none", replace(scene, bands=bands))

    def _require_pixels(self) -> None:
        name = self.part.product.product_id
        if self.counts.observed == 0:
            raise InputError(
                f"{name}: all pixels are nodata in one band or another; choose another scene or "
                "leave bands out"
            )
        self.plausible.require(self.part.product, self.part.bands.names)
        if self.counts.valid == 0:
            raise InputError(
                f"{name}: the flags {' '.join(self.mask)} mask every pixel; choose another scene, "
                "fewer flags or a higher NDVI"
            )

    def write(self, layer: Layer, corrections: Sequence[Correction], normalise: Correction) -> int:
        """Write the cube; measure what is not measured yet, and return the count of its pixels."""
        meter = self._next_stage(corrections)
        spectral = bool(self.part.bands.centre_um)

        def make(reflectance: np.ndarray, flags: np.ndarray, *plants: np.ndarray) -> np.ndarray:
            clear = self._observe(np.isfinite(reflectance), flags)[1]
            values, _, kept, _ = self._correct(reflectance, clear, corrections, plants)
            if meter is not None:
                meter.add(values, kept)
            values = normalise.apply(values)
            if spectral:
                self.result.add(values, kept, noise=False)
            np.copyto(values, np.nan, where=~kept)
            return values

        map_blocks(make, self.sources, [layer], progress="cube", **self.options)
        return self.result.pixels if spectral else self.counts.valid

    def describe(self) -> dict[str, Any]:
        """What was measured of the stages and of the cube, for the record."""
        if not self.stages:
            return {}
        return describe_quality(self.stages, self.result)


def describe_atmosphere(product: Product, corrections: Sequence[Correction]) -> str:
    """What was done about the atmosphere, in a word: by the product's maker, then by us."""
    done = [product.level] if product.surface_reflectance else []
    return " ".join(done + [correction.method for correction in corrections]) or "none"


def plan(part: Subset, recipe: Recipe) -> tuple[list[str], str, list[str]]:
    """Corrections that apply to a part of a product, its normalisation, and notes on both.

    Raises InputError for corrections that are unknown or do not go with the normalisation.
    """
    product = part.product
    methods, notes = plan_methods(
        recipe.atmosphere,
        product.surface_reflectance,
        product.sun_elevation_deg,
        len(part.bands.names),
    )
    if part.bands.centre_um:
        check_normalisation(recipe.normalisation, is_relative(methods))
        return methods, recipe.normalisation, notes
    if methods or recipe.normalisation != "none":
        notes = ["numbers without wavelengths are no reflectance: neither corrected nor normalised"]
    return [], "none", notes


def make_cube(
    part: Subset,
    recipe: Recipe,
    path: Path,
    *,
    how: dict[str, object],
    notes: Sequence[str] = (),
    block_px: int = 512,
    threads: int = 1,
) -> Record:
    """Write the cube of a part of a product; the record of it, which is not written.

    `how` are further keys of the record about what was chosen, `notes` further ones. Raises
    InputError where the recipe does not suit the product, and where no pixel is left.
    """
    product = part.product
    methods, normalisation, planned = plan(part, recipe)
    plants = select_plants(part, recipe.ndvi_max)
    work = Preprocessing(part, plants, recipe, block_px, threads)
    scene = Scene(part.bands, product.sun_elevation_deg, product.sensor, recipe.library)
    corrections, normalise = work.solve(methods, normalisation, scene)
    cube = Cube(
        bands=part.bands,
        product_id=product.product_id,
        sensor=product.sensor,
        synthetic=product.synthetic,
        atmosphere=describe_atmosphere(product, corrections),
        normalisation=normalisation,
        spacecraft=product.spacecraft,
        collection=product.collection,
        level=product.level,
        acquired=product.acquired,
        sun_elevation_deg=product.sun_elevation_deg,
        reflectance=bool(part.bands.centre_um),
    )
    valid = work.write(cube.layer(path), corrections, normalise)
    write_view(path)
    counts = work.counts
    return Record(
        cube,
        Pixels(counts.total, counts.observed, valid),
        describe_masked(work.mask, counts.flagged, counts.observed),
        corrections=[{"method": c.method, **c.parameters} for c in corrections],
        how={
            **({} if plants is None else {"ndvi_max": recipe.ndvi_max}),
            **({"normalisation_range": normalise.parameters} if normalise.parameters else {}),
            **how,
        },
        found=work.describe(),
        notes=[
            *planned,
            *notes,
            *product.notes,
            *note_absent(product, work.flags),
            *note_offset(product.offset, counts.below, counts.valid),
            *note_partial(counts.partial, counts.observed, counts.lacking, part.bands.names),
        ],
    )

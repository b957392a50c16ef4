"""Labelled points with what forests see of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gossan.errors import InputError
from gossan.forests.features import Stack, read_point_features, require_fit
from gossan.forests.plans import Plan
from gossan.forests.samples import Samples


@dataclass(frozen=True, eq=False)
class Ground:
    """Labelled points with the features of every plan by its name, (n, features) each.

    `names` and `layers` are those of each plan's features, `blocks` (n,) the spatial blocks that
    the points lie in.
    """

    samples: Samples
    features: dict[str, np.ndarray]
    names: dict[str, tuple[str, ...]]
    layers: dict[str, tuple[str, ...]]
    blocks: np.ndarray

    def take(self, chosen: np.ndarray) -> "Ground":
        """Some of the points, by a mask or by places."""
        features = {name: values[chosen] for name, values in self.features.items()}
        samples, blocks = self.samples.take(chosen), self.blocks[chosen]
        return replace(self, samples=samples, features=features, blocks=blocks)

    def label(self, codes: np.ndarray) -> "Ground":
        """The same points with other class codes, (n,)."""
        return replace(self, samples=replace(self.samples, codes=codes))


def read_ground(
    stack: Stack,
    samples: Samples,
    plans: Sequence[Plan],
    spatial_block_px: int = 1,
    *,
    block_px: int,
    threads: int,
) -> Ground:
    """Read every plan's features; points on nodata of any layer of any plan are left out.

    All plans then have the same points. `spatial_block_px` is the side of the spatial blocks of
    tests, `block_px` that of the blocks which are read. Raises InputError where no point is left.
    """
    features, names, layers = {}, {}, {}
    whole = np.ones(len(samples.rows), bool)
    for plan in plans:
        require_fit(plan.recipe, stack.grid, plan.name)
        places = plan_layers(stack, plan)
        own = [stack.layers[place] for place in places]
        features[plan.name] = read_point_features(
            stack,
            plan.recipe,
            places,
            samples.rows,
            samples.columns,
            block_px=block_px,
            threads=threads,
        )
        names[plan.name], layers[plan.name] = plan.recipe.names(own), plan.recipe.layers_of(own)
        whole &= np.isfinite(features[plan.name]).all(axis=1)
    if not whole.any():
        raise InputError("samples: all points lie on nodata; check the cube and extra rasters")
    notes = [] if whole.all() else [f"{(~whole).sum()} points lie on nodata; left out"]
    for plan in plans:
        note = plan.recipe.note([stack.layers[place] for place in plan_layers(stack, plan)])
        if note:
            notes.append(f"{plan.name}: {note}")
    kept = {name: values[whole] for name, values in features.items()}
    samples = samples.take(whole, *notes)
    return Ground(samples, kept, names, layers, samples.blocks(spatial_block_px, stack.grid))


def plan_layers(stack: Stack, plan: Plan) -> tuple[int, ...]:
    """Places of the layers that a plan uses."""
    return stack.cube_layers if plan.layers == "cube" else stack.places(None)

"""A coat that all bare ground has in common: desert varnish and dust over rocks and soil.

Pixels of real desert lie in one narrow cone of colour. Rock varnish is iron oxide in clay (Potter
and Rossman 1977, Science 196, 1446); dust adds quartz and feldspar. Proportions are ours.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.windows import Window

from gossan.library.spectrum import Spectrum
from gossan.twin.noise import field_key, fractal_noise
from gossan.twin.optics import mix_spectra
from gossan.twin.terrain import Terrain, Variability, cell_centres

COAT = "coat"
# Weights of the library's spectra in the intimate mixture that the coat is.
RECIPE = {
    "montmorillonite": 0.35,
    "illite": 0.2,
    "feldspar": 0.15,
    "quartz": 0.15,
    "goethite": 0.08,
    "magnetite": 0.05,
    "hematite": 0.02,
}
# What has no coat: plants shed it, water and snow hide it.
_CLEAN = ("green_vegetation", "dry_vegetation", "water", "snow")
# Standard deviation of the logit of the coat's share, over patches of this size.
_SHARE_STD, _PATCH_M = 0.5, 1500.0
# Standard deviation at difficulty 1 of ln(brightness) of the coat, over patches of this size.
_BRIGHTNESS_STD, _LIGHT_M = 0.15, 600.0


class CoatedGround:
    """A ground of which bare rock and soil are hidden in part under COAT, else that ground.

    What is known of the ground, such as its truth, stays that of what lies below.
    """

    def __init__(self, ground: Terrain, coating: float):
        """`coating`: share of the coat in bare ground, its median over the ground, above 0 to < 1.

        Raises ValueError for another share.
        """
        if not 0 < coating < 1:
            raise ValueError(f"coating {coating} is not between 0 and 1")
        self._ground, self._coating = ground, coating
        self.constituents = (*ground.constituents, COAT)
        self._coated = [
            place for place, name in enumerate(ground.constituents) if name not in _CLEAN
        ]

    def __getattr__(self, name: str) -> Any:
        """Relief, light, sky, seasons and truth are those of the ground below."""
        return getattr(self._ground, name)

    def moved(self, east_m: float, south_m: float) -> "CoatedGround":
        """As `Terrain.moved`."""
        return CoatedGround(self._ground.moved(east_m, south_m), self._coating)

    def materials(self, library: Sequence[Spectrum]) -> list[Spectrum]:
        """As `Terrain.materials`; InputError when the library lacks a spectrum of RECIPE."""
        return [*self._ground.materials(library), mix_spectra(library, COAT, RECIPE)]

    def abundances(self, window: Window, pixel_m: float) -> np.ndarray:
        """As `Terrain.abundances`, the coat last.

        The coat is smooth, so its share at a pixel's centre is that of the pixel.
        """
        bare = self._ground.abundances(window, pixel_m)
        odds = math.log(self._coating / (1 - self._coating))
        wave = self._wave("share of the coat", window, pixel_m, _PATCH_M)
        share = (1.0 / (1.0 + np.exp(-(odds + _SHARE_STD * wave)))).astype(np.float32)
        coat = share * bare[self._coated].sum(axis=0)
        bare[self._coated] *= 1 - share
        return np.concatenate([bare, coat[np.newaxis]])

    def variability(self, window: Window, pixel_m: float) -> Variability:
        """As `Terrain.variability`; the coat varies in its brightness alone."""
        below = self._ground.variability(window, pixel_m)
        wave = self._wave("brightness of the coat", window, pixel_m, _LIGHT_M)
        light = np.exp(np.clip(_BRIGHTNESS_STD * self._ground.difficulty * wave, -0.8, 0.25))
        layers = (
            (below.depth, np.ones_like(light)),
            (below.brightness, light),
            (below.tilt, np.zeros_like(light)),
        )
        return Variability(
            *(
                np.concatenate([values, own[np.newaxis].astype(np.float32)])
                for values, own in layers
            )
        )

    def _wave(self, name: str, window: Window, pixel_m: float, patch_m: float) -> np.ndarray:
        x, y = cell_centres(window, pixel_m, 1)
        east, south = self._ground.offset_m
        return fractal_noise(x + east, y + south, field_key(self._ground.seed, name), patch_m, 3)

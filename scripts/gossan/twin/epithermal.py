"""The simulated ground of alunite caps and limestone in the desert: half a porphyry district."""

import numpy as np
from rasterio.windows import Window

from gossan.twin.porphyry import BASE_ELEVATION_M, COVERS, DISTRICT_M, PorphyryGround
from gossan.twin.terrain import ellipse_radius, smooth_step, wrapped

_DISTRICT_KM = DISTRICT_M / 1000.0
# The district is drawn at this scale, so that a ground of this side, which is centred on this point
# of the district (km), holds half of it: caps of leached rock and of alunite, the intrusion between
# them, and limestone.
_SCALE, FULL_SIDE_M, _DISTRICT_CENTRE_KM = 0.5, 3840.0, (1.2, -1.4)
# Bodies of jarosite in the leached cap beside those that the fluids' noise makes: centre, half
# axes (km) and angle in the district.
_JAROSITE_BODIES = ((2.6, -2.3, 0.42, 0.7, 0.4), (-0.6, -2.9, 0.4, 0.55, 0.0))
_BASE_ELEVATION_M = 1450.0
# Of the green plants of wetter ground, the share that stays green in the desert, and the share
# that is dry; the rest is bare rock.
_STAYS_GREEN, _STANDS_DRY = 0.25, 0.25


class EpithermalGround(PorphyryGround):
    """Half a porphyry district in the desert, on a ground of FULL_SIDE_M.

    Rivers, snow and most plants are left out, bodies of jarosite are added. Smaller grounds are
    miniatures of it.
    """

    def __init__(self, seed: int, extent_m: tuple[float, float], difficulty: float):
        """As `PorphyryGround`, with its errors."""
        super().__init__(seed, extent_m, difficulty)
        self._scale = _SCALE * min(1.0, min(self.extent_m) / FULL_SIDE_M)

    def _frame(self, x_m: np.ndarray, y_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        east = (x_m + self.offset_m[0] - self.extent_m[0] / 2) / (1000.0 * self._scale)
        north = (self.extent_m[1] / 2 - y_m - self.offset_m[1]) / (1000.0 * self._scale)
        s = self._mirror[0] * (self._cos * east + self._sin * north)
        t = self._mirror[1] * (self._cos * north - self._sin * east)
        return s + _DISTRICT_CENTRE_KM[0], t + _DISTRICT_CENTRE_KM[1]

    def _bodies(
        self, s: np.ndarray, t: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], tuple]:
        hosts, zones, (plan_s, plan_t) = super()._bodies(s, t)
        u, v = wrapped(plan_s, _DISTRICT_KM), wrapped(plan_t, _DISTRICT_KM)
        ragged = 0.22 * self._noise("outline of jarosite", plan_s, plan_t, 0.9, 4)
        for body in _JAROSITE_BODIES:
            reach = smooth_step(1.0 - ellipse_radius(u, v, *body) + ragged, 0.16)
            zones["leached_jarosite"] = np.maximum(zones["leached_jarosite"], reach)
        return hosts, zones, (plan_s, plan_t)

    def _covers(self, s: np.ndarray, t: np.ndarray, ore: np.ndarray) -> np.ndarray:
        covers = super()._covers(s, t, ore)
        green, dry, soil, water, snow = (COVERS.index(name) for name in COVERS)
        covers[soil] += covers[water]
        covers[dry] += _STANDS_DRY * covers[green]
        covers[green] *= _STAYS_GREEN
        covers[[water, snow]] = 0.0
        return covers

    def _elevation(self, window: Window, pixel_m: float) -> np.ndarray:
        height = super()._elevation(window, pixel_m)
        return height + (_BASE_ELEVATION_M - BASE_ELEVATION_M)

"""Ground covers of the analytic library, constructed from the known physics of each.

No measured spectrum stands behind these: absorptions sit where pigments, liquid water, ice,
cellulose, iron oxides and clay are known to absorb, with widths and strengths that give the
covers' familiar shapes (Clark 1999, Spectroscopy of rocks and minerals; Gates et al. 1965, Applied
Optics 4, 11–20; Curran 1989, Remote Sensing of Environment 30, 271–278; Dozier and Painter 2004,
Annual Review of Earth and Planetary Sciences 32, 465–494).
"""

import math

import numpy as np

from gossan.library.absorptions import AbsorptionModel, rounded

FROM_UM, TO_UM = 0.35, 2.5
Terms = tuple[tuple[float, float, float], ...]

# Per cover: reflectance of the continuum, then absorptions as centre µm, full width µm, strength.
GREEN_VEGETATION: tuple[float, Terms] = (
    0.53,
    (
        (0.395, 0.16, 2.20),  # chlorophyll a and b, Soret bands
        (0.48, 0.08, 1.00),  # carotenoids and chlorophyll b
        (0.60, 0.125, 1.40),  # chlorophyll, weak bands beyond the green peak
        (0.672, 0.052, 1.60),  # chlorophyll a and b, red; its far side is the red edge
        (0.70, 0.034, 0.60),  # foot of the red edge
        (0.975, 0.065, 0.07),  # liquid water overtones and combinations
        (1.19, 0.11, 0.14),
        (1.455, 0.13, 0.95),
        (1.57, 0.28, 0.35),
        (1.78, 0.16, 0.25),  # water and lignin shoulder
        (1.94, 0.14, 1.45),
        (2.08, 0.30, 0.80),
        (2.75, 0.90, 2.00),  # wing of the water fundamental
    ),
)
DRY_VEGETATION: tuple[float, Terms] = (
    0.52,
    (
        (0.28, 0.22, 2.60),  # wing of lignin's and tannins' ultraviolet absorption
        (0.48, 0.26, 0.55),  # brown pigments
        (0.66, 0.10, 0.06),  # what is left of chlorophyll
        (1.20, 0.10, 0.05),
        (1.46, 0.13, 0.20),
        (1.73, 0.09, 0.09),  # C–H of cellulose and lignin
        (1.93, 0.12, 0.30),
        (2.10, 0.13, 0.30),  # cellulose
        (2.30, 0.14, 0.38),  # lignin and cellulose
        (2.75, 0.70, 1.10),
    ),
)
SOIL: tuple[float, Terms] = (
    0.42,
    (
        (0.30, 0.28, 2.10),  # iron(III) charge transfer, the red slope
        (0.49, 0.16, 0.45),  # goethite and hematite
        (0.66, 0.25, 0.22),
        (0.90, 0.24, 0.10),  # iron(III) crystal field
        (1.41, 0.05, 0.08),  # hydroxyl overtone
        (1.92, 0.09, 0.18),  # water in clay
        (2.205, 0.050, 0.12),  # Al–OH of clay
        (2.34, 0.06, 0.06),  # Mg–OH and carbonate
        (2.75, 0.60, 0.90),
    ),
)
WATER: tuple[float, Terms] = (
    0.075,
    (
        (0.30, 0.16, 1.20),  # dissolved organic matter
        (0.68, 0.13, 0.80),  # overtones of the O–H stretch, growing with wavelength
        (0.76, 0.12, 0.70),
        (0.97, 0.28, 2.20),
        (1.45, 0.75, 3.00),
        (2.60, 2.80, 3.20),
    ),
)
SNOW: tuple[float, Terms] = (
    0.97,
    (
        (0.81, 0.07, 0.03),  # ice overtones and combinations
        (0.90, 0.09, 0.08),
        (1.03, 0.10, 0.38),
        (1.26, 0.14, 0.85),
        (1.50, 0.17, 2.40),
        (1.62, 0.24, 1.40),
        (2.02, 0.20, 3.30),
        (2.75, 0.85, 3.20),
        (1.95, 0.90, 0.90),
    ),
)

COVERS = {
    "green_vegetation": GREEN_VEGETATION,
    "dry_vegetation": DRY_VEGETATION,
    "soil": SOIL,
    "water": WATER,
    "snow": SNOW,
}


def construct_cover(name: str) -> AbsorptionModel:
    """The model of one of `COVERS`. KeyError for any other name."""
    level, terms = COVERS[name]
    return rounded(
        AbsorptionModel(
            name=name,
            origin="constructed",
            from_um=FROM_UM,
            to_um=TO_UM,
            continuum=np.array([math.log(level)]),
            absorptions=np.array(sorted(terms)),
        )
    )

"""The corrections by name, and how a sequence of them is planned, solved and applied.

Corrections chain: the statistics of each are those of what the ones before it return.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gossan.cube.corrections import Collect, Correction, Merge, Scene, Survey
from gossan.cube.dark_objects import correct_cost, correct_dos1
from gossan.cube.quac import MIN_BANDS, correct_quac
from gossan.cube.residuals import correct_iarr, correct_log_residuals
from gossan.errors import InputError

LEVEL_2_BETTER = (
    "{} takes off haze alone, by the scene's own dark pixels; where there is a Level-2 product of "
    "the scene (surface reflectance), give that"
)
# A pass over the scene after some corrections.
SurveyAfter = Callable[[Sequence[Correction], Collect, Merge], object]


@dataclass(frozen=True)
class Method:
    """How a correction is made.

    `solve(scene, survey)` looks at the scene by `survey`, as often as it needs to, and returns
    the Correction. `surface` says whether the method is meant for surface reflectance too, `sun`
    whether it is made only where the sun's elevation is known (where it is not, nothing tells that
    the numbers are of the top of the atmosphere), `relative` whether what comes out is ratios
    around 1 (True), reflectance (False) or what it was before (None), `least_bands` how many bands
    it needs.
    """

    solve: Callable[[Scene, Survey], Correction]
    surface: bool
    relative: bool | None
    sun: bool = False
    least_bands: int = 1


METHODS = {
    "dos1": Method(correct_dos1, surface=False, relative=None, sun=True),
    "cost": Method(correct_cost, surface=False, relative=None, sun=True),
    "iarr": Method(correct_iarr, surface=True, relative=True),
    "log_residuals": Method(correct_log_residuals, surface=True, relative=True),
    "quac": Method(correct_quac, surface=False, relative=False, least_bands=MIN_BANDS),
}


def plan_methods(
    names: Sequence[str],
    surface_reflectance: bool | None,
    sun_elevation_deg: float | None,
    bands: int,
) -> tuple[list[str], list[str]]:
    """The corrections to carry out, in order, and notes on those skipped and on what is better.

    `names` is ["none"] or a sequence of METHODS. Surface reflectance (a Level-2 product) skips
    the methods that model the atmosphere, which its maker has already taken out; where it is not
    known what the product is (None), what is asked for is done. Methods that need the sun's
    elevation are skipped where it is not known, those that need more `bands` than there are as
    well. Raises InputError for an unknown method, one named twice, or `none` among others.
    """
    for name in names:
        if name not in METHODS and name != "none":
            raise InputError(
                f"atmosphere '{name}' is unknown; use none or a sequence of: {', '.join(METHODS)}"
            )
    if "none" in names and len(names) > 1:
        raise InputError("atmosphere: none stands alone; leave it out of the sequence")
    if len(set(names)) < len(names):
        raise InputError(f"atmosphere: '{' '.join(names)}' names a method twice")
    chosen, notes = [], []
    for name in names:
        if name == "none":
            continue
        if surface_reflectance and not METHODS[name].surface:
            notes.append(
                f"{name} was skipped: the product is surface reflectance (Level 2) and passes "
                "through"
            )
        elif sun_elevation_deg is None and METHODS[name].sun:
            notes.append(f"{name} was skipped: nothing is known of the sun's elevation")
        elif bands < METHODS[name].least_bands:
            notes.append(
                f"{name} was skipped: it needs {METHODS[name].least_bands} bands, and there are "
                f"{bands}"
            )
        else:
            chosen.append(name)
    notes += [LEVEL_2_BETTER.format(name) for name in chosen if name in ("dos1", "cost")]
    return chosen, notes


def is_relative(methods: Sequence[str]) -> bool:
    """Whether what a sequence of methods returns is ratios around 1, not reflectance."""
    told = [METHODS[name].relative for name in methods if METHODS[name].relative is not None]
    return bool(told and told[-1])


def count_absolute(methods: Sequence[str]) -> int:
    """How many of a sequence of methods come before the first that makes ratios of reflectance."""
    makes_ratios = [METHODS[name].relative is True for name in methods]
    return makes_ratios.index(True) if True in makes_ratios else len(methods)


def solve_corrections(
    methods: Sequence[str], scene: Scene, survey: SurveyAfter
) -> list[Correction]:
    """Solve a sequence of methods; `survey(corrections, collect, merge)` makes one pass.

    Raises InputError as the methods do.
    """
    corrections: list[Correction] = []
    for position, name in enumerate(methods):
        before = tuple(corrections)

        def survey_here(collect: Collect, merge: Merge, before: Sequence = before) -> object:
            return survey(before, collect, merge)

        here = replace(scene, relative=is_relative(methods[:position]))
        corrections.append(METHODS[name].solve(here, survey_here))
    return corrections


def apply_corrections(reflectance: np.ndarray, corrections: Sequence[Correction]) -> np.ndarray:
    """Reflectance, (bands, rows, columns), after all `corrections` in their order."""
    for correction in corrections:
        reflectance = correction.apply(reflectance)
    return reflectance

"""Corrections that divide a scene by its own means: what is left says how a pixel differs."""

import numpy as np

from gossan.cube.corrections import Correction, Scene, Survey, as_column, by_band
from gossan.errors import InputError
from gossan.exact import exact_sums, to_means


def correct_iarr(scene: Scene, survey: Survey) -> Correction:
    """Internal average relative reflectance: each band divided by its mean over valid pixels.

        ρ(p, b) = L(p, b) / mean_p L(p, b)

    Source: Kruse 1988, Remote Sensing of Environment 24, 31-51. Raises InputError, naming the
    band, where the mean is not above 0.
    """

    def collect(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        valid = values[:, kept]
        return np.append(exact_sums(valid, scene.bands.names), valid.shape[1])

    *sums, count = survey(collect, np.add)
    means = to_means(sums, count)
    for name, mean in zip(scene.bands.names, means, strict=True):
        if mean <= 0:
            raise InputError(
                f"iarr: band {name} has a mean of {mean:.6g}, and dividing by it has no meaning; "
                "leave the band or the method before iarr out"
            )
    divisor = as_column(means)
    return Correction(
        "iarr", lambda values: values / divisor, {"mean": by_band(scene.bands, means)}
    )


def correct_log_residuals(scene: Scene, survey: Survey) -> Correction:
    """Log residuals: free of any gain per pixel (sun on a slope) and per band (sun, air, gain).

        log ρ(p, b) = log L(p, b) − mean_b log L(p, ·) − mean_p log L(·, b) + mean_pb log L

    Source: Green and Craig 1985, Proceedings of the Airborne Imaging Spectrometer Data Analysis
    Workshop, JPL Publication 85-41. The result is ρ itself, whose geometric mean is 1.
    A pixel with a value of 0 or below in any band has no logarithm: it becomes NaN in all bands,
    and the record counts those that would else be valid. Raises InputError for fewer than two
    bands, and where no pixel is positive in all bands.
    """
    names = scene.bands.names
    if len(names) < 2:
        raise InputError(
            f"log_residuals: band {names[0]} alone has no residual from the mean of the bands; "
            "choose two bands or more"
        )

    def collect(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
        positive = kept & (values > 0).all(axis=0)
        logarithms = np.log(values[:, positive])
        used, lost = int(positive.sum()), int((kept & ~positive).sum())
        return np.append(exact_sums(logarithms, names), [used, lost])

    *sums, used, lost = survey(collect, np.add)
    if used == 0:
        raise InputError(
            "log_residuals: no pixel is above 0 in all bands; leave the method before it, or a "
            "band, out"
        )
    means = to_means(sums, used)
    deviation = as_column(means - means.mean())

    def apply(values: np.ndarray) -> np.ndarray:
        positive = (values > 0).all(axis=0)
        residuals = np.where(positive, values, np.float32(np.nan))
        np.log(residuals, out=residuals)
        residuals -= residuals.mean(axis=0, dtype=np.float64).astype(np.float32)
        residuals -= deviation
        return np.exp(residuals, out=residuals)

    return Correction(
        "log_residuals",
        apply,
        {
            "geometric_mean": by_band(scene.bands, np.exp(means)),
            "nonpositive_pixels": int(lost),
            "nonpositive_rule": "a pixel at or below 0 in any band becomes nodata",
        },
    )

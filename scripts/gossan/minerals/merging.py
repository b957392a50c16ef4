"""Answers of several groups of minerals at one pixel, brought to one."""

from collections.abc import Sequence

import numpy as np

from gossan.legend import NODATA, UNCLASSIFIED
from gossan.minerals.scene_angle import surety


def merge_groups(
    maps: Sequence[tuple[np.ndarray, ...]], spreads: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, angle and margin (rows, columns) of the group that is surest at each pixel.

    `maps` are (class uint8, angle, margin, contrast) of each group, `spreads` the contrast of the
    scene in its bands, in units of which groups are compared. A named class goes before an
    unclassified one; the first of equals wins. Nodata where no group has data.
    """
    scores = []
    for (classes, angle, _, contrast), spread in zip(maps, spreads, strict=True):
        sure = surety(angle, contrast) / max(spread, np.finfo(np.float32).tiny)
        sure = np.where(classes == UNCLASSIFIED, sure - 1e6, sure)
        # A group whose bands the sensor lacks has classes, and no angle.
        scores.append(np.where((classes == NODATA) | np.isnan(sure), -np.inf, sure))
    winner = np.argmax(scores, axis=0)[np.newaxis]

    def of_winner(place: int) -> np.ndarray:
        return np.take_along_axis(np.stack([own[place] for own in maps]), winner, axis=0)[0]

    return of_winner(0), of_winner(1), of_winner(2)

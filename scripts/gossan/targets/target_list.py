"""The list of targets: new ground and known ground apart, with what is known next to each.

Ground that taught the maps and ground with a known mine or occurrence is no target: it says how
well the list finds what is known, and new ground is ranked without it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gossan.delimited import plain_text
from gossan.targets.known_sites import names_of
from gossan.targets.sites import Sites

if TYPE_CHECKING:
    import geopandas

TRAINING, KNOWN_DEPOSIT, NEW = "training", "known deposit", ""
KNOWN_TITLES = {
    NEW: "New ground",
    KNOWN_DEPOSIT: "Known mine or occurrence",
    TRAINING: "Taught the map",
}

COLUMNS = {
    "rank": ("Rank", "Rank in its list, by the mean score; new and known ground are ranked apart"),
    "id": ("Target", "T and rank for new ground, K and rank for known ground"),
    "known": (
        "Known ground",
        "training: a mine that taught the map lies on it; known deposit: a known mine or "
        "occurrence does; empty: new ground",
    ),
    "longitude": ("Longitude", "Degrees (WGS 84) of the point, a pixel of the target"),
    "latitude": ("Latitude", "Degrees (WGS 84) of the point, a pixel of the target"),
    "x": ("x", "Easting of the point in the layer's coordinate system"),
    "y": ("y", "Northing of the point in the layer's coordinate system"),
    "area_ha": ("Area, ha", "Area of the patch in hectares"),
    "mean_score": ("Mean score", "Mean score of the patch, 0 to 1"),
    "max_score": ("Highest score", "Highest score of a pixel of the patch, 0 to 1"),
    "high_share": ("High potential", "Share of the patch with high potential"),
    "methods_in_favour": (
        "Methods in favour",
        "Methods that call half or more of what they see of the patch favourable, else the one "
        "that calls most of it so",
    ),
    "dominant": ("Dominant", "Mineral or zone on the most pixels of the patch"),
    "dominant_share": ("Share of the dominant", "Share of the patch that it covers"),
    "nearest_known": (
        "Nearest known",
        "Nearest mine or occurrence that is known, from the patch's edge",
    ),
    "nearest_known_m": ("Distance to it, m", "Distance to it in metres, 0 where it lies on it"),
    "rank_of_all": ("Rank of all", "Rank among new and known ground together"),
    "uncertainty": ("Uncertainty", "Mean uncertainty of the forest over the patch"),
    "claims": ("Claims", "Mining claims that touch the patch"),
    "occurrences": ("Occurrences", "Known occurrences that touch the patch"),
    "synthetic": ("Synthetic", "yes: simulated ground, not an observed place"),
}
"""Columns of a list of targets: title and explanation. `uncertainty`, `claims` and `occurrences`
stand only where there are such data."""
OPTIONAL = ("uncertainty", "claims", "occurrences")
# What is unseen or moves the direction of writing is no part of a name; a spreadsheet runs what
# begins as a formula.
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]|^[=+\-@\s]+")
MOST_LETTERS = 80


@dataclass(frozen=True)
class KnownSites:
    """Mines or occurrences: their sites, a name each, and TRAINING or KNOWN_DEPOSIT."""

    sites: Sites
    names: Sequence[str]
    kind: str

    @classmethod
    def of(cls, sites: Sites, title: str, kind: str) -> "KnownSites":
        """Sites named by their attribute `name`, else by the title and a number."""
        names = [_clean(name) for name in names_of(sites, title)]
        numbered = [name or f"{title} {place}" for place, name in enumerate(names, start=1)]
        return cls(sites, numbered, kind)


def _clean(name: str) -> str:
    return _NO_NAME.sub("", plain_text(name))[:MOST_LETTERS]


def list_targets(
    targets: "geopandas.GeoDataFrame", known: Sequence[KnownSites], metres_per_unit: float
) -> "geopandas.GeoDataFrame":
    """Targets as of `make_targets` as they are listed: new ground first, then known ground.

    Each is ranked on its own from 1; `rank_of_all` keeps the rank of both together. The nearest
    site is that with the least distance from the patch, which is 0 where it touches it; of several,
    the first, sites that taught before others. Further columns of the targets stay.
    """
    import geopandas
    import shapely

    targets = targets.copy()
    known = sorted(known, key=lambda item: item.kind != TRAINING)
    shapes = np.concatenate([np.zeros(0, object), *(item.sites.shapes for item in known)])
    names = np.array([name for item in known for name in item.names], object)
    kinds = np.array([item.kind for item in known for _ in item.names], object)
    number = len(targets)
    nearest = np.full(number, "", object)
    apart = np.full(number, np.nan)
    marks = np.full(number, NEW, object)
    if number and len(shapes):
        tree = shapely.STRtree(shapes)
        (own, site), distance = tree.query_nearest(
            targets.geometry.to_numpy(), return_distance=True, all_matches=True
        )
        order = np.lexsort((site, own))
        own, first = np.unique(own[order], return_index=True)
        site, distance = site[order][first], distance[order][first]
        nearest[own], apart[own] = names[site], np.round(distance * metres_per_unit, 1)
        marks[own] = np.where(distance == 0, kinds[site], NEW)
    targets["known"] = marks
    targets["nearest_known"] = nearest
    targets["nearest_known_m"] = apart
    targets["rank_of_all"] = targets["rank"].astype(np.int32)
    lists = []
    for letter, chosen in (("T", marks == NEW), ("K", marks != NEW)):
        part = targets[chosen].copy()
        part["rank"] = np.arange(1, len(part) + 1, dtype=np.int32)
        part["id"] = np.array([f"{letter}{rank:02d}" for rank in part["rank"]], object)
        lists.append(part)
    columns = [name for name in COLUMNS if name in lists[0].columns]
    order = np.concatenate([part.index for part in lists]) if number else []
    merged = {name: np.concatenate([part[name].to_numpy() for part in lists]) for name in columns}
    return geopandas.GeoDataFrame(
        merged, geometry=targets.geometry.to_numpy()[np.array(order, int)], crs=targets.crs
    )


def describe_list(
    new: int,
    known: int,
    highest: tuple[float, float, float] | None,
    least_ha: float,
    limit: str,
) -> str:
    """Why a list holds no new ground; "" where it does.

    `highest` is the highest score of the map with its longitude and latitude, `limit` what a patch
    of `least_ha` must have.
    """
    if new:
        return ""
    if highest is None:
        return "The map has no data, so there are no targets."
    if known:
        on = "the one patch that does" if known == 1 else f"each of the {known} patches that do"
        return (
            f"No new ground of {least_ha:g} ha or more has {limit}: a known mine or occurrence "
            f"lies on {on}."
        )
    score, longitude, latitude = highest
    return (
        f"No ground of {least_ha:g} ha or more has {limit}; the highest score is {score:.2f} at "
        f"longitude {longitude:.6f}, latitude {latitude:.6f}."
    )

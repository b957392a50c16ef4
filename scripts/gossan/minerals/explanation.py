"""Why a mineral map is as it is: the ground, the distances against their limits, what the bands
cannot tell apart; in numbers, plain sentences, and what to try.

Advice is no invitation to try settings until the map looks right: a wider limit names more, and
not more truly.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gossan.accuracy.clear_ground import (
    ClearGround,
    advise_on_ground,
    describe_ground,
    doubt_ground,
)
from gossan.accuracy.doubts import (
    FAR_FROM_MEAN_RAD,
    FAR_FROM_ORIGIN_RAD,
    MOST_OF_ONE,
    MOST_UNCLASSIFIED,
    angle_text,
    describe_doubts,
    percent,
)
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.minerals.groups import GROUP_WORDS, SWIR, VNIR
from gossan.minerals.second_pass import POOR_AGREEMENT

ORIGIN, SCENE = "origin", "scene"
QUANTILES = (1, 5, 25, 50, 75, 95)
FEW_NAMED = 0.05
"""Share of the clear ground that a limit is sought for."""
WORTH_TELLING = 0.05
"""Share of the unclassified pixels that a nearest mineral must have to be told."""
NEARLY_ALL = 0.95
BINS = 40
BROAD_BANDS = 20
"""Sensors with fewer bands than these see a mineral's absorptions in two or three of them."""
RIVALS = {
    VNIR: ("hematite", "goethite", "jarosite"),
    SWIR: ("alunite", "kaolinite", "muscovite", "calcite"),
}
"""Common minerals of each group, as rivals for one that stands alone."""
IN_ANGLES = (ORIGIN, SCENE, "ace")
"""Comparisons whose distance is an angle."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of an even sample of a map's clear pixels to the nearest reference.

    `group` is that of the map, empty for a map of all; `values` (n,) are float, NaN where there is
    none; `codes` (n,) the map's classes; `nearest` (n,) those of the nearest reference, whatever
    its limit (None: not known). `limits` are the classes' largest distances by name, None where
    there is none. `step` is that in which the map holds its values, 0 where they are as they were.
    """

    group: str
    values: np.ndarray
    codes: np.ndarray
    limits: Mapping[str, float | None]
    nearest: np.ndarray | None = None
    step: float = 0.0


@dataclass(frozen=True, eq=False)
class MineralMaps:
    """What the maps of one scene and sensor are, as their files tell.

    `match` is how pixels and references were compared; `areas` are pixels by class code, as of
    map_tables.read_areas; `groups` are (group, record of the first map, record of the second or
    None), none of angles to the origin; `separable` are rows of the table of that name.
    """

    scene: str
    match: str
    classes: Sequence[MapClass]
    areas: Mapping[int, tuple[int, float | None]]
    ground: ClearGround
    distances: Sequence[Distances]
    groups: Sequence[tuple[str, Mapping, Mapping | None]] = ()
    separable: Sequence[Mapping[str, str]] = ()

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the classes by name."""
        return {item.name: item.label for item in self.classes}


def explain(maps: MineralMaps) -> dict[str, object]:
    """`doubts`, what makes the maps worth little; `sentences`, those and what else explains them;
    `advice`; and the `numbers` behind."""
    numbers = [describe_distances(item, maps.classes) for item in maps.distances]
    doubts = [
        *doubt_ground(maps.ground),
        *doubt_map(maps),
        *_tell_distances(maps, numbers),
        *_tell_sides(maps, numbers),
        *(text for group in maps.groups for text in doubt_group(*group, maps.match)),
    ]
    alike = describe_separable(maps.separable, maps.labels)
    return {
        "doubts": doubts,
        "sentences": [*doubts, *filter(None, [alike]), *describe_ground(maps.ground)],
        "advice": [
            *advise_on_ground(maps.ground),
            *_advise_on_unclassified(maps, numbers),
            *_advise_on_limits(maps, numbers),
            *_advise_on_rivals(maps),
            *advise_on_alike(maps.separable, "minerals.references"),
        ],
        "numbers": {
            "ground": maps.ground.describe(),
            "unclassified": _rounded(_shares(maps)[1]),
            "shares": {item.name: _rounded(_shares(maps)[0][item.label]) for item in maps.classes},
            "distances": numbers,
            "one_with": one_with(maps.separable),
        },
    }


def describe_distances(distances: Distances, classes: Sequence[MapClass]) -> dict[str, object]:
    """Numbers of the distances of one map's clear pixels.

    `quantiles` by per cent; `limit`, the range of the classes' limits, null without any; the
    `named` share; `limit_for_5_percent`, rounded up, that would name 5 % of the clear pixels as
    the one limit of all classes; the shares of what is nearest to those, and to the unclassified
    pixels; and
    the `histogram` with its `edges`, whose last bar holds what lies beyond the 99.5th percentile.
    """
    known = np.isfinite(distances.values)
    values = distances.values[known].astype(np.float64)
    limits = [limit for limit in distances.limits.values() if limit is not None]
    told: dict[str, object] = {
        "group": distances.group,
        "pixels": len(values),
        "named": _rounded(_mean(distances.codes[distances.codes != NODATA] != UNCLASSIFIED)),
        "limit": [min(limits), max(limits)] if limits else None,
        "nearest_of_unclassified": _nearest_shares(
            distances, classes, distances.codes == UNCLASSIFIED
        ),
        "nearest_of_5_percent": {},
    }
    if not len(values):
        return {**told, "quantiles": {}, "limit_for_5_percent": None, "histogram": None}
    quantiles = np.percentile(values, QUANTILES)
    low = min(0.0, float(values.min()))
    high = max([float(np.percentile(values, 99.5)), *limits, low + 1e-6])
    # A map in steps may hold half a step less than the distance that decided.
    limit = _rounded_up(float(np.quantile(values, FEW_NAMED)) + distances.step / 2)
    counts, edges = np.histogram(np.minimum(values, high), bins=BINS, range=(low, high))
    return {
        **told,
        "quantiles": {
            str(rank): _rounded(value) for rank, value in zip(QUANTILES, quantiles, strict=True)
        },
        "limit_for_5_percent": limit,
        "nearest_of_5_percent": _nearest_shares(distances, classes, distances.values <= limit),
        "histogram": {
            "edges": [_rounded(edge) for edge in edges],
            "counts": [int(count) for count in counts],
        },
    }


def doubt_map(maps: MineralMaps) -> list[str]:
    """What makes a map of angles to the origin worth little; groups are judged one by one."""
    shares, unclassified = _shares(maps)
    if maps.groups or not sum(pixels for pixels, _ in maps.areas.values()):
        return []
    limits = [item.max_angle_rad for item in maps.classes]
    wide = any(limit is None or limit > FAR_FROM_ORIGIN_RAD for limit in limits)
    return describe_doubts(
        f"The mineral map of {maps.scene}",
        shares,
        unclassified,
        median_rad=_named_median(maps.distances),
        far_rad=FAR_FROM_ORIGIN_RAD if wide else None,
    )


def doubt_group(group: str, record: Mapping, taught: Mapping | None, match: str) -> list[str]:
    """What makes the maps of a group, by a comparison, worth little: numbers of their records."""
    title = GROUP_WORDS[group][0]
    first = f"The first map at {title}"
    notes = [f"{first}: {note}." for note in record["notes"]]
    if notes:
        return notes
    answers = record["answers"]
    sentences = describe_doubts(
        first,
        answers["shares"],
        answers["unclassified"],
        median_rad=answers["median_distance"],
        far_rad=FAR_FROM_MEAN_RAD if match == SCENE else None,
    )
    if len(answers["shares"]) == 1:
        [name] = answers["shares"]
        sentences.append(
            f"{first} has no rival to {name}: that it names {1 - answers['unclassified']:.1%} of "
            "the pixels tells on which side of the scene's mean they lie, and little more."
        )
    if taught is None:
        return sentences
    second = f"The second map at {title}"
    if not taught["taught"]:
        return [*sentences, *(f"{second} names nothing: {note}." for note in taught["notes"])]
    answers = taught["answers"]
    sentences += describe_doubts(second, answers["shares"], answers["unclassified"])
    kappa = taught["agreement_kappa"]
    if kappa < POOR_AGREEMENT:
        sentences.append(
            f"At {title} the second map hardly agrees with the first (kappa {kappa:.2f} over "
            f"{taught['compared_pixels']:,} pixels that both name): believe neither without "
            "a look at the ground."
        )
    return sentences


def one_with(separable: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Groups of minerals that the bands cannot tell apart, by name."""
    groups: dict[frozenset[str], list[str]] = {}
    for row in separable:
        names = [row["mineral"], *filter(None, row["one_with"].split("; "))]
        if len(names) > 1:
            groups.setdefault(frozenset(names), names)
    return list(groups.values())


def describe_separable(separable: Sequence[Mapping[str, str]], labels: Mapping[str, str]) -> str:
    """Which minerals the bands cannot tell apart, from their records alone."""
    if len(separable) < 2:
        return ""
    bands = separable[0]["bands"]
    groups = []
    for names in one_with(separable):
        told = [labels.get(name, name).lower() for name in names]
        groups.append(f"{', '.join(told[:-1])} and {told[-1]} are one")
    if not groups:
        return (
            f"By their library records, these {bands} bands can tell all "
            f"{len(separable)} minerals apart. Mixed ground is harder than records are."
        )
    return (
        f"With these {bands} bands {'; '.join(groups)}: their library records differ less "
        "than records of one mineral do, so what the map says between them means little."
    )


def _tell_distances(maps: MineralMaps, numbers: Sequence[Mapping]) -> list[str]:
    """How far the pixels of a map that leaves most unclassified are from their references."""
    sentences = []
    for item, told in zip(maps.distances, numbers, strict=True):
        if told["limit"] is None or 1 - told["named"] <= MOST_UNCLASSIFIED or not told["quantiles"]:
            continue
        where = f" at {GROUP_WORDS[item.group][0]}" if item.group else ""
        middle, near = told["quantiles"]["50"], told["quantiles"]["5"]
        sentence = (
            f"Half of the clear pixels lie more than {_amount(middle, maps.match)} from every "
            f"reference{where}, the nearest twentieth within {_amount(near, maps.match)}; the "
            f"limit is {_limit_text(told['limit'], maps.match)}."
        )
        nearest = [
            f"{maps.labels[name].lower()} ({percent(share)})"
            for name, share in told["nearest_of_unclassified"].items()
            if share >= WORTH_TELLING
        ]
        if nearest:
            sentence += (
                f" The unclassified pixels are nearest to {', '.join(nearest)}, and too far to be "
                "called so."
            )
        sentences.append(sentence)
    return sentences


def _tell_sides(maps: MineralMaps, numbers: Sequence[Mapping]) -> list[str]:
    """That a map about the scene's mean names nearly all ground, whatever it holds."""
    return [
        f"At {GROUP_WORDS[told['group']][0]} {percent(told['named'])} of the clear pixels have a "
        "name, for about the scene's mean something is always nearest: how much is altered the map "
        "does not tell. Look first where angle is small and margin large."
        for told in numbers
        if maps.match == SCENE and told["group"] and told["named"] > NEARLY_ALL
    ]


def _advise_on_unclassified(maps: MineralMaps, numbers: Sequence[Mapping]) -> list[str]:
    """What else bare ground may be where a map leaves most of it unclassified."""
    if maps.match == ORIGIN or doubt_ground(maps.ground):
        return []
    where = [
        f" at {GROUP_WORDS[told['group']][0]}" if told["group"] else ""
        for told in numbers
        if told["pixels"] and 1 - told["named"] > MOST_UNCLASSIFIED
    ]
    return [
        f"The ground that is unclassified{place} is like none of the minerals sought there: add "
        "others that you expect to minerals.references."
        for place in where
    ]


def _advise_on_limits(maps: MineralMaps, numbers: Sequence[Mapping]) -> list[str]:
    """Limits that name more or less, and another comparison."""
    advice = []
    for told in numbers:
        limit = told["limit_for_5_percent"]
        if told["limit"] and limit and told["named"] < FEW_NAMED and limit > told["limit"][0]:
            where = f" at {GROUP_WORDS[told['group']][0]}" if told["group"] else ""
            mostly = "".join(
                f", {percent(share)} of them {maps.labels[name].lower()}"
                for name, share in list(told["nearest_of_5_percent"].items())[:1]
            )
            advice.append(
                f"With minerals.max_angle_rad: {limit:g} the map{where} would name "
                f"{FEW_NAMED:.0%} of the clear pixels (now {percent(told['named'])}){mostly}. A "
                "wider limit names more, and not more truly: choose it by ground that you know, "
                "not by how the map looks."
            )
    shares, unclassified = _shares(maps)
    named = sum(shares.values())
    if maps.match == ORIGIN and (
        unclassified > MOST_UNCLASSIFIED
        or (len(shares) > 1 and named and max(shares.values()) > MOST_OF_ONE * named)
    ):
        advice.append(
            "Try minerals.match: scene, which compares what sets a pixel apart from the scene's "
            "mean; angles to the origin tell the colour that all of a scene shares."
        )
    if maps.match == SCENE:
        for item in maps.distances:
            advice += _advise_narrower(item)
    return advice


def _advise_narrower(distances: Distances) -> list[str]:
    """A limit for a map of which half is like no reference."""
    named = (distances.codes != UNCLASSIFIED) & np.isfinite(distances.values)
    values = distances.values[named]
    if not len(values) or np.median(values) <= FAR_FROM_MEAN_RAD:
        return []
    kept = float((values <= FAR_FROM_MEAN_RAD).sum() / np.isfinite(distances.values).sum())
    return [
        f"With minerals.max_angle_rad: {FAR_FROM_MEAN_RAD:.2f} the map at "
        f"{GROUP_WORDS[distances.group][0]} keeps only what lies within "
        f"{math.degrees(FAR_FROM_MEAN_RAD):.0f}° of a reference, {percent(kept)} of the clear "
        "pixels, and leaves the rest unclassified."
    ]


def _advise_on_rivals(maps: MineralMaps) -> list[str]:
    """Rivals for a mineral that is alone in its group."""
    advice = []
    for group, record, _ in maps.groups:
        names = [item["name"] for item in record["minerals"]]
        if len(names) == 1 and not record["notes"]:
            rivals = ", ".join(name for name in RIVALS[group] if name not in names)
            advice.append(
                f"Give {maps.labels.get(names[0], names[0]).lower()} rivals at "
                f"{GROUP_WORDS[group][0]} in minerals.references, such as {rivals}: a mineral "
                "wins by being nearer than others."
            )
    return advice


def advise_on_alike(separable: Sequence[Mapping[str, str]], key: str) -> list[str]:
    """What to do about minerals that are one to the bands; `key` is that of the minerals sought."""
    advice = []
    for names in one_with(separable):
        advice.append(f"Read {' and '.join(names)} as one, or keep one of them in {key}.")
    if advice and int(separable[0]["bands"]) < BROAD_BANDS:
        advice.append(
            "To tell them apart takes a sensor with narrower bands: ASTER where it has them at 2.1 "
            "to 2.4 µm, better a spectrometer such as EMIT, EnMAP or PRISMA."
        )
    return advice


def _shares(maps: MineralMaps) -> tuple[dict[str, float], float]:
    """Shares of the clear pixels by the classes' labels, and that of the unclassified ones."""
    clear = max(sum(pixels for pixels, _ in maps.areas.values()), 1)
    shares = {item.label: maps.areas.get(item.code, (0, None))[0] / clear for item in maps.classes}
    return shares, maps.areas.get(UNCLASSIFIED, (0, None))[0] / clear


def _named_median(distances: Sequence[Distances]) -> float | None:
    """Median distance of the pixels that the first of the maps names."""
    for item in distances:
        named = (item.codes != UNCLASSIFIED) & np.isfinite(item.values)
        return float(np.median(item.values[named])) if named.any() else None
    return None


def _nearest_shares(
    distances: Distances, classes: Sequence[MapClass], among: np.ndarray
) -> dict[str, float]:
    """Of some of the pixels, how many are nearest to which class, the most first."""
    if distances.nearest is None:
        return {}
    nearest = distances.nearest[among & np.isfinite(distances.values)]
    shares = {item.name: _mean(nearest == item.code) for item in classes}
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return {name: _rounded(share) for name, share in ordered if share > 0}


def _amount(value: float, match: str) -> str:
    return angle_text(value) if match in IN_ANGLES else f"{value:.3g}"


def _limit_text(limit: Sequence[float], match: str) -> str:
    low, high = limit
    return _amount(low, match) + (f" to {_amount(high, match)}" if high > low else "")


def _mean(found: np.ndarray) -> float:
    return float(found.mean()) if found.size else 0.0


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _rounded_up(value: float) -> float:
    """Rounded up to two digits, so that as a limit it holds what the value does.

    What single precision may add to a number of two digits is no reason to go up.
    """
    step = 10.0 ** (math.floor(math.log10(max(abs(value), 1e-6))) - 1)
    digits = value / step
    return _rounded(math.ceil(digits - 1e-6 * abs(digits)) * step)

"""What the report says of a mineral map: classes, areas, spectra and how right it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gossan.accuracy.blocks import MINIMUM_BLOCKS
from gossan.config import MATCH_TITLES, mineral_groups
from gossan.files import read_json
from gossan.legend import UNCLASSIFIED_COLOUR, MapClass, read_classes
from gossan.minerals.groups import GROUP_WORDS
from gossan.minerals.map_tables import read_areas
from gossan.report.layout import has_intervals
from gossan.report.phrases import (
    SPARSE,
    UNDEFINED,
    WANTING,
    card,
    interval,
    join_once,
    join_words,
    number,
)
from gossan.report.sections import (
    Scene,
    Section,
    Source,
    common_answers,
    truth_text,
)
from gossan.tables import read_table

FIGURE_TITLES = {
    "composite": "Colour composite",
    "classes": "Class map",
    "zones": "Alteration zones",
    "angle": "Spectral angle and margin",
    "distances": "Distances to the references",
    "spectra": "Spectra of the classes",
    "areas": "Class areas",
    "accuracy": "Scores",
    "confusion": "Confusion matrix",
}
ANSWERS = (
    *("scene", "atmosphere", "normalisation"),
    *("library", "classes", "zones", "accuracy"),
)
"""Rows of a published set-up that this section answers."""

ANALYTIC = "analytic"
"""Name of the modelled library in a scene's table of the spectra used."""

WEAK_PRECISION = 0.5

ORIGIN = "origin"
MODEL_WORDS = {
    "likelihood": "Gaussian maximum likelihood on log reflectance over all bands",
    "forest": "extremely randomised trees on logarithms of reflectance and their ratios",
}
CLASS_CAPTIONS = {
    ORIGIN: "Class of the reference with the smallest spectral angle. A pixel further from every "
    "reference than the threshold is unclassified.",
    "grouped": "At each pixel the surest answer of the groups below, each of which has a map of "
    "its own: a pixel may hold a mineral of either. A pixel that no group names is unclassified.",
}
ANGLE_CAPTIONS = {
    ORIGIN: "spectral angle to the best reference",
    "scene": "angle to the best reference about the scene's mean, 90° being no likeness",
    "sid": "spectral information divergence to the best reference",
    "matched_filter": "1 − score of the matched filter of the best reference",
    "ace": "angle to the best reference once the scene's covariance is made round",
}
NO_LIMIT = {"scene": "a right angle", "ace": "a right angle"}
"""What a class without a limit of its own is held to, by `minerals.match`; else nothing."""
FEW_BANDS = 12
"""A group's bands are named one by one up to so many."""


@dataclass(frozen=True)
class GroupMaps:
    """The maps of one group of minerals: their records, and how right they are.

    `record` is of map_mineral_group, `taught` of teach_minerals where there is a second map;
    `accuracy` has the accuracy records of the first map and of the second.
    """

    group: str
    record: Mapping
    accuracy: Sequence[Mapping]
    taught: Mapping | None = None

    @property
    def title(self) -> str:
        """The group in words, such as "2 µm"."""
        return GROUP_WORDS[self.group][0]


@dataclass(frozen=True, kw_only=True)
class MineralsScene(Scene):
    """A scene with its mineral map.

    `areas` maps class codes to (pixels, km² or None), `accuracy` is the map's record, `spectra`
    has a row per record of a class: its name, library and record. `match` says how pixels and
    references were compared, `groups` are the maps of groups, none of angles to the origin;
    `explanation` is the record of explain_map.
    """

    classes: Sequence[MapClass]
    areas: Mapping[int, tuple[int, float | None]]
    accuracy: Mapping
    spectra: Sequence[Mapping[str, str]] = ()
    match: str = ORIGIN
    groups: Sequence[GroupMaps] = ()
    explanation: Mapping = field(default_factory=dict)

    @property
    def titles(self) -> dict[str, str]:
        """Titles of its figures."""
        return FIGURE_TITLES | {item.group: f"Minerals at {item.title}" for item in self.groups}


def read_scene(source: Source) -> MineralsScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    accuracy = read_json(source.folder / "accuracy/minerals.json")
    classes = read_classes(source.study_dir / "minerals/classes.csv")
    match = source.own.get("match", ORIGIN)
    named = [] if match == ORIGIN else mineral_groups(source.own, classes)
    groups = [_read_group(source, group) for group in named]
    return MineralsScene(
        id=source.id,
        sensor=source.sensor,
        cube=read_json(source.sensor_dir / "cube/cube.json"),
        figures=source.figures([*FIGURE_TITLES, *named]),
        records=[accuracy, *(record for group in groups for record in group.accuracy)],
        classes=classes,
        areas=read_areas(source.folder / "areas.csv"),
        accuracy=accuracy,
        spectra=read_table(source.folder / "library/records.csv", ["name", "library", "record"]),
        match=match,
        groups=groups,
        explanation=read_json(source.folder / "explanation.json"),
    )


def _read_group(source: Source, group: str) -> GroupMaps:
    folder = source.folder / group
    teaches = source.own["teach"]["model"] != "none"
    maps = ["class", *["taught"] * teaches]
    return GroupMaps(
        group,
        read_json(folder / "record.json"),
        source.records(*(f"{group}-{name}.json" for name in maps)),
        read_json(folder / "taught.json") if teaches else None,
    )


def make_section(scene: MineralsScene, source: Source) -> Section:
    """The section of a mineral map."""
    return Section(
        "minerals",
        scene,
        scene.titles,
        _context(scene, source),
        summarise(scene),
        _answers(scene, source),
        scene.cube,
    )


def summarise(scene: MineralsScene) -> list[str]:
    """First sentences: what was looked for, how right the map is, and what is weak in it.

    What makes it worth little comes last, each with its number.
    """
    doubts = scene.explanation.get("doubts", [])
    return [*_describe_maps(scene), *_describe_ungrouped(scene), *doubts]


def _describe_ungrouped(scene: MineralsScene) -> list[str]:
    """Which minerals no map looked for, as nothing says in which bands they absorb."""
    left_out = [item.label for item in scene.classes if not item.group] if scene.groups else []
    if not left_out:
        return []
    have = "has" if len(left_out) == 1 else "have"
    return [
        f"{join_words(left_out)} {have} no group of absorptions in the class table, so no map "
        "looked for them; to map them, give them a group there, or set minerals.match to origin."
    ]


def _describe_maps(scene: MineralsScene) -> list[str]:
    record = scene.accuracy
    first = (
        f"{'' if scene.groups else 'The '}{record['method']} looked for {_sought(scene)} "
        f"minerals and mapped {_mapped(scene)} of them in {scene.name}."
    )
    if not record["assessed"]:
        return [
            first,
            "No accuracy can be stated, because there is no truth to compare the map with.",
        ]
    if scene.groups:
        return [first, *(_score_group(item) for item in scene.groups if _assessed(item))]
    return [first, _headline(scene), describe_weakest(record)]


def _assessed(group: GroupMaps) -> bool:
    return any(record["assessed"] for record in group.accuracy)


def _score_group(group: GroupMaps) -> str:
    """Kappa and macro-F1 of the maps of a group, on ground that the truth calls of the group."""
    told = [
        f"{title} has a kappa of {number(record['scores']['kappa']['value'], 2)} and a macro-F1 of "
        f"{number(record['scores']['macro_f1']['value'], 2)}"
        for title, record in zip(
            ("first map", "second, self-taught map"), group.accuracy, strict=False
        )
        if record["assessed"]
    ]
    record = group.accuracy[0]
    kind = "SYNTHETIC " if record["synthetic"] else ""
    return (
        f"At {group.title}, held against {truth_text(record)} where it shows minerals of the group "
        f"(n = {record['n']:,} {kind}pixels of {record['scene']}), the {', the '.join(told)}."
    )


def _sought(scene: MineralsScene) -> int:
    """How many classes the maps looked for."""
    return sum(bool(item.group) or not scene.groups for item in scene.classes)


def _mapped(scene: MineralsScene) -> int:
    """How many of the classes have a pixel."""
    return sum(scene.areas.get(item.code, (0, None))[0] > 0 for item in scene.classes)


def describe_weakest(record: Mapping) -> str:
    """The classes that are wrong more often than right, worst first; or that there are none."""
    mapped = [
        (item["precision"], item)
        for item in record["scores"]["classes"]
        if item["code"] != 0 and item["precision"]["value"] is not None
    ]
    if not mapped:
        return f"In {record['scene']}, no tested pixel was mapped as a mineral."
    weak = sorted(
        (
            (precision["value"], item["label"], precision["low"] is None, item["n_map"])
            for precision, item in mapped
            if precision["value"] < WEAK_PRECISION
        ),
    )
    if not weak:
        return f"In {record['scene']}, every mapped mineral is right more often than wrong."
    named = ", ".join(
        f"{label.lower()} {value:.2f}" + (f" (of {n:,} tested)" if unsure else "")
        for value, label, unsure, n in weak
    )
    return (
        f"Weakest in {record['scene']}, worst first, with the share of mapped pixels that is "
        f"right (precision): {named}; most of what the map shows as these is something else."
    )


def _headline(scene: MineralsScene) -> str:
    record = scene.accuracy
    value = record["scores"]["overall_accuracy"]
    share = UNDEFINED if value["value"] is None else f"{value['value']:.1%}"
    kind = "SYNTHETIC " if scene.synthetic else ""
    return (
        f"In {scene.id}, {share} of n = {record['n']:,} {kind}test pixels carry the class of "
        f"{truth_text(record)} (overall accuracy; {interval(value, '.1%', WANTING)})."
    )


def describe_library(sources: Sequence[str]) -> str:
    """Where the reference spectra come from, in words."""
    names = [
        (
            "gossan's analytic library (modelled: each spectrum is a smooth continuum minus "
            "Gaussian absorptions fitted to a named laboratory record)"
            if source == "analytic"
            else str(source)
        )
        for source in sources
    ]
    if not names:
        return "The source of the reference spectra is not recorded."
    return f"Reference spectra, in order of preference: {'; '.join(names)}."


def _class_rows(scene: MineralsScene, residuals: Sequence[Mapping[str, str]]) -> list[dict]:
    """Class, threshold, and the spectrum used; residuals only where the spectrum is modelled."""
    fits = {row["name"]: row for row in residuals}
    rows = []
    for item in scene.classes:
        own = [row for row in scene.spectra if row["name"] == item.name]
        library = own[0]["library"] if own else ""
        record = own[0]["record"] if own else ""
        if len(own) > 1:
            record += f" and {len(own) - 1} more"
        fit = fits.get(item.name, {}) if library == ANALYTIC else {}
        rows.append(
            {
                "label": item.label,
                "colour": item.colour,
                "limit": f"{item.max_angle_rad:g}"
                if item.max_angle_rad is not None
                else NO_LIMIT.get(scene.match, SPARSE),
                "library": "analytic (modelled)" if library == ANALYTIC else library or "–",
                "record": fit.get("record") or record or "not recorded",
                "rms": fit.get("rms") or "–",
                "angle_rad": fit.get("angle_rad") or "–",
            }
        )
    return rows


def reading_notes(record: Mapping) -> list[str]:
    """How the numbers of an assessed map are to be read: what applies to it, in plain words."""
    notes = [
        "Precision (user's accuracy): of the tested pixels mapped as a class, the share that is "
        "that class in truth. Recall (producer's accuracy): of the class's pixels in "
        "truth, the share that the map found. F1: the harmonic mean of the two.",
        "Overall accuracy: the share of tested pixels whose class is right. Kappa: how much "
        "better that is than chance would do (0 = no better, 1 = all right). Macro-F1: the plain "
        "mean of F1 over the classes that the truth holds, large or small; a class that the "
        "map never shows counts as 0.",
        "Where the truth shows something that the study does not look for, it counts as "
        "other, and the map is right when it leaves the pixel unclassified. The row for pixels "
        "that truly are of the study's classes leaves such ground out; a pixel in it that the "
        "map leaves unclassified is a miss.",
        "A value that would divide by nothing, such as the precision of a class that is never "
        "mapped, is undefined.",
    ]
    if has_intervals(record):
        notes.append(
            "Intervals: the tested pixels are cut into square blocks, whole blocks are drawn "
            f"again with replacement {record['bootstrap']:,} times, and the interval is a 95 % t "
            "interval on the logit scale with the spread of the results, the wider the fewer the "
            "blocks. Where nothing disagreed it holds what so few blocks can miss. Blocks are "
            "drawn because neighbouring pixels are alike. "
            f"A value that rests on fewer than {MINIMUM_BLOCKS} blocks has no interval."
        )
    if record["stratified"]:
        notes.append(
            "The corrected areas weigh each sampled pixel by how much of the map its class "
            "covers (Olofsson et al. 2014). A standard error of 0 means that no sampled pixel "
            "disagreed, not that none does."
        )
    return notes


def _context(scene: MineralsScene, source: Source) -> dict:
    record = scene.accuracy
    assessed = record["assessed"]
    classes = _class_rows(scene, source.residuals)
    return {
        "cards": _cards(scene) if assessed else [],
        "explained": scene.explanation.get("sentences", []),
        "advice": scene.explanation.get("advice", []),
        "distances": _distance_rows(scene),
        "distance_unit": "rad" if scene.match in (ORIGIN, *NO_LIMIT) else "no unit",
        "areas": _area_rows(scene),
        "clear_pixels": _clear_pixels(scene),
        "accuracy": record,
        "truth_text": truth_text(record) if assessed else "",
        "intervals": has_intervals(record),
        "reading_notes": reading_notes(record) if assessed else [],
        "shares": _share_rows(source.paper.get("areas", []), scene),
        "library_text": describe_library(_libraries(source)),
        "class_rows": classes,
        "modelled": any(row["library"] == "analytic (modelled)" for row in classes),
        "classes_caption": CLASS_CAPTIONS["grouped" if scene.groups else ORIGIN],
        "angle_caption": ANGLE_CAPTIONS[scene.match],
        "limit_title": "Largest angle, rad"
        if scene.match in (ORIGIN, *NO_LIMIT)
        else "Largest distance",
        "groups": [_group_context(group, scene) for group in scene.groups],
    }


def _distance_rows(scene: MineralsScene) -> list[dict]:
    """Distances of the clear pixels of each map to its nearest reference, beside the limits."""
    rows = []
    for item in scene.explanation.get("numbers", {}).get("distances", []):
        low, high = item["limit"] or (None, None)
        rows.append(
            {
                "map": GROUP_WORDS[item["group"]][0] if item["group"] else "all bands",
                "pixels": item["pixels"],
                "quantiles": item["quantiles"],
                "limit": SPARSE
                if low is None
                else f"{low:.3g}" + (f" to {high:.3g}" if high > low else ""),
                "named": item["named"],
                "limit_for_5_percent": item["limit_for_5_percent"],
            }
        )
    return rows


def _group_context(group: GroupMaps, scene: MineralsScene) -> dict:
    """What the part of a group shows: how its maps were made, their scores and their limits."""
    labels = {item.name: item.label for item in scene.classes}
    bands = group.record["bands"]
    few = bands if len(bands) <= FEW_BANDS else [bands[0], "…", bands[-1]]
    taught = group.taught or {}
    return {
        "group": group.group,
        "title": group.title,
        "sees": GROUP_WORDS[group.group][1],
        "bands": f"{len(bands)} ({', '.join(few)})" if bands else "none",
        "minerals": join_words(
            [
                f"{labels.get(item['name'], item['name']).lower()} ({item['records']})"
                for item in group.record["minerals"]
            ]
        ),
        "method": MATCH_TITLES[scene.match],
        "contrast": f"{group.record['scene_contrast']:.3f}",
        "notes": group.record["notes"],
        "scores": [
            {"map": title, **record}
            for title, record in zip(("First", "Second"), group.accuracy, strict=False)
        ],
        "assessed": _assessed(group),
        "model": MODEL_WORDS.get(taught.get("model", ""), ""),
        "surest": f"{taught['surest']:.0%}" if taught else "",
        "taught": [
            {**item, "label": labels.get(item["name"], item["name"])}
            for item in taught.get("taught", [])
        ],
        "agreement": _agreement_text(taught),
        "taught_notes": taught.get("notes", []),
    }


def _agreement_text(taught: Mapping) -> str:
    """How far the second map agrees with the first; empty where it names nothing."""
    if not taught.get("taught"):
        return ""
    return (
        f"Of {taught['compared_pixels']:,} sampled pixels that both maps name, they call "
        f"{taught['agreement']:.1%} the same (kappa {taught['agreement_kappa']:.2f}). Agreement "
        "is no accuracy: both may be wrong together."
    )


def _libraries(source: Source) -> Sequence[str]:
    """The libraries of the section, else those of the study."""
    return source.own.get("library") or source.settings.get("library") or []


def _cards(scene: MineralsScene) -> list[dict]:
    scores = scene.accuracy["scores"]
    names = {"overall_accuracy": "Overall accuracy", "kappa": "Cohen's kappa"}
    cards = [card(name, scores[key]) for key, name in (names | {"macro_f1": "Macro-F1"}).items()]
    blocks = f"{scores['n_blocks']:,} spatial blocks, scene {scene.id}"
    tested = f"{scene.accuracy['n']:,}"
    return [*cards, {"name": "Tested pixels", "text": tested, "note": blocks}]


def _clear_pixels(scene: MineralsScene) -> int:
    return sum(pixels for pixels, _ in scene.areas.values())


def _area_rows(scene: MineralsScene) -> list[dict]:
    """Areas of the classes that the map has, the largest first."""
    clear = _clear_pixels(scene)
    known = {item.code: (item.label, item.colour) for item in scene.classes}
    known[0] = ("Unclassified", UNCLASSIFIED_COLOUR)
    record = scene.accuracy
    scored = record["scores"]["classes"] if record["assessed"] else []
    precision = {item["code"]: item["precision"] for item in scored}
    rows = [
        {
            "label": known[code][0],
            "colour": known[code][1],
            "pixels": pixels,
            "area_km2": area,
            "share": pixels / clear if clear else 0.0,
            "precision": precision.get(code),
        }
        for code, (pixels, area) in scene.areas.items()
        if code in known
    ]
    return sorted(rows, key=lambda row: -row["pixels"])


def _share_rows(published: Sequence[Mapping], scene: MineralsScene) -> list[dict]:
    """The shares of pixels of a paper's classes, each beside that of this map."""
    by_name = {item.name: item for item in scene.classes}
    clear = _clear_pixels(scene)
    rows = []
    for entry in published:
        item = by_name.get(entry["name"])
        found = scene.areas.get(item.code) if item else None
        rows.append(
            {
                "label": item.label if item else entry["name"].capitalize(),
                "paper": f"{entry['share_percent']:.2f}",
                "ours": found[0] / clear if found and clear else None,
            }
        )
    return rows


def _answers(scene: MineralsScene, source: Source) -> dict[str, str]:
    """This run's side of the published set-up."""
    zones = source.own.get("zones") or {}
    record = scene.accuracy
    labels = ", ".join(item.label.lower() for item in scene.classes)
    return {
        **common_answers(scene.cube, scene.synthetic),
        "library": _libraries_used(scene) or describe_library(_libraries(source)),
        "classes": f"{len(scene.classes)}: {labels}",
        "zones": join_once(f"{name} ({', '.join(members)})" for name, members in zones.items()),
        "accuracy": _headline(scene) if record["assessed"] else record["reason"],
    }


def _libraries_used(scene: MineralsScene) -> str:
    """The libraries that the classes' spectra came from, with the number of classes of each."""
    spectra = {(row["library"], row["name"]) for row in scene.spectra}
    libraries = [library for library, _ in sorted(spectra)]
    return join_once(
        f"{'gossan’s analytic library (modelled)' if library == ANALYTIC else library}: "
        f"{libraries.count(library)} classes"
        for library in libraries
    )

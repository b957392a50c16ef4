"""What the report says of a mineral map: classes, areas, spectra and how right it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gossan.accuracy.blocks import MINIMUM_BLOCKS
from gossan.files import read_json
from gossan.legend import MapClass, read_classes
from gossan.minerals.map_tables import read_areas
from gossan.report.layout import has_intervals
from gossan.report.phrases import UNDEFINED, WANTING, card, interval, join_once
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


@dataclass(frozen=True, kw_only=True)
class MineralsScene(Scene):
    """A scene with its mineral map.

    `areas` maps class codes to (pixels, km² or None), `accuracy` is the map's record, `spectra`
    has a row per record of a class: its name, library and record. `separable` has a row per
    mineral: the number of bands, and the minerals that these cannot tell it from.
    """

    classes: Sequence[MapClass]
    areas: Mapping[int, tuple[int, float | None]]
    accuracy: Mapping
    spectra: Sequence[Mapping[str, str]] = ()
    separable: Sequence[Mapping[str, str]] = ()


def read_scene(source: Source) -> MineralsScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    accuracy = read_json(source.folder / "accuracy/minerals.json")
    return MineralsScene(
        id=source.id,
        sensor=source.sensor,
        cube=read_json(source.sensor_dir / "cube/cube.json"),
        figures=source.figures(FIGURE_TITLES),
        records=[accuracy],
        classes=read_classes(source.study_dir / "minerals/classes.csv"),
        areas=read_areas(source.folder / "areas.csv"),
        accuracy=accuracy,
        spectra=read_table(source.folder / "library/records.csv", ["name", "library", "record"]),
        separable=read_table(
            source.folder / "library/separable.csv", ["mineral", "bands", "one_with"]
        ),
    )


def make_section(scene: MineralsScene, source: Source) -> Section:
    """The section of a mineral map."""
    return Section(
        "minerals",
        scene,
        FIGURE_TITLES,
        _context(scene, source),
        summarise(scene),
        _answers(scene, source),
        scene.cube,
    )


def summarise(scene: MineralsScene) -> list[str]:
    """First sentences: what was looked for, how right the map is, and what is weak in it."""
    record = scene.accuracy
    first = (
        f"The {record['method']} looked for {len(scene.classes)} minerals and mapped "
        f"{_mapped(scene)} of them in {scene.name}."
    )
    if not record["assessed"]:
        return [
            first,
            "No accuracy can be stated, because there is no truth to compare the map with.",
        ]
    return [first, _headline(scene), describe_weakest(record)]


def describe_separable(scene: MineralsScene) -> str:
    """Which minerals the bands cannot tell apart, from their records alone."""
    if len(scene.separable) < 2:
        return ""
    labels = {item.name: item.label for item in scene.classes}
    groups: dict[frozenset[str], str] = {}
    for row in scene.separable:
        names = [row["mineral"], *filter(None, row["one_with"].split("; "))]
        if len(names) > 1:
            told = [labels.get(name, name).lower() for name in names]
            groups.setdefault(frozenset(names), f"{', '.join(told[:-1])} and {told[-1]} are one")
    bands = scene.separable[0]["bands"]
    if not groups:
        return (
            f"By their library records, these {bands} bands can tell all "
            f"{len(scene.separable)} minerals apart. Mixed ground is harder than records are."
        )
    return (
        f"With these {bands} bands {'; '.join(groups.values())}: their library records differ less "
        "than records of one mineral do, so what the map says between them means little."
    )


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
                "max_angle_rad": item.max_angle_rad,
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
            f"again with replacement {record['bootstrap']:,} times, and the interval holds the "
            "middle 95 % of the results. Blocks are drawn because neighbouring pixels are alike. "
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
        "separable_text": describe_separable(scene),
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
    }


def _libraries(source: Source) -> Sequence[str]:
    """The libraries of the section, else those of the study."""
    return source.own.get("library") or source.settings.get("library") or []


def _cards(scene: MineralsScene) -> list[dict]:
    scores = scene.accuracy["scores"]
    names = {"overall_accuracy": "Overall accuracy", "kappa": "Cohen's kappa"}
    cards = [card(name, scores[key]) for key, name in (names | {"macro_f1": "Macro-F1"}).items()]
    blocks = f"{scores['n_blocks']:,} spatial blocks, scene {scene.id}"
    number = f"{scene.accuracy['n']:,}"
    return [*cards, {"name": "Tested pixels", "text": number, "note": blocks}]


def _clear_pixels(scene: MineralsScene) -> int:
    return sum(pixels for pixels, _ in scene.areas.values())


def _area_rows(scene: MineralsScene) -> list[dict]:
    """Areas of the classes that the map has, the largest first."""
    clear = _clear_pixels(scene)
    known = {item.code: (item.label, item.colour) for item in scene.classes}
    known[0] = ("Unclassified", "#f1f0ec")
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

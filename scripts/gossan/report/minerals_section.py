"""The report of a study of classes, such as minerals: what it says of maps, areas and spectra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gossan.accuracy.scores import MINIMUM_BLOCKS
from gossan.legend import MapClass
from gossan.report.page import (
    UNPUBLISHED,
    common_answers,
    day_of,
    has_intervals,
    reference_text,
    render_page,
)
from gossan.report.patches_section import (
    NETWORK_FIGURES,
    Networks,
    network_answers,
    network_context,
    summarise_networks,
    without_networks,
)

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

ANALYTIC = "analytic"
"""Name of the modelled library in a scene's table of the spectra used."""

WEAK_PRECISION = 0.5


@dataclass(frozen=True)
class Scene:
    """What the report shows of one scene.

    `cube` is the record of preprocessing, `figures` maps the names of FIGURE_TITLES, and of
    NETWORK_FIGURES where there are networks, to PNG files, `areas` maps class codes to (pixels,
    km² or None), `accuracy` is the scene's record, `records` has a row per class: its name, and
    the library and record of its spectrum. `networks` are those trained on the map's patches.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]
    areas: Mapping[int, tuple[int, float | None]]
    accuracy: Mapping
    records: Sequence[Mapping[str, str]] = ()
    networks: Networks | None = None

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated."""
        return (
            bool(self.cube.get("synthetic"))
            or bool(self.accuracy["synthetic"])
            or (self.networks is not None and self.networks.synthetic)
        )


def render_report(
    template: str,
    base: str,
    style: str,
    *,
    study: str,
    scenes: Sequence[Scene],
    classes: Sequence[MapClass],
    config: Mapping,
    published: Mapping,
    residuals: Sequence[Mapping[str, str]] = (),
    files: Sequence[tuple[str, str]] = (),
) -> str:
    """The study's report as one self-contained HTML page.

    `residuals` are rows of the analytic library's residuals (shown for the classes that took
    their spectrum from it); the rest is that of report.render_page.
    """
    # "Beside the paper" links to figures of the first scene.
    shown = {**FIGURE_TITLES, **NETWORK_FIGURES} if scenes[0].networks else FIGURE_TITLES
    return render_page(
        template,
        base,
        style,
        study=study,
        scenes=scenes,
        contexts=[_scene_context(scene, classes, published) for scene in scenes],
        published=published if scenes[0].networks else without_networks(published),
        summary=summarise(scenes, classes),
        answers=_answers(study, scenes, classes, config),
        figure_titles=shown,
        config=config,
        files=files,
        share_rows=_share_rows({**UNPUBLISHED, **published}["areas"], scenes, classes),
        library_text=describe_library(config),
        class_rows=_class_rows(classes, scenes, residuals),
        area_text=area_text,
    )


def summarise(scenes: Sequence[Scene], classes: Sequence[MapClass]) -> list[str]:
    """The page's first sentences: what was looked for, how right the map is, what is weak in it,
    and how far to trust the numbers."""
    methods = " and ".join(dict.fromkeys(scene.accuracy["method"] for scene in scenes))
    first = f"The {methods} looked for {len(classes)} minerals and mapped " + "; ".join(
        f"{_mapped(scene, classes)} of them in scene {scene.id} "
        f"({scene.cube.get('sensor', 'unknown sensor')}, "
        f"{day_of(scene.cube)}{', SYNTHETIC' if scene.synthetic else ''})"
        for scene in scenes
    )
    assessed = [scene for scene in scenes if scene.accuracy["assessed"]]
    if not assessed:
        return [
            f"{first}.",
            "No accuracy can be stated, because there is no reference to compare the map with.",
            *_network_sentences(scenes),
            _trust(scenes, assessed),
        ]
    return [
        f"{first}.",
        " ".join(_headline(scene) for scene in assessed),
        " ".join(describe_weakest(scene.accuracy) for scene in assessed),
        *_network_sentences(scenes),
        _trust(scenes, assessed),
    ]


def _network_sentences(scenes: Sequence[Scene]) -> list[str]:
    told = [summarise_networks(scene.id, scene.networks) for scene in scenes if scene.networks]
    return [sentence for sentence in told if sentence]


def _mapped(scene: Scene, classes: Sequence[MapClass]) -> int:
    """How many of the classes have a pixel."""
    return sum(scene.areas.get(item.code, (0, None))[0] > 0 for item in classes)


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


def area_text(area_km2: float | None) -> str:
    """An area in square kilometres to two decimals; a dash where it is not known."""
    if area_km2 is None:
        return "–"
    return "< 0.01" if 0 < area_km2 < 0.005 else f"{area_km2:,.2f}"


def _headline(scene: Scene) -> str:
    record = scene.accuracy
    value = record["scores"]["overall_accuracy"]
    interval = (
        f"95 % interval {value['low']:.1%} to {value['high']:.1%}"
        if value["low"] is not None
        else f"no interval, for want of {MINIMUM_BLOCKS} blocks"
    )
    kind = "SYNTHETIC " if scene.synthetic else ""
    return (
        f"In {scene.id}, {value['value']:.1%} of n = {record['n']:,} {kind}test pixels carry "
        f"the class of {reference_text(record)} (overall accuracy; {interval})."
    )


def _trust(scenes: Sequence[Scene], assessed: Sequence[Scene]) -> str:
    synthetic = [scene for scene in scenes if scene.synthetic]
    if len(synthetic) == len(scenes):
        return (
            "The data are SYNTHETIC: the numbers show how the method does on simulated ground "
            "and say nothing about any real place."
        )
    if synthetic:
        return (
            "Scenes marked SYNTHETIC show how the method does on simulated ground; what they "
            "show does not carry over to the real ones."
        )
    if not assessed:
        return (
            "Read the map as a list of places whose spectrum resembles a mineral's, to be checked "
            "on the ground, not as a list of what is there."
        )
    return "The numbers hold for this scene and this reference, not for other ground or dates."


def describe_library(config: Mapping) -> str:
    """Where the reference spectra come from, in words."""
    sources = config.get("library", {}).get("sources", [])
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


def _class_rows(
    classes: Sequence[MapClass],
    scenes: Sequence[Scene],
    residuals: Sequence[Mapping[str, str]],
) -> list[dict]:
    """Class, threshold, and the spectrum used; residuals only where the spectrum is modelled."""
    fits = {row["name"]: row for row in residuals}
    rows = []
    for item in classes:
        used: dict[tuple[str, str], list[str]] = {}
        for scene in scenes:
            for row in scene.records:
                if row["name"] == item.name:
                    used.setdefault((row["library"], row["record"]), []).append(scene.id)
        for (library, record), where in (used or {("", ""): []}).items():
            fit = fits.get(item.name, {}) if library == ANALYTIC else {}
            rows.append(
                {
                    "label": item.label,
                    "colour": item.colour,
                    "max_angle_rad": item.max_angle_rad,
                    "library": "analytic (modelled)" if library == ANALYTIC else library or "–",
                    "record": fit.get("record") or record or "not recorded",
                    "where": f" in {', '.join(where)}" if len(used) > 1 else "",
                    "rms": fit.get("rms") or "–",
                    "angle_rad": fit.get("angle_rad") or "–",
                }
            )
    return rows


def reading_notes(record: Mapping) -> list[str]:
    """How the numbers of an assessed map are to be read: what applies to it, in plain words."""
    notes = [
        "Precision (user's accuracy): of the tested pixels mapped as a class, the share that is "
        "that class in the reference. Recall (producer's accuracy): of the class's pixels in the "
        "reference, the share that the map found. F1: the harmonic mean of the two.",
        "Overall accuracy: the share of tested pixels whose class is right. Kappa: how much "
        "better that is than chance would do (0 = no better, 1 = all right). Macro-F1: the plain "
        "mean of F1 over the classes that the reference holds, large or small; a class that the "
        "map never shows counts as 0.",
        "Where the reference shows something that the study does not look for, it counts as "
        "other, and the map is right when it leaves the pixel unclassified. The row for "
        "reference pixels of the study's classes leaves such ground out; a pixel in it that the "
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


def _scene_context(scene: Scene, classes: Sequence[MapClass], published: Mapping) -> dict:
    clear = sum(pixels for pixels, _ in scene.areas.values())
    known = {item.code: (item.label, item.colour) for item in classes}
    known[0] = ("Unclassified", "#f1f0ec")
    record = scene.accuracy
    assessed = record["assessed"]
    precision = {
        item["code"]: item["precision"]
        for item in (record["scores"]["classes"] if assessed else [])
    }
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
    return {
        "areas": sorted(rows, key=lambda row: -row["pixels"]),
        "clear_pixels": clear,
        "accuracy": record,
        "reference_text": reference_text(record) if assessed else "",
        "intervals": has_intervals(record),
        "reading_notes": reading_notes(record) if assessed else [],
        "networks": network_context(
            scene.networks, published, {item.name: item.label for item in classes}
        )
        if scene.networks
        else None,
    }


def _share_rows(
    published: Sequence[Mapping], scenes: Sequence[Scene], classes: Sequence[MapClass]
) -> list[dict]:
    by_name = {item.name: item for item in classes}
    rows = []
    for entry in published:
        item = by_name.get(entry["name"])
        ours = []
        for scene in scenes:
            clear = sum(pixels for pixels, _ in scene.areas.values())
            found = scene.areas.get(item.code) if item else None
            ours.append(found[0] / clear if found and clear else None)
        rows.append(
            {
                "label": item.label if item else entry["name"].capitalize(),
                "paper": f"{entry['share_percent']:.2f}",
                "ours": ours,
            }
        )
    return rows


def _answers(
    study: str, scenes: Sequence[Scene], classes: Sequence[MapClass], config: Mapping
) -> dict[str, str]:
    """This run's side of the published set-up."""
    zones = config.get("studies", {}).get(study, {}).get("zones", {})
    scores = [
        _headline(scene) if scene.accuracy["assessed"] else scene.accuracy["reason"]
        for scene in scenes
    ]
    return {
        **common_answers(scenes),
        **network_answers([scene.networks for scene in scenes if scene.networks]),
        "library": _libraries_used(scenes) or describe_library(config),
        "classes": f"{len(classes)}: {', '.join(item.label.lower() for item in classes)}",
        "zones": "; ".join(f"{name} ({', '.join(members)})" for name, members in zones.items()),
        "accuracy": "; ".join(dict.fromkeys(scores)),
    }


def _libraries_used(scenes: Sequence[Scene]) -> str:
    """The libraries that the classes' spectra came from, with the number of classes of each."""
    spectra = {(row["library"], row["name"]) for scene in scenes for row in scene.records}
    libraries = [library for library, _ in sorted(spectra)]
    return "; ".join(
        f"{'gossan’s analytic library (modelled)' if library == ANALYTIC else library}: "
        f"{libraries.count(library)} classes"
        for library in dict.fromkeys(libraries)
    )

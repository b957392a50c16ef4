"""A scene's page for the one who ordered the map: the map, what was found, and how far to trust it.

It shows what the list of layers and what lies beside it tell, in plain words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape

from gossan.accuracy.doubts import describe_doubts
from gossan.accuracy.record import WITHOUT_TRUTH, list_records
from gossan.desk.layers import SceneLayer, SceneLayers
from gossan.desk.scene_map import shown_maps
from gossan.files import read_json
from gossan.legend import NODATA, UNCLASSIFIED, UNCLASSIFIED_COLOUR, read_class_style
from gossan.raster import iter_blocks, read_info
from gossan.report.layout import SENSOR_NAMES, mark_text, relative_link, render
from gossan.report.phrases import area_text, in_text, join_words
from gossan.tables import read_table

SUMMARY = "summary.json"
MOST_TARGETS = 15
"""Rows of the table of targets; the others are in the CSV."""
MOST_CLASSES = 8
"""Classes of the legend; the others are in the interactive map."""
MOST_TOLD = 3
"""Classes that one sentence names."""
MOST_ADVICE = 6
MOST_OF_GROUND = 0.5
"""Share of the clear ground beyond which targets set nothing apart."""
MUCH_MASKED = 0.2
"""Share of the ground under masks from which another scene would show more."""
UNKNOWN_GROUND = "Nothing is known of this ground, so no accuracy can be stated."
TESTS = ("as mapped", "chosen, blocked split", "Alteration score", "high confidence")
"""Words of the record that tells of the main map where its method has several, the best first."""
BROAD = ("landsat", "sentinel2")
TERMS = {
    "unclassified": "like none of what was looked for",
    "spectral angles?": "how unlike the colours of a pixel and a mineral are; 0 is the same",
    "95 % interval": "in 95 of 100 such tests it holds the true value",
    "hyperspectral": "with a hundred and more narrow colours, seen and infrared",
    "alteration": "rock changed by hot water, often near ore",
    "advanced argillic": "rock turned to alunite and clay by acid",
    "phyllic": "rock turned to white mica, quartz and pyrite",
    "argillic": "rock turned to clay",
    "propylitic": "rock turned to chlorite, epidote and calcite",
    "potassic": "rock with new feldspar and dark mica",
    "favourability": "how well the ground fits, from 0 to 1",
    "potential": "how well the ground fits what is looked for",
    "anomal(?:y|ies)": "pixels far from what is usual in the scene",
    "true colour": "as the eye sees it",
    "QGIS": "a free program for maps",
    "KML": "for Google Earth",
    "GPX": "for a GPS receiver",
    "CSV": "a table",
    "truth": "what is known of the ground",
    "reflectance": "the share of light that the ground throws back",
    "threshold": "the limit from which a pixel counts as alike",
    "thresholds": "the limits from which a pixel counts as alike",
}
"""Terms of the trade, as patterns, with what they mean in plain words."""
TARGET_COLUMNS = (
    ("id", "Target", ""),
    ("area_ha", "Area, ha", ",.1f"),
    ("mean_score", "Score, mean", ".2f"),
    ("max_score", "Score, highest", ".2f"),
    ("dominant", "Mostly", ""),
    ("methods_in_favour", "Methods in favour", ""),
    ("latitude", "Latitude, °", ".5f"),
    ("longitude", "Longitude, °", ".5f"),
    ("nearest_known", "Nearest known site", ""),
    ("nearest_known_m", "Away, m", ",.0f"),
    ("known", "Known already", ""),
)
"""Columns of targets.csv that the page shows, with their heads, and the form of numbers."""
OPENINGS = (
    ("map.html", "Interactive map", "all maps, zoom, value under the pointer; needs no network"),
    ("{scene}.qgs", "QGIS project", "all layers with their colours, by a double click"),
    ("sheet.pdf", "Map sheet", "one page to print"),
    ("targets/targets.kml", "Targets, KML", ""),
    ("targets/targets.gpx", "GPX", ""),
    ("targets/targets.csv", "CSV", ""),
    ("targets/targets.gpkg", "GeoPackage", "for any map program"),
)
"""Files beside the page that it links where they are there, with title and use."""


@dataclass(frozen=True)
class ClassArea:
    """A class of the main map: `area_km2` is None where pixels have no size in metres, `share` is
    of the clear pixels."""

    label: str
    colour: str
    area_km2: float | None
    share: float

    @property
    def size(self) -> str:
        """Its area, else its share, in words."""
        if self.area_km2 is None:
            return f"{self.share:.1%}"
        return f"{area_text(self.area_km2)} km²"


@dataclass(frozen=True)
class MapAreas:
    """What a class map shows: classes from the largest down; shares of its clear pixels."""

    classes: Sequence[ClassArea]
    unclassified: float
    masked: float


def read_scene_records(places: Sequence[tuple[str, str, str]]) -> list[dict]:
    """Accuracy records of a scene's maps, each with the `section` of the study and the `sensor`.

    `places` are section, sensor, and the path of a record or of a folder of such.
    """
    return [
        {"section": section, "sensor": sensor, **read_json(path)}
        for section, sensor, place in places
        for path in list_records([Path(place)])
    ]


def measure_classes(layer: SceneLayer) -> MapAreas:
    """Areas of the classes of a layer's first band; the masked share is of all pixels."""
    info = read_info(layer.path)
    counts = np.zeros(256, dtype=np.int64)
    for _, found in iter_blocks(_count_codes, [layer.path], scaled=False):
        counts += found
    clear = int(counts.sum() - counts[NODATA])
    pixel_km2 = info.grid.pixel_area_m2 and info.grid.pixel_area_m2 / 1e6
    classes = [
        ClassArea(
            item.label,
            item.colour,
            None if pixel_km2 is None else float(counts[item.code]) * pixel_km2,
            counts[item.code] / clear,
        )
        for item in read_class_style(layer.path)
        if counts[item.code]
    ]
    classes.sort(key=lambda item: -item.share)
    return MapAreas(
        classes,
        float(counts[UNCLASSIFIED] / clear) if clear else 0.0,
        float(counts[NODATA] / counts.sum()),
    )


def _count_codes(block: np.ndarray) -> np.ndarray:
    return np.bincount(block[0].astype(np.uint8).ravel(), minlength=256)


def tell_found(
    main: SceneLayer | None,
    areas: MapAreas | None,
    targets: Sequence[Mapping[str, str]] | None,
    note: str = "",
    doubt: str = "",
) -> str:
    """One or two sentences: targets with the best of them, and the areas of the largest classes.

    `targets` are rows of targets.csv, None where no targets were asked for; `note` is what their
    record says where there is none. With a `doubt` in the map nobody is told to walk to them.
    """
    parts = []
    wide = _tell_wide(targets or (), areas)
    new = [row for row in targets or () if not row.get("known")]
    if new:
        best = new[0]
        area = f"{float(best['area_ha']):,.1f} ha, " if best.get("area_ha") else ""
        kind = f"mostly {best['dominant']}, " if best.get("dominant") else ""
        known = len(targets) - len(new)
        use = "" if wide or doubt else " to walk to"
        parts.append(
            f"{len(new)} target{'s' * (len(new) > 1)}{use}; the best, {best.get('id') or 1} "
            f"({area}{kind}mean score {float(best['mean_score']):.2f} of 1), lies at "
            f"{_degrees(best)}."
            + (f" {known} more {'are' if known > 1 else 'is'} known ground." if known else "")
        )
    elif targets:
        parts.append(f"What stands out is known ground ({len(targets)} in the table), nothing new.")
    elif targets is not None:
        parts.append(note or "No ground stands out enough to be a target.")
    parts += wide
    if main is None:
        parts.append("No map was made of this scene.")
    elif areas is None:
        parts.append(f"The map shows {in_text(main.title)}; lighter is more.")
    elif not areas.classes:
        parts.append("The map names nothing: all clear ground is like none of what was looked for.")
    else:
        told = [f"{item.label} {item.size}" for item in areas.classes[:MOST_TOLD]]
        rest = len(areas.classes) - len(told)
        parts.append(
            f"Mapped: {join_words(told)}"
            + (f", and {rest} more" if rest else "")
            + (
                f"; {_share(areas.unclassified)} of the clear ground is like none of them."
                if areas.unclassified
                else "."
            )
        )
    return " ".join(parts)


def _tell_wide(targets: Sequence[Mapping[str, str]], areas: MapAreas | None) -> list[str]:
    """What to say of targets that set nothing apart, as they have most of the clear ground."""
    if areas is None or not areas.classes or not areas.classes[0].area_km2:
        return []
    largest = areas.classes[0]
    share = sum(float(row.get("area_ha") or 0) for row in targets) / 100
    share = min(1.0, share * largest.share / largest.area_km2)
    if share <= MOST_OF_GROUND:
        return []
    who, what = (
        ("It covers", "it sets") if len(targets) == 1 else ("Together they cover", "they set")
    )
    return [
        f"{who} {_share(share)} of the clear ground, so {what} nothing apart: name fewer minerals, "
        "or rarer ones, under targets.minerals."
    ]


def _share(share: float) -> str:
    """A share; what is not all does not read as all, nor what is some as nothing."""
    text = f"{share:.1%}"
    return {"100.0%": "more than 99.9%", "0.0%": "less than 0.1%"}.get(text, text)


def _degrees(row: Mapping[str, str]) -> str:
    latitude, longitude = float(row["latitude"]), float(row["longitude"])
    return (
        f"{abs(latitude):.5f}° {'N' if latitude >= 0 else 'S'}, "
        f"{abs(longitude):.5f}° {'E' if longitude >= 0 else 'W'}"
    )


def choose_record(main: SceneLayer | None, records: Sequence[Mapping]) -> Mapping | None:
    """The accuracy record that tells of the main map; None where none of its method does.

    Each record has `section` and `sensor` beside its own parts. Of several that were assessed it
    is the first of TESTS, else the first of all.
    """
    if main is None:
        return None
    own = [
        item
        for item in records
        if item["section"] == main.method and item["sensor"] in (main.sensor, "stack")
    ]
    assessed = [item for item in own if item["assessed"]]
    # A map of one zone is told by the tests of that zone.
    zone = main.path.stem
    assessed = [
        item for item in assessed if item["confusion_matrix"]["labels"][-1].get("name") == zone
    ] or assessed
    for words in TESTS:
        for record in assessed:
            if words in record["method"]:
                return record
    return next(iter([*assessed, *own]), None)


def tell_trust(record: Mapping | None, synthetic: bool, teacher: str = "") -> str:
    """One sentence with one number and its interval, or why there is none.

    Of scenes that are joined the record is that of their `teacher` alone, which is said first.
    Of a map of several classes the number is the share of the tested pixels of the study's classes
    that the map names rightly; of one class, the share of what the map calls it that truly is.
    """
    if record is None:
        return "No accuracy can be stated: nothing was held against this map."
    if not record["assessed"]:
        reason = record["reason"]
        return UNKNOWN_GROUND if reason == WITHOUT_TRUTH else f"No accuracy is known: {reason}"
    whole, study = record["scores"], record["scores_study_classes"]
    if len(record["confusion_matrix"]["labels"]) == 2:
        one = whole["classes"][-1]
        value, n = one["precision"], one["n_map"]
        what = f"what the map calls {in_text(one['label'])} is right at"
        if value["value"] is None:
            return "No tested place was on ground that the map names, so no accuracy is known."
    else:
        scores = study if study and study["n"] else whole
        value, n = scores["overall_accuracy"], scores["n"]
        what = (
            "where the ground is known to hold one of the minerals or classes, the map names the "
            "right one at"
            if scores is study
            else "the map is right at"
        )
        # A forest is tested at points of its own, which need not be of the map that shows.
        if record["method"].startswith("Forest"):
            what = "the forest behind the map names the right class of ground at"
    ends = (
        "no interval, the tested ground is too small for one"
        if value["low"] is None
        else f"95 % interval {100 * value['low']:.0f} to {100 * value['high']:.0f} %"
    )
    tail = "; simulated ground says nothing of a real place" if synthetic else ""
    sentence = f"{what} {100 * value['value']:.0f} % of {n:,} tested pixels ({ends}){tail}."
    if teacher:
        return f"Tested on {teacher} alone, the scene that taught: {sentence}"
    return sentence[:1].upper() + sentence[1:]


def false_alarms(record: Mapping | None) -> tuple[int, int] | None:
    """Tested pixels that a map names, and how many of them are of another class in the truth."""
    if record is None or not record["assessed"]:
        return None
    counts = np.asarray(record["confusion_matrix"]["counts"])
    named = int(counts[:, 1:].sum())
    return (named, named - int(np.trace(counts[1:, 1:]))) if named else None


def read_explanations(layers: SceneLayers) -> list[dict]:
    """What the maps' own explanations say, that of the main map first; [] without any."""
    folders = {item.path.parent for item in layers.of("maps")}
    folders |= {folder.parent for folder in folders}
    paths = [folder / "explanation.json" for folder in {*folders, layers.folder}]
    main = layers.main_map()
    first = main.path.parent if main else None
    found = sorted(
        (path for path in paths if path.is_file()), key=lambda path: (path.parent != first, path)
    )
    return [dict(read_json(path)) for path in found]


def gravest_doubt(
    main: SceneLayer | None, areas: MapAreas | None, explanations: Sequence[Mapping]
) -> str:
    """The first of what makes the main map worth little; "" without such signs."""
    return next(iter(_find_doubts(main, areas, explanations)), "")


def _find_doubts(
    main: SceneLayer | None, areas: MapAreas | None, explanations: Sequence[Mapping]
) -> list[str]:
    # Of levels, such as those of potential, one that has most of the ground is no doubt.
    if main is None or areas is None or main.method not in ("minerals", "embedding"):
        return []
    for item in explanations:
        if (item.get("method"), item.get("sensor")) in (
            (main.method, main.sensor),
            (main.method, ""),
        ):
            return list(item.get("doubts", ()))
    shares = {item.label: item.share for item in areas.classes}
    return describe_doubts("The map", shares, areas.unclassified)


def tell_better(
    layers: SceneLayers,
    areas: MapAreas | None,
    record: Mapping | None,
    targets: Sequence[Mapping[str, str]] | None,
    explanations: Sequence[Mapping],
) -> tuple[list[str], list[str]]:
    """What is weak in the map, and what would make it better, in sentences."""
    main = layers.main_map()
    weak = [text for item in explanations for text in item.get("sentences", ())]
    advice = [text for item in explanations for text in item.get("advice", ())]
    weak += _find_doubts(main, areas, explanations)
    alarms = false_alarms(record)
    if alarms is not None:
        named, wrong = alarms
        weak.append(
            f"Of {named:,} tested pixels that the map names, {wrong:,} are something else "
            f"({wrong / named:.0%})."
        )
    masked = areas.masked if areas is not None else 0.0
    # Explanations count what masks took of the ground looked at, without what lies outside of it.
    grounds = [item.get("numbers", {}).get("ground", {}) for item in explanations]
    told = [ground["masked"] for ground in grounds if ground.get("masked") is not None]
    if masked > MUCH_MASKED and not told:
        weak.append(
            f"{_share(masked)} of the picture is masked (cloud, shadow, snow, water, or "
            "outside of the scene)."
        )
    if max(told, default=masked) > MUCH_MASKED:
        advice.append("A scene of another day, with less cloud, would show what is masked here.")
    if record is None or not record["assessed"]:
        advice.append(
            "Tell what you know: places with their mineral or zone, as points or polygons, in the "
            "column truth of the table of scenes. Then this page says how often the map is right."
        )
    sensors = {item.sensor for item in layers.of("scene") if item.sensor}
    if main is not None and main.method == "minerals" and sensors and sensors <= {*BROAD}:
        advice.append(
            "These few broad bands tell groups of minerals apart, not each mineral. A "
            "hyperspectral scene (EnMAP, EMIT, PRISMA) of the same ground would; ASTER, in part."
        )
    if layers.joined:
        advice.append(
            "Look at the page of the whole ground, too (mosaic, beside the study's report): this "
            "scene is a part of it, and targets, if the study has any, are ranked over all of it."
        )
    elif targets is None:
        advice.append(
            "Add a section targets to the study (targets: {}) to have the best ground ranked."
        )
    elif not targets:
        advice.append(
            "To see what comes nearest to a target, lower targets.level, targets.medium or "
            "targets.min_area_ha, or name under targets.minerals what you look for."
        )
    return list(dict.fromkeys(weak))[:MOST_ADVICE], list(dict.fromkeys(advice))[:MOST_ADVICE]


def read_target_rows(layers: SceneLayers) -> list[dict[str, str]] | None:
    """Rows of the scene's targets.csv; None where there is no such file."""
    path = layers.folder / "targets/targets.csv"
    if not path.is_file():
        return None
    return read_table(path, ["rank", "longitude", "latitude", "mean_score"])


def read_target_note(layers: SceneLayers) -> str:
    """What the record of the scene's targets says; "" where there is none."""
    path = layers.folder / "targets/targets.json"
    return str(read_json(path).get("note") or "") if path.is_file() else ""


def list_openings(layers: SceneLayers, page: Path) -> list[dict[str, str]]:
    """Files of OPENINGS that are there: link from the page, title, use."""
    return [
        {"href": relative_link(path, page), "title": title, "use": use}
        for name, title, use in OPENINGS
        for path in [layers.folder / name.format(scene=layers.scene)]
        if path.is_file() and path.stat().st_size
    ]


def name_sensors(layers: SceneLayers) -> str:
    """The sensors of a scene's cubes, in words."""
    sensors = [item.sensor for item in layers.of("scene") if item.method == "cube"]
    names = dict.fromkeys(SENSOR_NAMES.get(name, name) for name in sensors if name != "stack")
    return join_words(list(names))


def make_plain(terms: Mapping[str, str] = TERMS) -> Callable[[str], Markup]:
    """A function that marks terms in texts, and explains each where it is first used.

    Texts must come in the order in which they are read.
    """
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(f'({term})' for term in terms)})(?!\w)", re.I)
    meanings = list(terms.values())
    told: set[int] = set()

    def plain(text: str) -> Markup:
        parts, end = [], 0
        for found in pattern.finditer(str(text)):
            meaning = meanings[found.lastindex - 1]
            parts += [escape(text[end : found.start()]), _term(found[0], meaning)]
            end = found.end()
            # What stands in brackets already is not interrupted by another pair.
            if found.lastindex not in told:
                told.add(found.lastindex)
                inside = text[:end].count("(") > text[:end].count(")")
                parts.append(escape(f", {meaning}" if inside else f" ({meaning})"))
                if inside and text[end : end + 1] not in (")", ",", ";"):
                    parts.append(Markup(":"))
        return Markup("").join([*parts, escape(text[end:])])

    return plain


def _term(word: str, meaning: str) -> Markup:
    return Markup('<abbr title="{}">{}</abbr>').format(meaning, word)


def describe_target(row: Mapping[str, str]) -> list[tuple[str, bool]]:
    """The cells of a target's row: text, and whether it is a number."""
    cells = []
    for name, _, form in TARGET_COLUMNS:
        text = row.get(name) or (row["rank"] if name == "id" else "")
        number = bool(form and text)
        cells.append((f"{float(text):{form}}" if number else str(text) or "–", number))
    return cells


def describe_layer(layer: SceneLayer) -> str:
    """One line on a map: its sensor, and what it shows."""
    note = re.split(r" \(|, with (?:styles|band)", layer.note or "")[0]
    sensor = SENSOR_NAMES.get(layer.sensor, layer.sensor)
    return ": ".join(filter(None, [sensor, note]))


def summarise_scene(layers: SceneLayers, found: str, trust: str, doubt: str) -> dict:
    """What the index says of a scene; `doubt` is "" where nothing speaks against its map."""
    return {
        "scene": layers.scene,
        "study": layers.study,
        "synthetic": layers.synthetic,
        "sensors": name_sensors(layers),
        "found": found,
        "trust": trust,
        "doubt": doubt,
    }


def render_scene(
    template: str,
    style: str,
    layers: SceneLayers,
    records: Sequence[Mapping],
    *,
    page: Path,
    report: Path,
    index: Path,
) -> tuple[str, dict]:
    """A scene's page as HTML, and what the index says of it (`summarise_scene`).

    `records` are as of `choose_record`; `page` is where the page will lie, `report` and `index`
    the study's report and the index of all, which it links. Pictures lie beside the page.
    """
    main = layers.main_map()
    areas = measure_classes(main) if main and main.kind in ("classes", "flags") else None
    targets = read_target_rows(layers)
    record = choose_record(main, records)
    explanations = read_explanations(layers)
    weak, advice = tell_better(layers, areas, record, targets, explanations)
    doubt = gravest_doubt(main, areas, explanations)
    found = tell_found(main, areas, targets, read_target_note(layers), doubt)
    teacher = next((str(item["teacher"]) for item in explanations if "teacher" in item), "")
    trust = tell_trust(record, layers.synthetic, teacher)
    html = render(
        {"scene.html.j2": template},
        "scene.html.j2",
        style=Markup(style),
        scene=layers.scene,
        study=layers.study,
        synthetic=layers.synthetic,
        sensors=name_sensors(layers),
        title=main.title if main else "The scene",
        note=describe_layer(main) if main else "",
        found=found,
        trust=trust,
        doubt=doubt,
        areas=areas,
        most_classes=MOST_CLASSES,
        unclassified_colour="" if layers.ground_of(main) else UNCLASSIFIED_COLOUR,
        ramp=main is not None and main.kind == "ramp",
        openings=list_openings(layers, page),
        report=relative_link(report, page),
        accuracy=relative_link(report.with_suffix("") / "accuracy.html", page),
        index=relative_link(index, page),
        maps=[
            {"key": item.key, "title": item.title, "line": describe_layer(item)}
            for item in shown_maps(layers)
        ],
        columns=[head for _, head, _ in TARGET_COLUMNS],
        targets=[describe_target(row) for row in (targets or ())[:MOST_TARGETS]],
        known=any(row.get("known") for row in targets or ()),
        more_targets=max(0, len(targets or ()) - MOST_TARGETS),
        weak=[text for text in weak if text != doubt],
        advice=advice,
        plain=make_plain(),
        mark_text=mark_text,
    )
    return html, summarise_scene(layers, found, trust, doubt)

"""The study's report and the index of all reports: what they say, and their pages."""

import base64
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from gossan.accuracy import MINIMUM_BLOCKS
from gossan.errors import InputError
from gossan.legend import MapClass

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

BANNER = (
    "Scenes marked SYNTHETIC were simulated: their ground, image and reference are computed. "
    "Nothing about them describes a real place."
)

PACKAGES = (
    "geopandas",
    "jinja2",
    "jsonschema",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyogrio",
    "pyrsr",
    "pystac",
    "pyyaml",
    "rasterio",
    "scipy",
    "snakemake",
)

FILE_NOTES = {
    "cube.tif": "reflectance, masked, with band wavelengths",
    "cube.json": "how the reflectance was made",
    "references.csv": "library spectra on the sensor's bands",
    "records.csv": "which spectrum of which library each class used",
    "classes.csv": "classes with codes, colours and thresholds",
    "class.tif": "class map (0 = unclassified, 255 = no data), with styles beside it",
    "angle.tif": "spectral angle to the best reference, radians",
    "margin.tif": "margin to the second best, radians",
    "item.json": "STAC item of the maps",
    "areas.csv": "class areas",
    "signatures.csv": "mean spectra of the classes",
    "pixels.gpkg": "coordinates and angles of the pixels of each class",
    "sam.json": "accuracy record of the map",
    "accuracy.json": "accuracy records of the study, checked against their schema",
    "truth.tif": "simulated ground truth",
    "product.tar": "simulated product in the sensor's native layout",
}

FACT_NAMES = {
    "product_id": "Product",
    "spacecraft": "Spacecraft",
    "sensor": "Sensor",
    "collection": "Collection",
    "level": "Level",
    "acquired": "Acquired",
    "sun_elevation_deg": "Sun elevation (°)",
    "synthetic": "Synthetic",
    "atmosphere": "Atmospheric correction",
    "normalisation": "Normalisation",
    "pixels": "Pixels",
    "notes": "Notes",
}

CORRECTION_NAMES = {
    "dark_object": "Dark object, reflectance",
    "path_reflectance": "Path reflectance taken off",
    "path_held_by_shorter_bands": "Path held down by a shorter band",
    "transmittance": "Transmittance",
    "dark_object_rule": "Dark object of a band",
    "dark_object_surface_reflectance": "Surface reflectance of the dark object",
}

ANALYTIC = "analytic"
"""Name of the modelled library in a scene's table of the spectra used."""

WEAK_PRECISION = 0.5

UNPUBLISHED = {
    "title": "Mineral map",
    "citation": "",
    "origin": "",
    "ground": "",
    "summary": "",
    "setup": [],
    "areas": [],
    "areas_note": "",
    "tables": [],
    "figures": [],
    "figures_note": "",
    "deviations": [],
}


@dataclass(frozen=True)
class Scene:
    """What the report shows of one scene.

    `cube` is the record of preprocessing, `figures` maps the names of FIGURE_TITLES to PNG
    files, `areas` maps class codes to (pixels, km² or None), `accuracy` is the scene's record,
    `records` has a row per class: its name, and the library and record of its spectrum.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]
    areas: Mapping[int, tuple[int, float | None]]
    accuracy: Mapping
    records: Sequence[Mapping[str, str]] = ()

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated."""
        return bool(self.cube.get("synthetic")) or bool(self.accuracy["synthetic"])


def render_report(
    template: str,
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

    `template` and `style` are the texts of the page's template and style sheet, `published`
    the study's entry of published.json ({} where there is none), `residuals` rows of the
    analytic library's residuals (shown for the classes that took their spectrum from it),
    `files` paths to list and the ways to them from the page. The page depends on nothing but
    these and the installed versions: it carries no date.
    """
    paper = {**UNPUBLISHED, **published}
    return (
        _environment()
        .from_string(template)
        .render(
            style=Markup(style),
            study=study,
            published=paper,
            banner=BANNER,
            any_synthetic=any(scene.synthetic for scene in scenes),
            summary=summarise(scenes, classes),
            scenes=[_scene_context(scene, classes) for scene in scenes],
            setup=[
                {**row, "ours": _ours(row["ours"], study, scenes, classes, config)}
                for row in paper["setup"]
            ],
            comparable=compare_ground(scenes, paper["ground"]),
            share_rows=_share_rows(paper["areas"], scenes, classes),
            figure_titles=FIGURE_TITLES,
            library_text=describe_library(config),
            class_rows=_class_rows(classes, scenes, residuals),
            config_yaml=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
            versions=installed_versions(),
            files=[{"path": path, "href": href, "what": _file_note(path)} for path, href in files],
            mark_text=_mark_text,
            area_text=area_text,
        )
    )


def render_index(template: str, style: str, studies: Sequence[Mapping]) -> str:
    """The page that links the studies' reports.

    Each study has `name`, `href` (relative to the page), `title`, `citation` and `records`
    (accuracy records).
    """
    shown = [
        {
            **study,
            "synthetic": all(record["synthetic"] for record in study["records"]),
            "intervals": any(has_intervals(record) for record in study["records"]),
        }
        for study in studies
    ]
    return (
        _environment()
        .from_string(template)
        .render(
            style=Markup(style),
            banner=BANNER,
            studies=shown,
            any_synthetic=any(
                record["synthetic"] for item in studies for record in item["records"]
            ),
            mark_text=_mark_text,
        )
    )


def summarise(scenes: Sequence[Scene], classes: Sequence[MapClass]) -> list[str]:
    """The page's first sentences: what was looked for, how right the map is, what is weak in it,
    and how far to trust the numbers."""
    methods = " and ".join(dict.fromkeys(scene.accuracy["method"] for scene in scenes))
    first = f"The {methods} looked for {len(classes)} minerals and mapped " + "; ".join(
        f"{_mapped(scene, classes)} of them in scene {scene.id} "
        f"({scene.cube.get('sensor', 'unknown sensor')}, "
        f"{_day(scene.cube.get('acquired'))}{', SYNTHETIC' if scene.synthetic else ''})"
        for scene in scenes
    )
    assessed = [scene for scene in scenes if scene.accuracy["assessed"]]
    if not assessed:
        return [
            f"{first}.",
            "No accuracy can be stated, because there is no reference to compare the map with.",
            _trust(scenes, assessed),
        ]
    return [
        f"{first}.",
        " ".join(_headline(scene) for scene in assessed),
        " ".join(describe_weakest(scene.accuracy) for scene in assessed),
        _trust(scenes, assessed),
    ]


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


def has_intervals(record: Mapping) -> bool:
    """Whether the record's overall scores came with intervals."""
    return record["assessed"] and record["scores"]["overall_accuracy"]["low"] is not None


def compare_ground(scenes: Sequence[Scene], ground: str) -> str:
    """Whether the page's numbers may be set against those of a paper about `ground`."""
    if all(scene.synthetic for scene in scenes):
        ours = "this page's are of simulated ground"
        unless = ""
    else:
        ours = f"this page's are of {', '.join(scene.id for scene in scenes)}"
        unless = "Unless that is the same scene, "
    tail = "whether they agree or differ says nothing about either map."
    return (
        "Numbers of different ground cannot be compared. The paper's are of "
        f"{ground or 'its own scene'}; {ours}. {unless}{tail if unless else tail.capitalize()}"
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


def reference_text(record: Mapping) -> str:
    """What an assessed map was compared with, in words."""
    reference = record["reference"]
    if reference["synthetic"]:
        return "the simulated ground truth"
    kinds = {"raster": "class raster", "points": "points", "polygons": "polygons"}
    return f"the reference {kinds[reference['kind']]} in {reference['file']}"


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


def installed_versions() -> list[tuple[str, str]]:
    """Versions of Python and of the packages that are installed."""
    versions = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            versions.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return versions


# Parts of the record of preprocessing that have tables or figures of their own.
IN_TABLES = ("bands", "masked", "corrections", "stages", "histograms", "beyond_cube_range")


def describe_scene(cube: Mapping) -> list[tuple[str, str]]:
    """The record of preprocessing as rows of name and text, without what stands in tables."""
    rows = [
        (FACT_NAMES.get(key, key.replace("_", " ").capitalize()), _fact(key, value))
        for key, value in cube.items()
        if key not in IN_TABLES and value not in (None, [], {})
    ]
    for prefix, correction in _corrections(cube):
        rows += [
            (f"{prefix}{_correction_name(key)}", _text(value))
            for key, value in correction.items()
            if key != "method" and not isinstance(value, Mapping | list)
        ]
    return rows


def describe_bands(cube: Mapping) -> dict:
    """The bands, with what the corrections did to each: `columns` and `rows` of text."""
    bands = cube.get("bands") or []
    columns = ["Band", "Centre, µm", "FWHM, µm"]
    rows = [[band["name"], f"{band['centre_um']:.3f}", f"{band['fwhm_um']:.3f}"] for band in bands]
    for prefix, correction in _corrections(cube):
        for key, value in correction.items():
            if isinstance(value, Mapping):
                found = [value.get(band["name"]) for band in bands]
                cells = ["–" if number is None else f"{number:.4f}" for number in found]
            elif isinstance(value, list) and value:
                cells = ["yes" if band["name"] in value else "no" for band in bands]
            else:
                continue
            columns.append(f"{prefix}{_correction_name(key)}")
            rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    for stage in cube.get("stages") or []:
        columns.append(f"SNR, {stage['stage']}")
        found = [stage["snr"].get(band["name"]) for band in bands]
        cells = ["–" if number is None else f"{number:.0f}" for number in found]
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    return {"columns": columns, "rows": rows}


def _corrections(cube: Mapping) -> list[tuple[str, Mapping]]:
    """The corrections; where there are several, each with its name to tell its numbers by."""
    corrections = cube.get("corrections") or []
    several = len(corrections) > 1
    return [(f"{item.get('method', '?')}: " if several else "", item) for item in corrections]


def describe_mask(cube: Mapping) -> dict:
    """What the quality flags masked: `rows` of flag, pixels and share, and a `note` on them."""
    masked = cube.get("masked") or {}
    rows = [
        (name.replace("_", " "), f"{item['pixels']:,}", f"{item['share_of_observed']:.2%}")
        for name, item in masked.items()
    ]
    pixels = cube.get("pixels") or {}
    note = "A pixel can carry several flags, so the counts overlap"
    if {"observed", "valid"} <= set(pixels):
        lost = pixels["observed"] - pixels["valid"]
        share = f" ({lost / pixels['observed']:.2%})" if pixels["observed"] else ""
        flagged = sum(item["pixels"] for item in masked.values())
        more = "add up to more than" if flagged > lost else "need not add up to"
        note += f" and {more} the {lost:,} pixels{share} that were masked in all"
    return {"rows": rows, "note": f"{note}."}


def _correction_name(key: str) -> str:
    return CORRECTION_NAMES.get(key, key.replace("_", " ").capitalize())


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


def _scene_context(scene: Scene, classes: Sequence[MapClass]) -> dict:
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
        "id": scene.id,
        "synthetic": scene.synthetic,
        "figures": {name: _data_uri(path) for name, path in scene.figures.items()},
        "areas": sorted(rows, key=lambda row: -row["pixels"]),
        "clear_pixels": clear,
        "accuracy": record,
        "reference_text": reference_text(record) if assessed else "",
        "intervals": has_intervals(record),
        "reading_notes": reading_notes(record) if assessed else [],
        "facts": describe_scene(scene.cube),
        "bands": describe_bands(scene.cube),
        "mask": describe_mask(scene.cube),
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


def _ours(
    key: str,
    study: str,
    scenes: Sequence[Scene],
    classes: Sequence[MapClass],
    config: Mapping,
) -> str:
    """This run's side of a row of the published set-up."""

    def of_scenes(describe) -> str:
        return "; ".join(dict.fromkeys(describe(scene) for scene in scenes))

    if key == "scene":
        return of_scenes(
            lambda scene: (
                f"{'SYNTHETIC ' if scene.synthetic else ''}{scene.cube.get('sensor', '?')}, "
                f"{scene.cube.get('product_id', '?')}, {_day(scene.cube.get('acquired'))}"
            )
        )
    if key in ("atmosphere", "normalisation"):
        return of_scenes(lambda scene: str(scene.cube.get(key, "not recorded")))
    if key == "library":
        return _libraries_used(scenes) or describe_library(config)
    if key == "classes":
        return f"{len(classes)}: {', '.join(item.label.lower() for item in classes)}"
    if key == "zones":
        zones = config.get("studies", {}).get(study, {}).get("zones", {})
        return "; ".join(f"{name} ({', '.join(members)})" for name, members in zones.items())
    if key == "accuracy":
        return of_scenes(
            lambda scene: (
                _headline(scene) if scene.accuracy["assessed"] else scene.accuracy["reason"]
            )
        )
    raise InputError(f"published.json: setup names {key!r}, which the report does not know")


def _libraries_used(scenes: Sequence[Scene]) -> str:
    """The libraries that the classes' spectra came from, with the number of classes of each."""
    spectra = {(row["library"], row["name"]) for scene in scenes for row in scene.records}
    libraries = [library for library, _ in sorted(spectra)]
    return "; ".join(
        f"{'gossan’s analytic library (modelled)' if library == ANALYTIC else library}: "
        f"{libraries.count(library)} classes"
        for library in dict.fromkeys(libraries)
    )


def _fact(key: str, value: object) -> str:
    if key == "pixels" and isinstance(value, Mapping):
        words = {"total": "in the frame", "valid": "clear"}
        return ", ".join(f"{_text(item)} {words.get(name, name)}" for name, item in value.items())
    return _text(value)


def _text(value: object) -> str:
    """Any JSON value on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(name).replace('_', ' ')} {_text(item)}" for name, item in value.items()
        )
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value)
    return str(value)


def _day(acquired: object) -> str:
    return str(acquired)[:10] if acquired else "date unknown"


def _file_note(path: str) -> str:
    name = Path(path).name
    if Path(path).parent.name == "zones" and name.endswith(".tif"):
        return f"map of the {Path(path).stem.replace('-', ' and ')} zone"
    return FILE_NOTES.get(name, "product of the run")


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such figure; draw the figures first") from error
    if not content.startswith(b"\x89PNG"):
        raise InputError(f"{path}: not a PNG picture; draw the figures again")
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _mark_text(synthetic: bool) -> str:
    return "SYNTHETIC: " if synthetic else ""


def _environment() -> Environment:
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def relative_link(target: str | Path, page: str | Path) -> str:
    """The way from a page to a file, as a link."""
    return quote(Path(os.path.relpath(target, Path(page).parent)).as_posix())


def record_of(accuracy: Mapping, scene: str) -> Mapping:
    """The record of a scene in a study's accuracy.json."""
    for record in accuracy.get("records", []):
        if record["scene"] == scene:
            return record
    known: Iterable[str] = (record["scene"] for record in accuracy.get("records", []))
    raise InputError(
        f"accuracy: has no record of scene {scene!r} (it has: {', '.join(known) or 'none'}); "
        "collect its record"
    )

"""The study's report and the index of all reports: what they say, and their pages."""

import base64
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from gossan.errors import InputError
from gossan.legend import MapClass

FIGURE_TITLES = {
    "composite": "Colour composite",
    "classes": "Class map",
    "zones": "Alteration zones",
    "angle": "Spectral angle and margin",
    "spectra": "Spectra of the classes",
    "areas": "Class areas",
    "accuracy": "Scores with intervals",
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
    "corrections": "Corrections and their numbers",
    "normalisation": "Normalisation",
    "pixels": "Pixels",
    "masked": "Masked by quality flags",
    "bands": "Bands",
    "notes": "Notes",
}

UNPUBLISHED = {
    "title": "Mineral map",
    "citation": "",
    "place": "",
    "summary": "No published figures are stored for this study.",
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
    files, `areas` maps class codes to (pixels, km² or None), `accuracy` is the scene's record.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]
    areas: Mapping[int, tuple[int, float | None]]
    accuracy: Mapping

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
    files: Sequence[str] = (),
) -> str:
    """The study's report as one self-contained HTML page.

    `template` and `style` are the texts of the page's template and style sheet, `published`
    the study's entry of published.json ({} where there is none), `residuals` rows of the
    analytic library's residuals (shown only where it is among the sources), `files` paths to
    list. The page depends on nothing but these
    and the installed versions: it carries no date.
    """
    paper = {**UNPUBLISHED, **published}
    if "analytic" not in config.get("library", {}).get("sources", []):
        residuals = ()
    colours = {item.code: item for item in classes}
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
            scenes=[_scene_context(scene, colours) for scene in scenes],
            setup=[
                {**row, "ours": _ours(row["ours"], study, scenes, classes, config)}
                for row in paper["setup"]
            ],
            share_rows=_share_rows(paper["areas"], scenes, classes),
            figure_titles=FIGURE_TITLES,
            library_text=describe_library(config),
            residual_columns=[name for name, _ in RESIDUAL_COLUMNS] if residuals else [],
            class_rows=_class_rows(classes, residuals),
            config_yaml=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
            versions=installed_versions(),
            files=[{"path": path, "what": _file_note(path)} for path in files],
            mark_text=_mark_text,
        )
    )


def render_index(template: str, style: str, studies: Sequence[Mapping]) -> str:
    """The page that links the studies' reports.

    Each study has `name`, `href` (relative to the page), `title`, `citation` and `records`
    (accuracy records).
    """
    shown = [
        {**study, "synthetic": all(record["synthetic"] for record in study["records"])}
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
    """Three sentences: what the page shows, the key number, and how far to trust it."""
    what = "; ".join(
        f"{scene.id} ({scene.cube.get('sensor', 'unknown sensor')}, "
        f"{_day(scene.cube.get('acquired'))}{', SYNTHETIC' if scene.synthetic else ''})"
        for scene in scenes
    )
    methods = " and ".join(dict.fromkeys(scene.accuracy["method"] for scene in scenes))
    first = (
        f"This page shows where the {methods} finds {len(classes)} minerals in the "
        f"{'scene' if len(scenes) == 1 else 'scenes'} {what}."
    )
    assessed = [scene for scene in scenes if scene.accuracy["assessed"]]
    if not assessed:
        return [
            first,
            "No accuracy can be stated, because there is no reference to compare the map with.",
            _trust(scenes, assessed),
        ]
    return [first, " ".join(_headline(scene) for scene in assessed), _trust(scenes, assessed)]


def _headline(scene: Scene) -> str:
    record = scene.accuracy
    value = record["scores"]["overall_accuracy"]
    interval = (
        f"95 % interval {value['low']:.1%} to {value['high']:.1%}"
        if value["low"] is not None
        else "no interval, for want of blocks"
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


def describe_scene(cube: Mapping) -> list[tuple[str, str]]:
    """The record of preprocessing as rows of name and text."""
    return [
        (FACT_NAMES.get(key, key.replace("_", " ").capitalize()), _fact(key, value))
        for key, value in cube.items()
        if value not in (None, [], {})
    ]


RESIDUAL_COLUMNS = (
    ("Modelled after record", "record"),
    ("RMS residual, reflectance", "rms"),
    ("Angle to the record, rad", "angle_rad"),
)


def _class_rows(classes: Sequence[MapClass], residuals: Sequence[Mapping[str, str]]) -> list[dict]:
    by_name = {row["name"]: row for row in residuals}
    return [
        {
            "label": item.label,
            "colour": item.colour,
            "max_angle_rad": item.max_angle_rad,
            "residuals": [
                by_name.get(item.name, {}).get(column) or "–" for _, column in RESIDUAL_COLUMNS
            ]
            if residuals
            else [],
        }
        for item in classes
    ]


def _scene_context(scene: Scene, classes: Mapping[int, MapClass]) -> dict:
    clear = sum(pixels for pixels, _ in scene.areas.values())
    rows = [
        {
            "label": classes[code].label if code in classes else "Unclassified",
            "colour": classes[code].colour if code in classes else "#f1f0ec",
            "pixels": pixels,
            "area_km2": area,
            "share": pixels / clear if clear else 0.0,
        }
        for code, (pixels, area) in scene.areas.items()
        if code in classes or code == 0
    ]
    return {
        "id": scene.id,
        "synthetic": scene.synthetic,
        "figures": {name: _data_uri(path) for name, path in scene.figures.items()},
        "areas": sorted(rows, key=lambda row: -row["pixels"]),
        "clear_pixels": clear,
        "accuracy": scene.accuracy,
        "reference_text": reference_text(scene.accuracy) if scene.accuracy["assessed"] else "",
        "facts": describe_scene(scene.cube),
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
        return describe_library(config)
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


def _fact(key: str, value: object) -> str:
    if key == "masked" and isinstance(value, Mapping):
        return "; ".join(
            f"{name.replace('_', ' ')} {item['pixels']:,} ({item['share_of_observed']:.2%})"
            if isinstance(item, Mapping) and "share_of_observed" in item
            else f"{name} {_text(item)}"
            for name, item in value.items()
        )
    if key == "bands" and isinstance(value, list):
        return "; ".join(
            f"{item['name']} {item['centre_um']:.3f} µm (FWHM {item['fwhm_um']:.3f})"
            if isinstance(item, Mapping) and {"name", "centre_um", "fwhm_um"} <= set(item)
            else _text(item)
            for item in value
        )
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
    return Path(os.path.relpath(target, Path(page).parent)).as_posix()


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

"""A study's pages of sections, one for each method, scene and sensor.

Head, banner, accuracy, "Beside the paper", "How it was made" and files stand in base.html.j2. What
a method shows is a template of macros: `contents`, `body`, `beside` (a paper's numbers) and `made`.
A body's parts begin with headings that have ids; PARTS says which of them stand on which page.
"""

import base64
import platform
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import yaml
from markupsafe import Markup

from gossan.accuracy.blocks import MINIMUM_BLOCKS
from gossan.errors import InputError
from gossan.report.index import spread
from gossan.report.layout import (
    BANNER,
    SENSOR_NAMES,
    mark_text,
    name_sensor,
    relative_link,
    render,
)
from gossan.report.paper import (
    UNPUBLISHED,
    answer_contents,
    answer_setup,
    compare_ground,
    find_places,
    list_departures,
)
from gossan.report.phrases import area_text, trust, value_text
from gossan.report.pictures import PNG_MARK, is_whole_png
from gossan.report.sections import Section

METHOD_TITLES = {
    "minerals": "Minerals",
    "patches": "Patches and networks",
    "zones": "Alteration zones",
    "mnf": "Noise and end-members",
    "prospects": "Iron prospects",
    "embedding": "One embedding of the sensors",
    "targets": "Targets",
}
"""The methods in the order of the page."""

OVERVIEW, ACCURACY, PAPER, MAKING = "report", "accuracy", "paper", "making"
PAGES = {
    OVERVIEW: "What each method found",
    ACCURACY: "Accuracy in full",
    PAPER: "Beside the paper",
    MAKING: "How it was made",
}
"""The pages of a study with their titles."""
PARTS = {
    ACCURACY: {
        *("accuracy", "right", "calibration", "claims", "forests", "methods", "sets"),
        *("similarity", "filling", "coverage", "trial"),
    },
    PAPER: {"published"},
    MAKING: {
        *("spectra", "epochs", "scene", "wavelets", "samples", "labels", "bands", "networks"),
        "products",
    },
}
"""Parts of the methods' bodies that do not stand on the overview, by the end of their ids."""
_HEADING = re.compile(r'(?=<h3 id="[^"]*")')
_HEADING_ID = re.compile(r'<h3 id="[^"]*\.([^".]+)"')
_LINK = re.compile(r'href="#([^"]+)"')
_ID = re.compile(r'\bid="([^"]+)"')

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

SPECTRAL_KEYS = ("centre_um", "fwhm_um")

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


def render_pages(
    templates: Mapping[str, str],
    style: str,
    *,
    study: str,
    sections: Sequence[Section],
    cards: Sequence[Mapping] = (),
    paper: Mapping,
    known_answers: Collection[str],
    locations: Mapping[str, Path],
    records: Sequence[Mapping],
    settings: Mapping,
    files: Sequence[Mapping[str, str]],
    fetched: Sequence[Mapping],
    places: Mapping[str, str],
    outside: Mapping[str, str],
) -> dict[str, str]:
    """A study's report as self-contained HTML pages that link to each other, by PAGES.

    `templates` are texts by name: `base`, and one for each method of the `sections`; `style` is
    that of the style sheet. `paper` is the study's entry of published.json ({} without one: then
    there is no such page), of whose set-up `known_answers` are what any method can answer;
    `locations` are pictures of where scenes lie, by scene; `records` are the study's accuracy
    records, `settings` the record of its settings, `files` what it leaves (`path`, `href` from the
    pages beside the overview, `what`), `fetched` the records of products that were fetched by
    name. Of a study of many scenes there are `cards` in place of sections: those of
    `index.read_card`. `places` are the pages' files from the folder of the
    overview, `outside` the pages of the index ("") and of scenes by name, likewise.
    The pages depend on nothing but these and the installed versions: they carry no date.
    """
    published = {**UNPUBLISHED, **paper}
    scenes = [section.scene for section in sections]
    summary = [text for section in sections for text in section.summary]
    theirs = [text for text in summary if paper and _of_paper(text)]
    names = [name for name in PAGES if name != PAPER or paper]

    # Called by the template with what it has rendered so far, whose places the rows lead to.
    def find_contents(shown: str) -> list[dict]:
        return answer_contents(published["contents"], find_places(shown, sections), files)

    shared = {
        "style": Markup(style),
        "study": study,
        "published": published,
        "banner": BANNER,
        "any_synthetic": any(scene.synthetic for scene in scenes)
        or any(item["synthetic"] for item in cards),
        "cards": cards,
        "summary": [
            *(text for text in summary if text not in theirs),
            trust(
                (item["synthetic"] for item in cards) if cards else (s.synthetic for s in scenes),
                any(item["assessed"] for item in records)
                if cards
                else any(scene.assessed for scene in scenes),
            ),
            *([spread(records)] if cards and records else []),
        ],
        "theirs": theirs,
        "locations": [
            {
                "scene": name,
                "picture": _data_uri(path),
                "synthetic": any(scene.id == name and scene.synthetic for scene in scenes),
            }
            for name, path in locations.items()
        ],
        "sections": [_section_context(section, sections) for section in sections],
        "setup": answer_setup(published["setup"], sections, known_answers),
        "comparable": compare_ground(scenes, published["ground"]),
        "find_contents": find_contents,
        "departures": list_departures(published["deviations"], settings.get("settings") or {}),
        "tested": [_record_row(record) for record in records],
        "settings_yaml": yaml.dump(
            {**settings, "scenes": [item["scene"] for item in cards]} if cards else dict(settings),
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
        ),
        "versions": installed_versions(),
        "files": files,
        "fetched": fetched,
        "minimum_blocks": MINIMUM_BLOCKS,
        "mark_text": mark_text,
        "area_text": area_text,
    }
    texts = {f"{name}.html.j2": text for name, text in templates.items()}
    pages = {
        name: render(
            texts,
            "base.html.j2",
            **shared,
            # The overview speaks of this ground alone.
            paper={} if name == OVERVIEW else paper,
            has_paper=bool(paper),
            page=name,
            title=PAGES[name],
            part_of=lambda body, name=name: _part_of(body, name),
            neighbours=[
                {"href": _from(name, places[other], places), "title": PAGES[other]}
                for other in names
                if other != name
            ],
            outside={key: _from(name, place, places) for key, place in outside.items()},
        )
        for name in names
    }
    return _lead_across(pages, places)


def _of_paper(text: str) -> bool:
    """Whether a sentence speaks of a paper."""
    return re.search(r"\bpaper", text, re.IGNORECASE) is not None


def _part_of(body: str, page: str) -> Markup:
    """Those parts of a section's body that stand on a page; what comes before all on the first."""
    kept = []
    for part in _HEADING.split(body):
        found = _HEADING_ID.match(part)
        owner = next((p for p, parts in PARTS.items() if found and found[1] in parts), OVERVIEW)
        if owner == page:
            kept.append(part)
    return Markup("".join(kept).strip())


def _from(page: str, place: str, places: Mapping[str, str]) -> str:
    """A link from a page to a place, which is told from the folder of the overview."""
    return relative_link(place, places[page])


def _lead_across(pages: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """The pages with the links to what stands on another page led there."""
    homes = {name: page for page, text in pages.items() for name in _ID.findall(text)}

    def lead(page: str, target: str) -> str:
        home = homes.get(target, page)
        return f'href="{"" if home == page else _from(page, places[home], places)}#{target}"'

    return {
        page: _LINK.sub(lambda found, page=page: lead(page, found[1]), text)
        for page, text in pages.items()
    }


def _section_context(section: Section, sections: Sequence[Section]) -> dict:
    scene = section.scene
    how = section.how
    return {
        "id": scene.id,
        "anchor": section.anchor,
        "template": f"{section.method}.html.j2",
        "synthetic": scene.synthetic,
        "title": METHOD_TITLES[section.method],
        "place": _name_place(section, sections),
        "figures": {name: _data_uri(path) for name, path in scene.figures.items()},
        "how": None
        if how is None
        else {
            "facts": describe_scene(how),
            "bands": describe_bands(how),
            "mask": describe_mask(how),
        },
        **section.context,
    }


def _name_place(section: Section, sections: Sequence[Section]) -> str:
    """Scene and sensor, as far as the page has several of them."""
    own = section.scene
    parts = []
    if len({other.scene.id for other in sections}) > 1:
        parts.append(own.id)
    if own.sensor and len({other.scene.sensor for other in sections if other.scene.sensor}) > 1:
        parts.append(SENSOR_NAMES.get(own.sensor, own.sensor))
    return ", ".join(parts)


def _record_row(record: Mapping) -> dict:
    row = {
        **{key: record[key] for key in ("scene", "method", "synthetic")},
        "sensor": name_sensor(record),
    }
    if not record["assessed"]:
        return {**row, "assessed": False, "reason": record["reason"]}
    values = [record["scores"][name] for name in ("overall_accuracy", "kappa", "macro_f1")]
    return {**row, "assessed": True, "n": record["n"], "scores": values}


def installed_versions() -> list[tuple[str, str]]:
    """Versions of Python and of the packages that are installed."""
    versions = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            versions.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return versions


# Parts of a cube's record that have tables or figures of their own.
IN_TABLES = (
    *("bands", "masked", "corrections", "stages", "histograms", "beyond_cube_range"),
    *("dates", "looks", "sensors", "combinations", "excluded_um"),
)


def describe_scene(cube: Mapping) -> list[tuple[str, str]]:
    """The record of preprocessing as rows of name and text, without what stands in tables."""
    rows = [
        (FACT_NAMES.get(key, key.replace("_", " ").capitalize()), _fact(key, value))
        for key, value in cube.items()
        if key not in IN_TABLES and value not in (None, [], {})
    ]
    names = [band["name"] for band in cube.get("bands") or []]
    if names and not _has_spectra(cube):
        rows.append(("Layers", value_text(names)))
    for prefix, correction in _corrections(cube):
        rows += [
            (f"{prefix}{_correction_name(key)}", value_text(value))
            for key, value in correction.items()
            if key != "method" and value != [] and not _is_per_band(value, names)
        ]
    return rows


def _is_per_band(value: object, names: Sequence[str]) -> bool:
    """Whether a correction's value says something of bands: numbers by band, or some bands."""
    if isinstance(value, Mapping):
        return not value or any(name in value for name in names)
    return isinstance(value, list) and bool(value) and set(value) <= set(names)


def describe_bands(cube: Mapping) -> dict:
    """The bands, with what the corrections did to each: `columns` and `rows` of text."""
    bands = (cube.get("bands") or []) if _has_spectra(cube) else []
    columns = ["Band", "Centre, µm", "FWHM, µm"]
    rows = [
        [band["name"], *(f"{band[key]:.3f}" if key in band else "–" for key in SPECTRAL_KEYS)]
        for band in bands
    ]
    for prefix, correction in _corrections(cube):
        for key, value in correction.items():
            if not _is_per_band(value, [band["name"] for band in bands]):
                continue
            if isinstance(value, Mapping):
                found = [value.get(band["name"]) for band in bands]
                cells = ["–" if number is None else f"{number:.4f}" for number in found]
            else:
                cells = ["yes" if band["name"] in value else "no" for band in bands]
            columns.append(f"{prefix}{_correction_name(key)}")
            rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    for stage in cube.get("stages") or []:
        columns.append(f"SNR, {stage['stage']}")
        found = [stage["snr"].get(band["name"]) for band in bands]
        cells = ["–" if number is None else f"{number:.0f}" for number in found]
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    return {"columns": columns, "rows": rows}


def _has_spectra(cube: Mapping) -> bool:
    """Whether the bands have wavelengths, and are no layers of a stack of rasters."""
    return all("centre_um" in band for band in cube.get("bands") or [])


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
    if cube.get("dates"):
        dates = len(cube["dates"])
        note = f"Counted are looks: the pixels of {dates} date{'s' if dates > 1 else ''}. A look "
        return {"rows": rows, "note": f"{note}can carry several flags."}
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


def _fact(key: str, value: object) -> str:
    if key == "pixels" and isinstance(value, Mapping):
        words = {"total": "in the frame", "valid": "clear"}
        return ", ".join(
            f"{value_text(item)} {words.get(name, name)}" for name, item in value.items()
        )
    return value_text(value)


class _Dumper(yaml.SafeDumper):
    """Writes an object that was read from a JSON file like any mapping."""


_Dumper.add_multi_representer(dict, yaml.SafeDumper.represent_dict)


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such figure; draw the figures first") from error
    if not content.startswith(PNG_MARK):
        raise InputError(f"{path}: not a PNG picture; draw the figures again")
    if not is_whole_png(content):
        raise InputError(f"{path}: is damaged or cut short; draw the figures again")
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def records_of(accuracy: Mapping, scene: str) -> list[Mapping]:
    """The records of a scene in a study's accuracy.json; InputError where it has none."""
    found = [record for record in accuracy.get("records", []) if record["scene"] == scene]
    if not found:
        known: Iterable[str] = dict.fromkeys(
            record["scene"] for record in accuracy.get("records", [])
        )
        raise InputError(
            f"accuracy: has no record of scene {scene!r} (it has: {', '.join(known) or 'none'}); "
            "collect its record"
        )
    return found

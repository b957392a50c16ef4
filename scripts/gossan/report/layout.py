"""What the pages of studies and their index share: templates, links, marks and names."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined

from gossan.cube.instruments import INSTRUMENTS

BANNER = (
    "Scenes marked SYNTHETIC were simulated: their ground, image and truth are computed. "
    "Nothing about them describes a real place."
)
SENSOR_NAMES = {
    **{name: item.label for name, item in INSTRUMENTS.items()},
    "rasters": "rasters",
    "stack": "all sensors",
}


def make_environment(templates: Mapping[str, str]) -> Environment:
    """Templates by name, which escape all text and refuse what they are not given."""
    return Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def mark_text(synthetic: bool) -> str:
    """What stands before the title or the picture of a simulated scene."""
    return "SYNTHETIC: " if synthetic else ""


def relative_link(target: str | Path, page: str | Path) -> str:
    """The way from a page to a file, as a link."""
    return quote(Path(os.path.relpath(target, Path(page).parent)).as_posix())


def name_sensor(record: Mapping) -> str:
    """The sensor of an accuracy record's map, in words; empty where it is not known."""
    sensor = record.get("sensor", "")
    return SENSOR_NAMES.get(sensor, sensor)


def has_intervals(record: Mapping) -> bool:
    """Whether the record's overall scores came with intervals."""
    return record["assessed"] and record["scores"]["overall_accuracy"]["low"] is not None

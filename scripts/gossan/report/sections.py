"""What every section of a page is made of: where a method's results lie, its scene, its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gossan.accuracy.record import list_records
from gossan.errors import InputError
from gossan.files import read_json

STACK = "stack"


@dataclass(frozen=True)
class Source:
    """Where the results of one method lie, and what the study's settings say of them.

    `scene` is the scene's entry in the settings of the study, with the paths of its truths by
    method, and what holds (`held`) by "sensor/method", in the words of the table of results;
    `sensor` is empty for methods of whole scenes; `settings` are those of the whole study;
    `paper` is its entry of published.json, {} without one; `residuals` are rows of the residuals
    of the analytic library.
    """

    scene: Mapping
    sensor: str
    method: str
    scene_dir: Path
    study_dir: Path
    settings: Mapping
    paper: Mapping = field(default_factory=dict)
    residuals: Sequence[Mapping[str, str]] = ()

    @property
    def id(self) -> str:
        """Name of the scene."""
        return self.scene["scene"]

    @property
    def own(self) -> Mapping:
        """The method's section of the settings."""
        return self.settings.get(self.method) or {}

    @property
    def sensor_dir(self) -> Path:
        """Folder of the scene's sensor; of the scene for methods of whole scenes."""
        return self.scene_dir / self.sensor

    @property
    def folder(self) -> Path:
        """Folder of the method."""
        return self.sensor_dir / self.method

    @property
    def held(self) -> frozenset[str]:
        """What held for the method when it ran, in the words of the table of results."""
        return frozenset(self.scene.get("held", {}).get(f"{self.sensor}/{self.method}", ()))

    def holds(self, *words: str) -> bool:
        """Whether all these words held."""
        return set(words) <= self.held

    def runs(self, method: str) -> bool:
        """Whether another method runs on this scene."""
        return method in self.scene["methods"]

    def figures(self, names: Sequence[str]) -> dict[str, Path]:
        """Where the method's figures are."""
        return {name: self.folder / f"figures/{name}.png" for name in names}

    def records(self, *places: str) -> list[dict]:
        """Accuracy records in files and folders of the method's folder `accuracy`."""
        paths = [self.folder / "accuracy" / place for place in places]
        return [read_json(path) for path in list_records(paths)]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a section shows of one scene; each method has more.

    `cube` is the record of the cube that was mapped, `figures` maps names to PNG files, `records`
    are the accuracy records; `sensor` is empty for methods of whole scenes.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]
    records: Sequence[Mapping] = ()
    sensor: str = ""

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated."""
        return bool(self.cube.get("synthetic")) or any(item["synthetic"] for item in self.records)

    @property
    def assessed(self) -> bool:
        """Whether any of its maps was compared with a truth."""
        return any(item["assessed"] for item in self.records)

    @property
    def name(self) -> str:
        """The scene in words, such as "scene a (Sentinel-2A MSI, 2021-07-22, SYNTHETIC)"."""
        facts = [self.cube.get("sensor", "unknown sensor"), day_of(self.cube)]
        return f"scene {self.id} ({', '.join([*facts, *['SYNTHETIC'] * self.synthetic])})"


@dataclass(frozen=True)
class Section:
    """What one method shows of one scene and sensor.

    `summary` are its paragraphs at the head of the page, `context` what its template shows beside
    what all show, `answers` this run's side of a published set-up by key, `titles` those of its
    figures. `how` is the record that "How it was made" shows, None where another section does.
    """

    method: str
    scene: Scene
    titles: Mapping[str, str]
    context: Mapping
    summary: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    how: Mapping | None = None

    @property
    def anchor(self) -> str:
        """What the page's links to the section and its figures begin with."""
        return "-".join(part for part in (self.scene.id, self.scene.sensor, self.method) if part)


def day_of(cube: Mapping) -> str:
    """The day on which a scene was acquired, from its record."""
    acquired = cube.get("acquired")
    return str(acquired)[:10] if acquired else "date unknown"


def truth_text(record: Mapping) -> str:
    """What an assessed map was compared with, in words."""
    truth = record["reference"]
    if truth["synthetic"]:
        return "the simulated ground truth"
    kinds = {"raster": "class raster", "points": "points", "polygons": "polygons"}
    return f"the truth, {kinds[truth['kind']]} in {truth['file']}"


def common_answers(cube: Mapping, synthetic: bool) -> dict[str, str]:
    """This run's side of those rows of a published set-up that any method may have."""
    return {
        "scene": f"{'SYNTHETIC ' if synthetic else ''}{cube.get('sensor', '?')}, "
        f"{cube.get('product_id', '?')}, {day_of(cube)}",
        **{key: str(cube.get(key, "not recorded")) for key in ("atmosphere", "normalisation")},
    }


def require_rows(path: Path, rows: Sequence) -> Sequence:
    """The rows of a table; InputError where it has none."""
    if not rows:
        raise InputError(f"{path}: has no rows; make the table again")
    return rows

"""The layers of a scene: its maps, and what is known of its ground, as a list on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gossan.errors import InputError
from gossan.files import read_json

GROUPS = {
    "targets": "Targets",
    "maps": "Maps",
    "fit": "Fit and doubt",
    "truth": "What is known",
    "published": "As published",
    "scene": "Scene",
}
"""Groups of layers from the top of a map down, with their titles: the column `group` of the table
of results."""
KNOWN = "known"
"""The kind of a layer that the user brought: vectors, or a class raster as truth."""
MAIN_MAPS = (
    ("minerals", "class.tif"),
    ("embedding", "map/class.tif"),
    ("prospects", "potential/potential.tif"),
    ("prospects", "cover/class.tif"),
    ("zones", "score/maps/"),
    ("zones", ""),
    ("patches", "map/class.tif"),
)
"""Maps that stand for a scene, (method, end of the path, or its folder), the best first."""


@dataclass(frozen=True)
class SceneLayer:
    """One layer: a raster, a vector file, or one of a folder of rasters.

    `kind` is that of the table of results, or KNOWN; `method` and `sensor` may be empty, as for
    mines. `path` may end in `|layername=…`, which names a layer of a vector file.
    """

    group: str
    method: str
    sensor: str
    kind: str
    path: Path
    title: str
    unit: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """A name that no other layer of the scene has, for keys in files."""
        place = self.path.with_suffix("")
        parts = [self.sensor, self.method, place.parent.name, place.name]
        return "-".join(dict.fromkeys(filter(None, parts)))


@dataclass(frozen=True)
class SceneLayers:
    """The layers of a scene, in the order of GROUPS; `folder` is where the scene's results lie.

    A scene that is `joined` with others has its targets with them.
    """

    scene: str
    study: str
    synthetic: bool
    folder: Path
    layers: tuple[SceneLayer, ...]
    joined: bool = False

    def of(self, *groups: str) -> list[SceneLayer]:
        """Those of some groups."""
        return [layer for layer in self.layers if layer.group in groups]

    def ground_of(self, layer: SceneLayer | None = None) -> SceneLayer | None:
        """The cube that a layer was mapped from: that of its sensor, else the first of the scene.

        None for ground of several scenes, which has none.
        """
        cubes = [item for item in self.of("scene") if item.method == "cube" and item.kind == "cube"]
        own = [item for item in cubes if layer is not None and item.sensor == layer.sensor]
        return next(iter([*own, *cubes]), None)

    def main_map(self) -> SceneLayer | None:
        """The map that stands for the scene; None without any."""
        for method, end in MAIN_MAPS:
            for layer in self.of("maps"):
                place = layer.path.as_posix()
                inside = f"/{method}/{end}" in place if end.endswith("/") else False
                if layer.method == method and (
                    inside or place.endswith(f"/{method}/{end}" if end else ".tif")
                ):
                    return layer
        return None


def read_layers(path: str | Path) -> SceneLayers:
    """Read the list of a scene's layers, which the workflow writes (rule list_layers).

    Paths of results lie below the list's own folder; what a folder holds becomes a layer a raster.
    A file that is empty or not there, such as the map of a network that could not be trained, is
    left out. Raises InputError for a list that cannot be read, or of an unknown group.
    """
    path = Path(path)
    record = read_json(path)
    layers = []
    for entry in record["layers"]:
        if entry["group"] not in GROUPS:
            raise InputError(f"{path}: group {entry['group']!r} is none of {', '.join(GROUPS)}")
        layers += _layers_of(entry, path.parent)
    order = list(GROUPS)
    layers.sort(key=lambda layer: order.index(layer.group))
    return SceneLayers(
        record["scene"],
        record["study"],
        bool(record["synthetic"]),
        path.parent,
        tuple(layers),
        bool(record.get("joined")),
    )


def _layers_of(entry: Mapping, folder: Path) -> list[SceneLayer]:
    fields = {
        name: entry.get(name, "") for name in SceneLayer.__dataclass_fields__ if name != "path"
    }
    if entry["kind"] == KNOWN:
        return [SceneLayer(**fields, path=Path(entry["file"]))]
    file = folder / entry["file"]
    if file.is_dir():
        return [
            SceneLayer(**{**fields, "title": f"{fields['title']}: {item.stem}"}, path=item)
            for item in sorted(file.glob("*.tif"))
        ]
    return [SceneLayer(**fields, path=file)] if file.is_file() and file.stat().st_size else []

"""The STAC catalogue of a run: its scenes, and of each an item for each method and sensor."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gossan.desk.layers import KNOWN, SceneLayer, SceneLayers
from gossan.raster import RasterInfo, is_synthetic, read_info
from gossan.stac import Asset, build_catalog, build_item, link, utc

RASTER = ".tif"
EVERY_BAND = ("flags",)
"""Kinds of layers each of whose bands has the classes of the style."""


def describe_run(
    scenes: Sequence[SceneLayers], catalog: Path, folder: Path, thumbnails: Mapping[str, Path]
) -> dict[Path, dict]:
    """Documents of a run's catalogue by where they belong, ready for `files.write_json`.

    The first is the run's, at `catalog`; below `folder` each scene has one, and an item a method
    and sensor. `thumbnails` are pictures by scene. Errors are those of `stac.build_item`.
    """
    documents: dict[Path, dict] = {}
    children = []
    for scene in scenes:
        own = folder / scene.scene / "catalog.json"
        items = dict(_items(scene, own, catalog, thumbnails.get(scene.scene)))
        title = _titled(f"Scene {scene.scene}, study {scene.study}", scene.synthetic)
        documents[own] = build_catalog(
            scene.scene,
            title,
            f"{title}: maps and what they are made of, an item for each method and sensor.",
            [
                link("root", catalog, own.parent),
                link("parent", catalog, own.parent),
                *(
                    link("item", path, own.parent, item["properties"]["title"])
                    for path, item in items.items()
                ),
            ],
        )
        documents |= items
        children.append(link("child", own, catalog.parent, title))
    run = build_catalog(
        "gossan-results",
        "Results of gossan",
        "Maps of hydrothermal alteration and what they are made of, by scene.",
        [link("root", catalog, catalog.parent), *children],
    )
    return {catalog: run, **documents}


def _items(
    scene: SceneLayers, own: Path, catalog: Path, thumbnail: Path | None
) -> Iterable[tuple[Path, dict]]:
    """(place, item) of each method and sensor of a scene that has a layer."""
    layers = [layer for layer in scene.layers if layer.kind != KNOWN]
    infos = {layer.path: read_info(layer.path) for layer in layers if layer.path.suffix == RASTER}
    if not infos:
        return
    for method, sensor in dict.fromkeys((layer.method, layer.sensor) for layer in layers):
        mine = [layer for layer in layers if (layer.method, layer.sensor) == (method, sensor)]
        rasters = [infos[layer.path] for layer in mine if layer.path in infos]
        facts = rasters or list(infos.values())
        first, last, middle = _times(facts) or _times(infos.values()) or (None,) * 3
        id = "-".join(filter(None, (scene.scene, sensor, method)))
        item = build_item(
            id,
            facts[0].grid,
            middle,
            {
                **{_key(layer, scene, mine): _asset(layer) for layer in mine},
                **({"thumbnail": Asset(thumbnail, roles=["thumbnail"])} if thumbnail else {}),
            },
            {
                "title": _titled(_words(scene, method, sensor), scene.synthetic),
                "gossan:study": scene.study,
                "gossan:method": method,
                "gossan:synthetic": scene.synthetic or any(is_synthetic(i.tags) for i in rasters),
                **({"gossan:sensor": sensor} if sensor else {}),
                **({"start_datetime": first, "end_datetime": last} if first != last else {}),
            },
            folder=own.parent,
        )
        item["links"] = [
            link("root", catalog, own.parent),
            link("parent", own, own.parent),
        ]
        yield own.parent / f"{id}.json", item


def _times(infos: Iterable[RasterInfo]) -> tuple[str, str, str] | None:
    """First, last and middle time that rasters tell of their looks, in UTC; None without any."""
    told = {
        key: sorted({utc(str(info.path), info.tags[key]) for info in infos if info.tags.get(key)})
        for key in ("ACQUIRED", "ACQUIRED_FIRST", "ACQUIRED_LAST")
    }
    middle = told["ACQUIRED"]
    if not middle:
        return None
    ends = [*middle, *told["ACQUIRED_FIRST"], *told["ACQUIRED_LAST"]]
    return min(ends), max(ends), middle[(len(middle) - 1) // 2]


def _key(layer: SceneLayer, scene: SceneLayers, mine: Sequence[SceneLayer]) -> str:
    """A name for a layer among those of its item: where it lies in its method's folder."""
    folder = scene.folder / layer.sensor / layer.method

    def place(other: SceneLayer) -> Path:
        return other.path.relative_to(folder) if other.path.is_relative_to(folder) else other.path

    name = "-".join(place(layer).with_suffix("").parts)
    same = [other for other in mine if place(other).with_suffix("") == place(layer).with_suffix("")]
    return name if len(same) == 1 else f"{name}-{layer.path.suffix[1:]}"


def _asset(layer: SceneLayer) -> Asset:
    note = f"{layer.note} ({layer.unit})" if layer.unit else layer.note
    return Asset(layer.path, layer.title, note, every_band=layer.kind in EVERY_BAND)


def _words(scene: SceneLayers, method: str, sensor: str) -> str:
    """What an item is of, in words."""
    where = f" of {sensor}" if sensor else ""
    return f"{method.capitalize()}{where}, scene {scene.scene}"


def _titled(text: str, synthetic: bool) -> str:
    return f"SYNTHETIC: {text}" if synthetic else text

"""A configuration in which each text that a user may write is an odd one, made from the schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gossan.schema import resolve

ROOT = Path(__file__).resolve().parents[2]
# Keys whose texts are names of minerals, which the study's class table lists.
MINERALS = ("references", "labels", "minerals", "zones")
# Texts that must be words of the project's own, or that never leave Snakemake.
OWN_WORDS = ("paper", "scenes", "pathvars", "products")
ENDINGS = {
    "classes": ".csv",
    "library": ".csv",
    "plans": ".json",
    "rasters": ".tif",
    "train": ".csv",
    "wavelengths": ".hdr",
    "table": ".csv",
    "files": ".mat",
    "training": ".npz",
    "test": ".npz",
    "sensors": ".csv",
}


def read_schema() -> dict:
    return json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())


def free_texts(schema: dict, root: dict, place: tuple = ()) -> Iterator[tuple[tuple, dict]]:
    """(key as a tuple, schema) of each key or item that takes a text of the user's choice.

    A name of the user's choice stands as `*`; lists have the key of their items.
    """
    part = resolve(schema, root)
    kind = part.get("type", ())
    if "enum" in part or "pattern" in part:
        return
    if kind == "string" or "string" in kind:
        yield place, part
    for key, inner in part.get("properties", {}).items():
        yield from free_texts(inner, root, (*place, key))
    if isinstance(part.get("additionalProperties"), dict):
        yield from free_texts(part["additionalProperties"], root, (*place, "*"))
    if "items" in part:
        yield from free_texts(part["items"], root, place)


class OddTexts:
    """Odd texts for keys, with the files that they name made in `folder`."""

    def __init__(self, folder: Path, text: str, path: str):
        self.folder, self.text, self.path = folder, text, path
        self.minerals = [f"{text.lstrip('-')}{number}" for number in (1, 2)]
        self.told: dict[tuple, list[str]] = {}

    def of(self, place: tuple, part: dict) -> list[str]:
        """Two odd texts for a key, or names of minerals."""
        if place not in self.told:
            self.told[place] = self._make(place, part)
        return self.told[place]

    def _make(self, place: tuple, part: dict) -> list[str]:
        if place[-2:] == ("targets", "zones"):
            return ["any"]  # as `build` calls the only zone
        if place[0] == "fetch":
            # `write_lock` makes what they name.
            return [f"{self.path} {place[-1]}"]
        if any(key in MINERALS for key in place[-2:]) and part.get("format") != "path":
            return self.minerals
        stem = self.path if part.get("format") == "path" else self.text
        names = [f"{stem} {'.'.join(place).replace('*', 'any')} {number}" for number in (1, 2)]
        if part.get("format") != "path":
            return names
        names = [name + ENDINGS.get(place[-1], ".gpkg") for name in names]
        for name in names:
            self._write(name, place)
        return names

    def _write(self, name: str, place: tuple) -> None:
        path = self.folder / name
        if place[-2:] == ("embedding", "model"):
            for file in (
                *("networks/masked/model.onnx", "networks/2um/model.onnx"),
                "assessment/thresholds.json",
            ):
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                (path / file).touch()
        elif place == ("studies", "*", "classes"):
            rows = [["name", "colour", "group"]]
            rows += [
                [text, colour, "2um"]
                for text, colour in zip(self.minerals, ("#123456", "#123457"), strict=True)
            ]
            quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
            path.write_text("\n".join(quoted) + "\n")
        elif place[-1] == "library":
            path.write_text(f"wavelength_um,{','.join(self.minerals)}\n0.5,0.1,0.1\n")
        else:
            path.touch()


def write_lock(odd: OddTexts, schema: dict) -> dict:
    """Settings of a product `fetch:any` that is in the cache already, by odd paths."""
    keys = schema["properties"]["fetch"]["properties"]
    fetch = {key: odd.of(("fetch", key), keys[key])[0] for key in ("lock", "cache")}
    entry = {"source": "http", "url": "https://example.org/any.tif"}
    (odd.folder / "any_products.yaml").write_text(json.dumps({"any": entry}))
    told = {"items": ["any"], "licence": "", "citation": "", "page": "", "product": "any.tif"}
    file = {"name": "any.tif", "url": entry["url"], "size": None, "checksum": ""}
    locked = {"search": entry, **told, "files": [file]}
    (odd.folder / fetch["lock"]).write_text(json.dumps({"products": {"any": locked}}))
    (odd.folder / fetch["cache"] / "any").mkdir(parents=True)
    (odd.folder / fetch["cache"] / "any/any.tif").touch()
    return {"products": "any_products.yaml", **fetch}


def build(part: dict, root: dict, odd: OddTexts, place: tuple = ()) -> Any:
    """A value for a schema in which every text is odd, and all else is left to its default."""
    part = resolve(part, root)
    kind = part.get("type", ())
    if "enum" in part or "pattern" in part:
        return None
    if kind == "string":
        return None if place[0] in OWN_WORDS or place[-1] in OWN_WORDS else odd.of(place, part)[0]
    if "items" in part:
        items = resolve(part["items"], root)
        is_text = items.get("type") == "string" and not {"enum", "pattern"} & set(items)
        # A matrix of spectra is one file.
        return odd.of(place, items)[: 1 if place[-1] == "files" else 2] if is_text else None
    found = {
        key: build(inner, root, odd, (*place, key))
        for key, inner in part.get("properties", {}).items()
    }
    others = part.get("additionalProperties")
    if isinstance(others, dict):
        name = "rasters" if place[-1] == "bands" else "any"
        found[name] = build(others, root, odd, (*place, "*"))
    return {key: value for key, value in found.items() if value not in (None, {})}

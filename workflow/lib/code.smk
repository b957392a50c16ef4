# The code and data files of this repository that rules run, and digests of them: an edit reruns
# what depends on it and nothing else, a touch or a revert nothing.

import functools
import hashlib
import importlib.util
import re
import sys
from pathlib import Path

# Folders of scripts/gossan.
ROOMS = (
    "accuracy",
    "cube",
    "desk",
    "embedding",
    "fetching",
    "forests",
    "library",
    "minerals",
    "networks",
    "patches",
    "products",
    "prospects",
    "report",
    "targets",
    "transforms",
    "twin",
    "zones",
)
# Files that have been read, with what they import.
FILES = {}


def source(path):
    """A file of this repository, by its path from the root, wherever the workflow runs from."""
    return workflow.source_path(f"../../{path}")


def static(name):
    """A file of resources/static."""
    return source(f"resources/static/{name}")


# Snakemake does not see an edit in an imported module, so rules carry a digest of all of them as a
# parameter. A module is no input: of each input Snakemake asks anew in each job who makes it. It
# lies beside its tool all the same, because `source` puts both where Snakemake keeps sources.
@functools.cache
def closure(tool, sensor=None):
    """Repository paths of a tool and of all that it imports from this repository: path to text.

    With a `sensor`, modules of other sensors are left out, which registries import on demand.
    """
    found = {}
    waiting = [f"scripts/{tool}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path], modules = read_code(path)
            waiting += [name for name in modules if not is_of_other_sensor(name, sensor)]
    return found


def is_of_other_sensor(path, sensor):
    """Whether a module of products/ or twin/ belongs to another sensor than this."""
    folder, _, name = path.rpartition("/")
    if sensor is None or folder not in ("scripts/gossan/products", "scripts/gossan/twin"):
        return False
    owners = [other for other in READERS if name.startswith((f"{other}.", f"{other}_"))]
    return bool(owners) and sensor not in owners


def read_code(path):
    """The text of a file of this repository, and the paths of what it imports from there."""
    if path not in FILES:
        text = Path(source(path)).read_bytes()
        FILES[path] = text, list(imported(text.decode()))
    return FILES[path]


# Imports have one form, which a test holds them to; taking all modules apart as Python does would
# take seconds at every start.
FOR_TYPES = re.compile(r"^if TYPE_CHECKING:\n(?:[ ]+.*\n|\n)+", re.MULTILINE)
IMPORT = re.compile(r"^ *from (gossan[\w.]*|toolkit) import (\([^)]*\)|.*)", re.MULTILINE)


def imported(text):
    """Repository paths of the modules that a text imports with `from ... import`.

    What is imported for type hints alone does not run, so it does not count.
    """
    for module, names in IMPORT.findall(FOR_TYPES.sub("", text)):
        parts = module.split(".")
        yield from (module_file(parts[:depth]) for depth in range(1, len(parts) + 1))
        if is_room(parts):
            for name in names.strip("()").split(","):
                if name.strip():
                    yield module_file([*parts, name.split()[0]])


def is_room(parts):
    """Whether a dotted name is a folder of modules, whose __init__.py names nothing."""
    return parts == ["gossan"] or (len(parts) == 2 and parts[0] == "gossan" and parts[1] in ROOMS)


def module_file(parts):
    """The file of a dotted module: a package's __init__.py where the name is a package."""
    if is_room(parts):
        parts = [*parts, "__init__"]
    return f"scripts/{'/'.join(parts)}.py"


def code(tool):
    """The input by which a job runs a tool, whose date does not matter."""
    script = next(iter(closure(tool)))
    return {"script": ancient(source(script))}


@functools.cache
def digest(tool, sensor=None):
    """A digest of a tool's code; with a `sensor`, of the code that runs for that sensor."""
    summary = hashlib.sha256()
    for path, text in sorted(closure(tool, sensor).items()):
        summary.update(f"{path} {len(text)}\n".encode() + text)
    return summary.hexdigest()[:16]


def sensor_digest(tool):
    """A function of the wildcards: the digest of a tool for the sensor among them."""
    return lambda wildcards: digest(tool, wildcards.sensor)


def load_module(name):
    """A ground module of gossan, from this repository even where another gossan is installed.

    What it imports of gossan must have been loaded before.
    """
    # Snakemake's own kind of text, which tells where a file is from, cannot be kept with bytecode.
    path = str(source(f"scripts/gossan/{name}.py"))
    dotted = "gossan" if name == "__init__" else f"gossan.{name}"
    places = [str(Path(path).parent)] if name == "__init__" else None
    spec = importlib.util.spec_from_file_location(dotted, path, submodule_search_locations=places)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[dotted] = loaded
    spec.loader.exec_module(loaded)
    return loaded

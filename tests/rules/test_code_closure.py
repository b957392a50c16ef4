"""The workflow finds a tool's modules by its imports; these tests hold the code to that."""

import ast
import re
from types import SimpleNamespace

import pytest

from gossan.scenes import RASTERS, TWIN_PRODUCTS

ROOT_PACKAGE = "gossan"
# Rooms of scripts/gossan from the ground up: a module may import from its own room and from those
# of lower floors.
FLOORS = (
    ("",),
    ("products", "library", "transforms", "fetching"),
    ("cube", "accuracy", "networks"),
    ("forests",),
    ("minerals",),
    ("patches", "zones", "prospects", "embedding"),
    ("targets",),
    ("report",),
    ("desk",),
)
TWIN_MAY_USE = ("", "products", "library", "transforms", "cube", "twin")


@pytest.fixture(scope="module")
def sources(root):
    return sorted((root / "scripts").rglob("*.py"))


@pytest.fixture(scope="module")
def code(root):
    """The functions of workflow/lib/code.smk, as the workflow has them."""

    def source_path(path):
        return str(root / path.removeprefix("../../"))

    names = {
        "workflow": SimpleNamespace(source_path=source_path),
        "READERS": [*TWIN_PRODUCTS, RASTERS],
    }
    exec((root / "workflow/lib/code.smk").read_text(), names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def tools(root):
    return sorted(path.stem for path in (root / "scripts").glob("*_*.py"))


@pytest.fixture(scope="module")
def imports(root, sources, code):
    """Module -> modules of this repository that it imports, by paths below scripts/gossan."""
    found = {}
    for path in sources:
        name = path.relative_to(root).as_posix()
        found[name] = {
            other
            for other in code.read_code(name)[1]
            if other != name and not other.endswith("__init__.py")
        }
    return found


def room_of(path):
    parts = path.split("/")
    return parts[2] if len(parts) == 4 else ""


def test_modules_are_imported_in_the_one_form_that_the_closure_reads(sources):
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(not name.name.startswith(ROOT_PACKAGE) for name in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"


def names_of(node):
    """Modules that an import statement names, in full."""
    rooms = len(node.module.split(".")) <= 2 and node.module != "toolkit"
    return {f"{node.module}.{name.name}" for name in node.names} if rooms else {node.module}


def test_the_closure_reads_the_imports_that_python_reads(root, sources, code):
    def running(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
                continue
            yield child
            yield from running(child)

    for path in sources:
        text = path.read_text()
        wanted = {
            code.module_file(name.split("."))
            for node in running(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and node.module.startswith(("gossan", "toolkit"))
            for name in (names_of(node) if code.is_room(node.module.split(".")) else {node.module})
        }
        found = {name for name in code.imported(text) if not name.endswith("__init__.py")}
        assert found == wanted, path


def test_the_closure_knows_every_room(root, code):
    found = {path.parent.name for path in (root / "scripts/gossan").glob("*/__init__.py")}
    assert set(code.ROOMS) == found


def test_all_that_runs_is_in_the_closure(root, code, tools):
    for tool in tools:
        for path in code.closure(tool):
            assert (root / path).exists(), f"{tool}: {path}"


def test_no_import_goes_in_a_circle(imports):
    done, waiting = set(), []

    def visit(path):
        assert path not in waiting, f"circle: {' -> '.join([*waiting, path])}"
        if path not in done:
            waiting.append(path)
            for other in imports[path]:
                visit(other)
            done.add(waiting.pop())

    for path in imports:
        visit(path)


def test_no_arrow_goes_up(imports):
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for path, others in imports.items():
        if not path.startswith("scripts/gossan/"):
            continue
        room = room_of(path)
        for other in others:
            if room == "twin":
                assert room_of(other) in TWIN_MAY_USE, f"{path} imports {other}"
            else:
                above = floor.get(room_of(other), len(FLOORS)) > floor[room]
                beside = floor.get(room_of(other)) == floor[room] and room_of(other) != room
                assert not above and not beside, f"{path} imports {other}"


@pytest.mark.parametrize("sensor", TWIN_PRODUCTS)
def test_an_edit_of_a_reader_touches_the_reading_and_simulation_of_its_sensor_alone(
    code, tools, sensor
):
    module = f"scripts/gossan/products/{sensor}.py"
    touched = {tool for tool in tools if module in code.closure(tool)}
    reading = {"preprocess_scene", "simulate_scene"}
    if sensor == "sentinel2":
        reading.add("composite_dates")
    if sensor == "emit":
        # Its own mineral map has the layout of its reflectance.
        reading.add("lay_minerals")
    assert touched <= reading
    for tool in touched - {"composite_dates", "lay_minerals"}:
        for other in TWIN_PRODUCTS:
            assert (module in code.closure(tool, other)) == (other == sensor)


# Modules of gossan that a tool may hang on: a wider closure reruns more than an edit touches.
WIDEST = {
    "map_anomalies": 16,
    "map_spectral_angles": 23,
    "map_embedding": 22,
    "classify_patches": 19,
    "rank_targets": 28,
    "collect_accuracy": 13,
    "render_index": 12,
}


@pytest.mark.parametrize("tool", WIDEST)
def test_a_closure_is_as_narrow_as_its_work(code, tool):
    modules = [path for path in code.closure(tool) if not path.endswith("__init__.py")]
    assert len(modules) <= WIDEST[tool], modules


def test_every_tool_is_run_by_a_rule_or_named_in_the_documentation(root, tools):
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    documentation = "".join(path.read_text() for path in (root / "docs").rglob("*.md"))
    for name in tools:
        assert f'code("{name}")' in rules or f"scripts/{name}.py" in documentation, name


def test_every_rule_has_the_whole_anatomy(root):
    needed = ("output", "log", "benchmark", "threads", "resources", "params", "conda")
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"\n(?=rule |use rule )", path.read_text())[1:]:
            if rule.startswith("use rule"):
                continue
            name = re.match(r"rule (\w+)", rule).group(1)
            if "    template_engine:" in rule:
                continue
            for directive in (*needed, "message", "shell"):
                assert re.search(rf"^    {directive}:", rule, re.MULTILINE), f"{name}: {directive}"
            if "python " in rule:
                [tool] = set(re.findall(r'\*\*code\("(\w+)"\)', rule.split("\n    shell:")[0]))
                assert re.search(rf'digest\("{tool}"', rule), name


def test_no_rule_writes_a_folder_of_results_by_name(root):
    for path in sorted((root / "workflow").rglob("*.smk")):
        assert '"results/' not in path.read_text(), f"{path}: write <results>/"

"""The workflow finds a tool's modules by its imports; these tests hold the code to that."""

import ast
import re

import pytest

ROOT_PACKAGE = "gossan"


@pytest.fixture(scope="module")
def sources(root):
    return sorted((root / "scripts").rglob("*.py"))


def is_module(root, dotted):
    path = root / "scripts" / dotted.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def test_modules_are_imported_in_the_one_form_that_the_closure_reads(root, sources):
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert all(not name.name.startswith(ROOT_PACKAGE) for name in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"


def test_the_closure_knows_every_room(root):
    text = (root / "workflow/rules/common.smk").read_text()
    rooms = ast.literal_eval(re.search(r"ROOMS = (\(.*?\n\))", text, re.DOTALL).group(1))
    found = {path.parent.name for path in (root / "scripts/gossan").glob("*/__init__.py")}
    assert set(rooms) == found


def test_every_tool_is_run_by_a_rule_or_named_in_the_documentation(root):
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    documentation = "".join(path.read_text() for path in (root / "docs").rglob("*.md"))
    for path in (root / "scripts").glob("*_*.py"):
        name = path.stem
        assert f'code("{name}")' in rules or f"scripts/{name}.py" in documentation, name


def test_every_rule_has_the_whole_anatomy(root):
    needed = ("output", "log", "benchmark", "threads", "resources", "params", "conda")
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"\n(?=rule |use rule )", path.read_text())[1:]:
            if rule.startswith("use rule"):
                continue
            name = re.match(r"rule (\w+)", rule).group(1)
            for directive in (*needed, "message", "shell"):
                assert re.search(rf"^    {directive}:", rule, re.MULTILINE), f"{name}: {directive}"
            if "python " in rule:
                [tool] = re.findall(r'\*\*code\("(\w+)"\)', rule)
                assert f'digest=digest("{tool}")' in rule, name

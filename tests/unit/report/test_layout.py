"""Templates and style sheets of the pages: those of the report are read, others refused."""

from pathlib import Path

import pytest

from gossan.errors import InputError
from gossan.report.layout import read_script, read_style, read_template, render
from gossan.report.page import METHOD_TITLES

STATIC = Path(__file__).parents[3] / "resources" / "static"


def test_the_files_of_the_report_are_read():
    for name in METHOD_TITLES:
        assert read_template(STATIC / f"{name}.html.j2", macros=("contents", "body"))
    assert read_template(STATIC / "base.html.j2", uses=("style", "study", "sections"))
    assert read_template(STATIC / "index.html.j2", uses=("style", "studies"))
    assert read_style(STATIC / "report.css")
    assert read_script(STATIC / "map.js")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks study, style"),
        (b"<html><body>Another page</body></html>", "lacks study, style"),
        (b"{{ style }} {{ title }}", "lacks study"),
        (b"{{ style }} {% if study %}", "no template of Jinja"),
        (b"\xff\xfe{{ style }} {{ study }}", "no text in UTF-8"),
        (b"{{ style }} \0\0\0 {{ study }}", "is damaged, a part of its text is zeros"),
    ],
)
def test_empty_and_foreign_templates_are_refused(tmp_path, content, said):
    path = tmp_path / "base.html.j2"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"base\.html\.j2: {said}"):
        read_template(path, uses=("style", "study"))


@pytest.mark.parametrize("content", ["", "plain", "{% macro body(scene) %}{% endmacro %}"])
def test_a_template_of_a_method_without_its_macros_is_refused(tmp_path, content):
    path = tmp_path / "zones.html.j2"
    path.write_text(content)
    with pytest.raises(InputError, match=r"zones\.html\.j2: lacks .*contents"):
        read_template(path, macros=("contents", "body"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "p { color: red }",
        ".banner .label",
        ".banner { } .label { </style><script>{ } }",
        ".banner { color: red } .label { color: red",
    ],
)
def test_empty_broken_and_foreign_style_sheets_are_refused(tmp_path, content):
    path = tmp_path / "report.css"
    path.write_text(content)
    with pytest.raises(InputError, match=r"report\.css: no style sheet of the report"):
        read_style(path)


@pytest.mark.parametrize("part", [slice(0), slice(-200), slice(300, None)])
def test_empty_and_broken_scripts_are_refused(tmp_path, part):
    path = tmp_path / "map.js"
    path.write_text((STATIC / "map.js").read_text()[part])
    with pytest.raises(InputError, match=r"map\.js: no script of the map"):
        read_script(path)


def test_a_template_that_asks_for_what_there_is_not_is_named():
    with pytest.raises(InputError, match=r"does not fit the report .*'colour' is undefined"):
        render({"page.html.j2": "{{ colour }}"}, "page.html.j2", style="")

"""The page of the benchmarks shows what was measured."""

import importlib.util


def test_the_table_is_that_of_the_measured_cases(root):
    spec = importlib.util.spec_from_file_location("page", root / "benchmarks/page.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.PAGE.read_text()
    measured = page.read_measured()
    assert page.table(measured) in text
    assert page.GOALS.keys() - measured.keys() == set()

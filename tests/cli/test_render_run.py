"""What ran, how long, and with how much memory, told from Snakemake's benchmark files."""

import re

import pytest
from samples import run_tool

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tcpu_time\tjobid\trule_name\tparams\tresources\tinput_size_mb"


def job(seconds, used, asked, cpu="1.50", sizes=""):
    resources = f"{{'tmpdir': '/tmp', 'mem_mb': {asked}, 'mem': '{asked} MB'}}"
    return f"{HEADER}\n{seconds}\t0:00:01\t{used}\t9\t{cpu}\t3\tx\t{{}}\t{resources}\t{sizes}\n"


@pytest.fixture
def benchmarks(tmp_path):
    """Files of three rules: one that asked for too little, one with a job that is not measured."""
    files = {
        "map_rules/a.landsat.tsv": job("90.00", "900.00", 1000),
        "map_rules/b.landsat.tsv": job("30.00", "1100.00", 1000, sizes="x" * 200_000),
        "draw_scene/a.tsv": job("12.00", "500.00", 2000),
        "draw_scene/state/maps/b.tsv": job("0.01", "NA", 2000, cpu="NA"),
        "render_index.tsv": "s\th:m:s\tmax_rss\n2.00\t0:00:02\t100.00\n",
        "map_rules/killed.tsv": "",
    }
    for name, text in files.items():
        (tmp_path / "benchmarks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "benchmarks" / name).write_text(text)
    return tmp_path / "benchmarks"


def page_of(folder, benchmarks):
    """The page, and the text of the cells of its rows by the first."""
    done = run_tool(
        *("render_run", "--benchmarks", benchmarks, "--index", folder / "index.html"),
        *("--output", folder / "run.html"),
    )
    assert done.returncode == 0, done.stderr
    page = (folder / "run.html").read_text()
    rows = re.findall(r"<tr><th scope=\"row\">(\w+)</th>(.*?)</tr>", page)
    cells = [(name, re.findall(r"<td[^>]*>(.*?)</td>", row)) for name, row in rows]
    return page, cells


def test_each_rule_has_its_jobs_time_and_memory_beside_what_it_asked_for(tmp_path, benchmarks):
    page, cells = page_of(tmp_path, benchmarks)
    assert "5 jobs of 3 rules, 2 min 14 s of jobs one after another" in page
    rules, longest = dict(cells[:3]), cells[3:]
    assert list(rules) == ["map_rules", "draw_scene", "render_index"]
    assert rules["draw_scene"] == ["2", "12.0 s", "12.0 s", "1.5 s", "524", "2,000", "26%"]
    assert rules["render_index"] == ["1", "2.0 s", "2.0 s", "0.0 s", "105", "–", "–"]
    assert longest[0] == ("map_rules", ["a.landsat", "1 min 30 s"])
    assert longest[-1] == ("draw_scene", ["state/maps/b", "0.0 s"])
    assert 'href="index.html"' in page


def test_a_rule_that_asked_for_too_little_memory_is_named_with_what_to_do(tmp_path, benchmarks):
    page, cells = page_of(tmp_path, benchmarks)
    assert "More memory than was asked for: map_rules." in page
    assert "--set-resources map_rules:mem_mb=1442" in page
    assert dict(cells[:3])["map_rules"][-1] == "<strong>too little: 115%</strong>"
    (benchmarks / "map_rules/b.landsat.tsv").unlink()
    page, _ = page_of(tmp_path, benchmarks)
    assert "No job used more memory than its rule had asked for." in page


def test_without_records_the_page_says_so(tmp_path):
    page, cells = page_of(tmp_path, tmp_path / "benchmarks")
    assert "There are no records of jobs." in page
    assert cells == []

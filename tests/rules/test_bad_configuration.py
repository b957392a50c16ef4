"""Wrong settings end a run before any job, with one line per fault."""

import pytest
from projects import copy_project, snakemake

HEADER = "scene\tstudy\tsensor\tproduct\ttruth"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twinn: {seed: 1}\n", "twinn: not a key; did you mean 'twin'?"),
        (
            "studies: {gilgit: {minerals: {references: [alunit, calcite], zones: {}}}}\n",
            "studies.gilgit.minerals.references: unknown mineral 'alunit'; did you mean 'alunite'?",
        ),
        ("scenes: nowhere.tsv\n", "scenes: cannot read nowhere.tsv"),
        ("studies: {mine: {mineral: {}}}\n", "studies.mine.mineral: not a key; did you mean"),
        ("studies: {mine: {}}\n", "studies.mine: has no method; add a section"),
        ("accuracy: [[]]\n", "accuracy: must be of type object"),
        ("studies: null\n", "studies: must be of type object, not None"),
        ("scenes: null\n", "scenes: must be of type string, not None"),
        (
            "studies: {mine: {mnf: {}}, yours: {mnf: {}}, mine: {zones: {}}}\n",
            "own.yaml, line 1: studies.mine stands twice; keep one",
        ),
        (
            "studies: {gilgit: {minerals: {sensors: [emit]}}}\n",
            "scene 'gilgit-twin', studies.gilgit.minerals.sensors: the scene has no emit; it has",
        ),
        (
            "studies: {gilgit: {patches: {size_px: 600}}}\n",
            "studies.gilgit.patches.size_px: the scene is 512 pixels wide, a patch 600",
        ),
    ],
)
def test_a_wrong_config_is_told_by_key(project, text, expected):
    (project / "own.yaml").write_text(text)
    run = snakemake(project, "--cores", "1", "--dry-run", "--configfile", "own.yaml")
    assert run.returncode != 0
    assert sum(expected in line for line in run.stdout.splitlines()) == 1
    assert not (project / "results").exists()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["a/b\tgilgit\tlandsat\ttwin\ttwin"], "scene: 'a/b' may hold only letters"),
        (["a\tgilgit\tlandsat\ttwin\ttwin"] * 2, "'a' has two rows of landsat"),
        (["a\tgilgit\tlandsat\tno/such.tar\t"], "product: no/such.tar does not exist"),
        (["a\tgilgitt\tlandsat\ttwin\t"], "no study is called 'gilgitt'; did you mean 'gilgit'?"),
    ],
)
def test_a_wrong_table_is_told_by_line_and_column(project, rows, expected):
    (project / "own.tsv").write_text("\n".join([HEADER, *rows]) + "\n")
    run = snakemake(project, "--cores", "1", "--dry-run", "--config", "scenes=own.tsv")
    assert run.returncode != 0
    assert sum(expected in line for line in run.stdout.splitlines()) == 1


def test_a_truth_without_classes_is_told_before_a_run_and_not_looked_at_again_by_its_jobs(project):
    (project / "points.csv").write_text("lon,lat,mineral\n74,36,alunite\n")
    (project / "own.tsv").write_text(f"{HEADER}\na\tgilgit\tlandsat\ttwin\tpoints.csv\n")
    told = ("--cores", "1", "--dry-run", "--config", "scenes=own.tsv")
    run = snakemake(project, *told)
    assert run.returncode != 0
    assert "scene 'a', truth: points.csv: needs a column class" in run.stdout
    run = snakemake(project, "--mode", "remote", *told)
    assert run.returncode == 0, run.stdout


def test_all_faults_are_told_in_one_go(project):
    (project / "own.yaml").write_text("twinn: 1\nblock_px: 3\nscenes: nowhere.tsv\n")
    run = snakemake(project, "--cores", "1", "--dry-run", "--configfile", "own.yaml")
    assert "(3 to mend)" in run.stdout


def test_faults_of_one_study_do_not_hide_those_of_another(project):
    rows = [
        HEADER,
        "a\tmine\tlandsat\ttwin\t",
        "b\tours\tlandsat\ttwin\t",
        "c\tyours\temit\ttwin\t",
    ]
    (project / "own.tsv").write_text("\n".join(rows) + "\n")
    (project / "own.yaml").write_text(
        "scenes: own.tsv\nstudies:\n  mine: {mnff: {}}\n  yours: {mnf: {sensors: [aster]}}\n"
        "  his: {patches: {}}\n"
    )
    run = snakemake(project, "--cores", "1", "--dry-run", "--configfile", "own.yaml")
    for fault in (
        "studies.mine.mnff: not a key; did you mean 'mnf'?",
        "studies.his.patches: needs a mineral map",
        "own.tsv: no study is called 'ours'; did you mean 'yours'?",
        "scene 'c', studies.yours.mnf.sensors: the scene has no aster; it has emit",
    ):
        assert fault in run.stdout

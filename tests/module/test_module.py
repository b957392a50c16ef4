"""Another workflow uses this one as a module."""

from projects import copy_project, snakemake

OUTER = """
OWN = {
    "scenes": "my_scenes.tsv",
    "twin": {"size_px": {"porphyry": 96}},
    "studies": {
        "mine": {"minerals": {"references": ["alunite", "calcite", "chlorite", "feldspar"]}},
    },
}


module gossan:
    snakefile:
        "vendor/gossan/workflow/Snakefile"
    config:
        OWN
    pathvars:
        results="minerals/found",


use rule * from gossan as gossan_*


rule summary:
    default_target: True
    input:
        "minerals/found/scenes/my-scene/landsat/minerals/areas.csv",
    output:
        "summary.txt",
    shell:
        "wc -l {input} > {output}"
"""


def test_an_outer_workflow_runs_our_rules_in_its_own_folder(tmp_path):
    copy_project(tmp_path / "vendor/gossan")
    (tmp_path / "Snakefile").write_text(OUTER)
    (tmp_path / "my_scenes.tsv").write_text(
        "scene\tstudy\tsensor\tproduct\ttruth\nmy-scene\tmine\tlandsat\ttwin\ttwin\n"
    )
    run = snakemake(tmp_path, "--cores", "2")
    assert run.returncode == 0, run.stdout
    assert (tmp_path / "summary.txt").read_text().split()[0] == "7"
    assert not (tmp_path / "results").exists()
    again = snakemake(tmp_path, "--cores", "2", "--dry-run")
    assert "Nothing to be done" in again.stdout

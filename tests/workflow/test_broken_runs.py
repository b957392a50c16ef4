"""What a run that fails says at its end."""

import re

from projects import copy_project, snakemake

STUDY = "studies:\n  mine: {minerals: {references: [alunite, kaolinite]}}\nscenes: my.tsv\n"


def test_a_fault_that_several_jobs_meet_stands_once_at_the_end(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "LC08_L1TP_broken.tar").write_bytes(b"no archive")
    rows = [f"hill-{n}\tmine\tlandsat\tLC08_L1TP_broken.tar\t" for n in (1, 2)]
    table = ["scene\tstudy\tsensor\tproduct\ttruth", *rows]
    (project / "my.tsv").write_text("\n".join(table))
    (project / "my.yaml").write_text(STUDY)
    targets = [f"results/scenes/hill-{n}/landsat/minerals/class.tif" for n in (1, 2)]
    run = snakemake(project, *targets, "--cores", "1", "--configfile", "my.yaml")
    assert run.returncode != 0
    end = run.stdout.partition("What to mend (1):\n")[2].splitlines()
    assert end[0].startswith("  LC08_L1TP_broken.tar: "), run.stdout
    log = r"\(results/logs/preprocess_scene/hill-[12]\.landsat\.log and 1 more\)"
    assert re.fullmatch(f"    {log}", end[1])
    assert "Reason:" not in run.stdout

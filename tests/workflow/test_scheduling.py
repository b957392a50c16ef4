"""How Snakemake hands out jobs on one machine: as many as it has cores, and only when one ends."""

from projects import copy_project, snakemake
from snakemake.utils import available_cpu_count

TRUTHS = tuple(
    f"results/scenes/{place}-twin/twin/truth.tif" for place in ("gilgit", "zafarghand", "bahia")
)


def test_no_more_cores_are_used_than_the_machine_has(root, tmp_path):
    asked = available_cpu_count() + 6
    run = snakemake(root, "--dry-run", "--cores", str(asked), "--directory", str(tmp_path))
    said = f"--cores {asked}: this machine has {available_cpu_count()}, and no more are used"
    assert said in run.stdout
    run = snakemake(root, "--dry-run", "--cores", "1", "--directory", str(tmp_path))
    assert "this machine has" not in run.stdout


def test_ready_jobs_are_looked_for_when_one_has_ended(tmp_path):
    run = snakemake(copy_project(tmp_path), "--cores", "1", "--verbose", *TRUTHS)
    assert run.returncode == 0, run.stdout
    ended = run.stdout.count("Finished jobid")
    assert ended >= len(TRUTHS)
    assert run.stdout.count("Resources before job selection") <= ended + 1

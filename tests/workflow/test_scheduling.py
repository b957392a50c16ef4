"""How Snakemake hands out jobs on one machine: as many as it has cores, and only when one ends."""

from projects import copy_project, snakemake
from snakemake.utils import available_cpu_count

TRUTHS = tuple(
    f"results/scenes/{place}-twin/twin/truth.tif" for place in ("gilgit", "zafarghand", "bahia")
)


def test_no_more_cores_are_used_than_the_machine_has(tmp_path):
    there = available_cpu_count()
    run = snakemake(copy_project(tmp_path), "--cores", str(there + 6), "--until", "select_classes")
    assert run.returncode == 0, run.stdout
    assert f"--cores {there + 6}: this machine has {there}, and no more are used" in run.stdout
    assert f"Provided cores: {there}" in run.stdout
    run = snakemake(tmp_path, "--dry-run", "--cores", "1")
    assert "this machine has" not in run.stdout


def test_ready_jobs_are_looked_for_when_one_has_ended(tmp_path):
    run = snakemake(copy_project(tmp_path), "--cores", "1", "--verbose", *TRUTHS)
    assert run.returncode == 0, run.stdout
    ended = run.stdout.count("Finished jobid")
    assert ended >= len(TRUTHS)
    assert 1 <= run.stdout.count("Resources before job selection") <= ended + 1

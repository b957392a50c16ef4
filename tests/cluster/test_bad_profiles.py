"""What Slurm would let wait for ever is told in a line before anything is submitted."""

from pathlib import Path

import pytest
from cluster_runs import ON_SLURM, PRODUCT, lay_out, run
from slurm import PROGRAMS, can_mount, missing, missing_database, slurm

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A node that is smaller than the profile says, and lets jobs run for an hour."""
    with slurm(
        tmp_path_factory.mktemp("slurm"), cpus=2, memory_mb=3000, max_time="1:00:00"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("bad") / "project", "a")


def refused(cluster, project, *arguments):
    code, said = run(project, cluster.environment, PRODUCT, *ON_SLURM, *arguments, within_s=60)
    assert code == 1, said
    assert cluster.jobs() == []
    assert not (project / PRODUCT).exists()
    assert "Traceback" not in said
    return [line.strip() for line in said.partition("Correct the profile")[2].splitlines()[1:]]


def test_more_cpus_memory_and_time_than_a_node_gives_are_told_together(small, project):
    lines = refused(small, project, "--default-resources", "runtime=90")
    job = "simulate_file with its group"
    assert lines[:3] == [
        f"cores: {job} asks for 4, partition main allows 2; set 2 at most",
        f"runtime: {job} asks for 90, partition main allows 60; set 60 at most",
        "resources: mem_mb: a job that is tried again asks for 8000, partition main allows 3000; "
        "set 3000 at most",
    ]


def test_a_partition_that_there_is_not_is_told(small, project):
    lines = refused(small, project, "--default-resources", "slurm_partition=gold")
    assert lines[0] == ("slurm_partition: the cluster has no partition 'gold'; name one of main")


def test_where_slurm_is_not_it_is_told(small, project, tmp_path):
    for program in Path("/usr/bin").iterdir():
        if program.name not in PROGRAMS:
            (tmp_path / program.name).symlink_to(program)
    code, said = run(project, small.environment | {"PATH": str(tmp_path)}, PRODUCT, *ON_SLURM)
    assert code == 1
    assert "no command sinfo; start this where Slurm's commands are" in said


@pytest.mark.skipif(not can_mount(), reason="no process here may have mounts of its own")
def test_a_folder_that_nodes_do_not_see_is_told(tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    project = lay_out(tmp_path / "project", "a")
    with slurm(folder, changed=f"mount -t tmpfs none {project}") as cluster:
        lines = refused(cluster, project)
    assert lines[0].startswith(f"{project}: nodes do not see this folder; run this on a disk")


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_database()), reason=missing_database())
def test_an_account_that_slurm_refuses_or_misses_is_told(tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    project = lay_out(tmp_path / "project", "a")
    refusal = (
        "Invalid account or account/partition combination specified; name one that you may use"
    )
    with slurm(folder, account="geology") as cluster:
        lines = refused(cluster, project, "--default-resources", "slurm_account=gold")
        assert lines[0] == f"slurm_account: gold, and sbatch says: allocation failure: {refusal}"
        cluster.ask("sacctmgr", "-i", "delete", "user", "name=root")
        lines = refused(cluster, project)
        assert lines[0].startswith("slurm_account: none is named, and sbatch says: ")
        assert lines[0].endswith(refusal)

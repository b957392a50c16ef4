"""A study on a real Slurm of two nodes, and what becomes of it when jobs and nodes are lost.

Run by `uv run pytest -m slow tests/cluster`.
"""

import os

import pytest
from cluster_runs import CUBE, ON_SLURM, PRODUCT, finish, hidden, lay_out, products, run, start
from slurm import can_mount, missing, missing_database, slurm, until

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm"), nodes=2) as started:
        yield started


@pytest.fixture
def project(tmp_path):
    return lay_out(tmp_path / "project", "a")


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """What a run on this machine makes of the first steps of a scene."""
    folder = lay_out(tmp_path_factory.mktemp("local") / "project", "a")
    code, said = run(folder, dict(os.environ), CUBE, "--cores", "2")
    assert code == 0, said
    return products(folder)


def begin(cluster, folder, *arguments):
    """Start a run on Slurm, and come back when its first tool is at work."""
    process = start(folder, cluster.environment, *arguments, *ON_SLURM)
    until(lambda: hidden(folder) or process.poll() is not None, "no tool starts", 120)
    assert process.poll() is None, process.communicate()[0]
    return process


def check_whole(folder, expected):
    """Nothing is lost, nothing half."""
    assert products(folder) == expected
    assert hidden(folder) == []


def test_the_first_steps_of_a_scene_travel_as_one_job_with_the_bytes_of_a_local_run(
    cluster, project, cube
):
    code, said = run(project, cluster.environment, CUBE, *ON_SLURM)
    assert code == 0, said
    assert said.count("has been submitted with SLURM jobid") == 1
    check_whole(project, cube)


@pytest.mark.slow
def test_a_whole_study_has_the_bytes_of_a_local_run(cluster, tmp_path):
    folders = [lay_out(tmp_path / name, "a") for name in ("local", "slurm")]
    code, said = run(folders[0], cluster.environment, "--cores", "2")
    assert code == 0, said
    code, said = run(folders[1], cluster.environment, *ON_SLURM)
    assert code == 0, said
    assert said.count("has been submitted with SLURM jobid") == 4
    check_whole(folders[1], products(folders[0]))


@pytest.mark.slow
def test_a_cancelled_job_is_made_again(cluster, project, cube):
    process = begin(cluster, project, CUBE)
    cluster.ask("scancel", *cluster.jobs())
    until(lambda: not hidden(project), "the tool leaves its folder")
    code, said = finish(process)
    assert code == 0, said
    assert "CANCELLED" in said
    check_whole(project, cube)


@pytest.mark.slow
def test_a_job_of_a_lost_node_is_made_on_another(cluster, project, cube):
    process = begin(cluster, project, CUBE)
    node = cluster.ask("squeue", "-h", "-o", "%N").strip()
    cluster.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        code, said = finish(process)
    finally:
        # It has come back by itself, if its daemon was quick.
        cluster.ask("scontrol", "update", f"nodename={node}", "state=resume", check=False)
    assert code == 0, said
    check_whole(project, cube)


@pytest.mark.slow
def test_a_run_on_a_node_that_is_drained_ends_and_the_next_goes_elsewhere(cluster, project, cube):
    process = begin(cluster, project, PRODUCT)
    node = cluster.ask("squeue", "-h", "-o", "%N").strip()
    cluster.ask("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        assert finish(process)[0] == 0
        process = start(project, cluster.environment, CUBE, *ON_SLURM)
        until(lambda: cluster.ask("squeue", "-h", "-t", "R", "-o", "%N").strip(), "none starts")
        assert cluster.ask("squeue", "-h", "-t", "R", "-o", "%N").strip() != node
        code, said = finish(process)
    finally:
        cluster.ask("scontrol", "update", f"nodename={node}", "state=resume")
    assert code == 0, said
    check_whole(project, cube)


@pytest.mark.slow
def test_a_job_out_of_memory_is_tried_again_with_more(cluster, project):
    # At first there is too little for Snakemake alone.
    little = ("--set-resources", "simulate_file:mem_mb=60 * attempt ** 3")
    code, said = run(project, cluster.environment, PRODUCT, *little, *ON_SLURM)
    assert code == 0, said
    assert said.count("has been submitted with SLURM jobid") == 2
    assert "480M" in cluster.ask("squeue", "-h", "--states=all", "-o", "%m").split()
    assert (project / PRODUCT).exists()
    assert hidden(project) == []


@pytest.mark.slow
@pytest.mark.parametrize("orphan", ["ends", "runs on"])
def test_a_run_whose_snakemake_was_killed_goes_on(cluster, project, cube, orphan):
    process = begin(cluster, project, CUBE)
    process.kill()
    process.communicate()
    if orphan == "ends":
        cluster.ask("scancel", *cluster.jobs())
        until(lambda: not cluster.jobs(), "the job does not end")
    code, said = run(project, cluster.environment, CUBE, *ON_SLURM)
    assert code == 1
    assert "--unlock" in said
    assert run(project, cluster.environment, CUBE, *ON_SLURM, "--unlock")[0] == 0
    code, said = run(project, cluster.environment, CUBE, *ON_SLURM)
    assert code == 0, said
    until(lambda: not cluster.jobs(), "the job does not end", 120)
    check_whole(project, cube)


@pytest.mark.slow
def test_a_tool_that_was_killed_leaves_what_the_next_run_takes_away(cluster, project, cube):
    process = begin(cluster, project, CUBE)
    cluster.ask("scancel", "--signal=KILL", *cluster.jobs())
    code, said = finish(process)
    assert code == 0, said
    check_whole(project, cube)


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="no process here may have mounts of its own")
def test_a_home_that_nodes_may_not_write_does_no_harm(project, cube, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "slurm"
    home.mkdir()
    folder.mkdir()
    closed = f"mount --bind {home} {home} && mount -o remount,ro,bind {home}"
    with slurm(folder, changed=closed) as cluster:
        code, said = run(project, cluster.environment | {"HOME": str(home)}, CUBE, *ON_SLURM)
    assert code == 0, said
    check_whole(project, cube)


@pytest.mark.slow
@pytest.mark.skipif(bool(missing_database()), reason=missing_database())
@pytest.mark.parametrize("flags", [(), ("--slurm-status-command", "sacct")])
def test_a_slurm_that_keeps_accounts_is_asked_either_way(flags, project, cube, tmp_path):
    folder = tmp_path / "slurm"
    folder.mkdir()
    account = ("--default-resources", "slurm_account=geology")
    with slurm(folder, account="geology") as cluster:
        code, said = run(project, cluster.environment, CUBE, *ON_SLURM, *account, *flags)
    assert code == 0, said
    check_whole(project, cube)

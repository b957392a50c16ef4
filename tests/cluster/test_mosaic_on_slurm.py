"""Ground larger than a scene, four tiles that another scene teaches, on a Slurm of two nodes.

Run by `uv run pytest -m slow tests/cluster/test_mosaic_on_slurm.py`.
"""

import os

import pytest
import yaml
from cluster_runs import ON_SLURM, finish, hidden, products, start
from mosaics import SMALL
from projects import copy_project
from slurm import missing, slurm

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]

SETTINGS = ("--configfile", "config/examples/bahia_mosaic.yaml", "small.yaml")


def run(folder, environment, *arguments):
    folder.mkdir()
    copy_project(folder)
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    code, said = finish(start(folder, environment, *arguments, *SETTINGS), within_s=3000)
    assert code == 0, said[-4000:]
    return products(folder)


def test_four_tiles_become_one_map_with_the_bytes_of_a_local_run(tmp_path):
    place = tmp_path / "cluster"
    place.mkdir()
    with slurm(place, nodes=2, cpus=1) as cluster:
        made = run(tmp_path / "slurm", cluster.environment, *ON_SLURM, "--cores", "1")
        kept = cluster.ask("squeue", "-h", "--states=all", "-o", "%N").split()
    assert set(kept) == set(cluster.names)
    assert made == run(tmp_path / "local", dict(os.environ), "--cores", "2")
    assert hidden(tmp_path / "slurm") == []

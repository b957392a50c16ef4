"""The schedule of a state, as a simulation has it."""

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def state(root):
    spec = importlib.util.spec_from_file_location("state", root / "benchmarks/state.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["state"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def jobs(state):
    """Ten jobs of an hour on two cores, 2 GB and no bytes, and one that waits for them all."""
    step = state.Step("work", 2, 7200.0, 2.0, 0.0)
    made = {("work", tile, 0): (step, []) for tile in range(10)}
    return made | {("end", -1, 0): (step, list(made))}


@pytest.mark.parametrize(
    ("cores", "memory_gb", "hours"), [(2, 99, 11), (20, 99, 2), (200, 99, 2), (20, 4, 6)]
)
def test_cores_and_memory_hold_jobs_back(state, jobs, cores, memory_gb, hours):
    told = state.simulate(jobs, cores, memory_gb, 1000)
    assert told["hours"] == pytest.approx(hours)
    assert told["tiles"] == pytest.approx(hours - 1)
    assert told["busy"] == pytest.approx(22 / (cores * hours))


def test_jobs_share_the_file_system(state):
    step = state.Step("read", 1, 60.0, 1.0, 3600.0)
    jobs = {("read", tile, 0): (step, []) for tile in range(10)}
    assert state.simulate(jobs, 10, 99, 10)["hours"] == pytest.approx(1)


def test_tiles_wait_for_the_teacher_and_the_whole_for_all_tiles(state):
    rules = [*state.CHAIN, *state.JOINED, "map_ground_agreement", "rank_ground_targets"]
    costs = dict.fromkeys(rules, state.Cost(2, (1.0, 1.0), (1.0, 1.0), 1.0))
    planned = state.plan(costs, 3)
    assert ("composite_dates", 0, 0) in planned["map_forest", 2, 1][1]
    assert len(planned["mosaic_numbers", -1, 0][1]) == 3 * 3
    assert planned["rank_ground_targets", -1, 0][1] == [("map_ground_agreement", -1, 0)]

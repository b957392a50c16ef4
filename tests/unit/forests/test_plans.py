import json

import pytest

from gossan.errors import InputError
from gossan.forests.plans import Plan, read_plans


def test_a_plan_with_weights_is_read_as_it_was_written(tmp_path):
    for plan in (Plan(), Plan(weights=((1, 0.9), (7, 0.25)))):
        (tmp_path / "plan.json").write_text(json.dumps(plan.to_json()))
        assert read_plans(tmp_path / "plan.json") == [plan]


@pytest.mark.parametrize("weights", ['{"1": 0}', '{"ore": 1}', '{"1": "much"}', "[1]"])
def test_weights_without_meaning_are_refused(tmp_path, weights):
    (tmp_path / "plan.json").write_text(f'{{"weights": {weights}}}')
    with pytest.raises(InputError, match="weights"):
        read_plans(tmp_path / "plan.json")


def test_an_empty_plan_is_refused(tmp_path):
    path = tmp_path / "plans.json"
    path.write_text("{}")
    with pytest.raises(InputError, match=r"plans\.json, plan 1: is empty"):
        read_plans(path)

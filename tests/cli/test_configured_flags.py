"""What the configuration sets has no second default in a tool."""

import importlib

import pytest
from samples import CONFIGURED


@pytest.mark.parametrize("tool", sorted(CONFIGURED))
def test_a_tool_asks_for_every_flag_that_the_configuration_sets(tool):
    flags = {word for word in CONFIGURED[tool] if str(word).startswith("--")}
    parser = importlib.import_module(tool).build_parser()
    asked = {
        action.option_strings[0]
        for action in parser._actions
        if action.required and action.default is None
    }
    assert flags <= asked

import numpy as np
import pytest
from sensor_reports import SENSORS, missing_sets

from gossan.embedding.sensor_scores import (
    METHOD_LABELS,
    join_words,
    lacks_hyperspectral,
    list_minerals,
    method_label,
    name_sensors,
    order_methods,
    parse_sensors,
    similarities,
    subset_scores,
)
from gossan.errors import InputError
from gossan.tables import number, value_of


def test_sets_of_sensors_are_read_in_the_order_of_a_stack():
    assert parse_sensors("sentinel2+emit") == ("emit", "sentinel2")
    assert name_sensors(("emit", "prisma", "sentinel2")) == "EMIT, PRISMA and Sentinel-2"
    assert name_sensors(()) == ""
    assert join_words(["one"]) == "one"


@pytest.mark.parametrize("text", ["emit+aviris", "", "emit enmap"])
def test_an_unknown_sensor_is_named(text):
    with pytest.raises(InputError, match="is unknown; join emit"):
        parse_sensors(text)


def test_methods_come_in_one_order_whatever_that_of_the_rows():
    rows = [{"method": name} for name in ("shape", "new_method", "masked", "sam", "masked")]
    assert order_methods(rows) == ["masked", "sam", "shape", "new_method"]
    assert method_label("new_method") == "New method"
    assert method_label("ocsvm") == METHOD_LABELS["ocsvm"]
    rows = [{"mineral": name} for name in ("jarosite", "macro", "alunite", "jarosite")]
    assert list_minerals(rows) == ["jarosite", "alunite"]


def test_empty_cells_are_no_numbers():
    assert number({"f1": "0.25"}, "f1") == 0.25
    assert number({"f1": ""}, "f1") is None
    assert number({}, "f1") is None
    assert number(None, "f1") is None
    row = {"f1": "0.5", "f1_low": "", "f1_high": "0.6"}
    assert value_of(row, "f1") == {"value": 0.5, "low": None, "high": 0.6}


def row(sensors, method, f1, kind="validation", mineral="macro"):
    own = {"sensors": sensors, "method": method, "f1": f1}
    return own | {"threshold_kind": kind, "mineral": mineral}


def test_scores_of_sets_are_of_one_threshold_and_one_mineral():
    rows = [
        row("sentinel2", "masked", "0.3"),
        row("emit+sentinel2", "masked", "0.6"),
        row("emit+sentinel2", "masked", "0.2", kind="full"),
        row("emit+sentinel2", "sam", ""),
        row("emit", "masked", "0.5", mineral="alunite"),
        row("emit", "sam", "0.4"),
    ]
    scores = subset_scores(rows)
    assert list(scores) == [("emit", "sentinel2"), ("emit",), ("sentinel2",)]
    assert scores["emit", "sentinel2"] == {"masked": 0.6}
    assert subset_scores(rows, kind="full") == {("emit", "sentinel2"): {"masked": 0.2}}
    assert subset_scores(rows, "alunite") == {("emit",): {"masked": 0.5}}


def test_a_missing_spectrometer_counts_only_where_there_is_one():
    assert lacks_hyperspectral(("emit", "enmap"))
    assert not lacks_hyperspectral(("emit", "enmap", "prisma"))
    assert not lacks_hyperspectral(("emit",), ("emit", "sentinel2"))
    lacking = [s for s in missing_sets() if lacks_hyperspectral(set(SENSORS) - set(s))]
    assert len(lacking) == 27


def test_similarities_have_few_missing_sensors_first():
    rows = [
        {"missing": "emit+enmap", "mineral": "alunite", "cosine": "0.9"},
        {"missing": "prisma", "mineral": "alunite", "cosine": "0.99"},
        {"missing": "prisma", "mineral": "calcite", "cosine": ""},
    ]
    found = similarities(rows, "cosine")
    assert list(found) == [("prisma",), ("emit", "enmap")]
    assert found["prisma",] == {"alunite": pytest.approx(0.99)}
    assert np.isfinite(list(found["emit", "enmap"].values())).all()

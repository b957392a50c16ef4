import pytest

from gossan.report import phrases


def value(number, low=None, high=None):
    return {"value": number, "low": low, "high": high}


@pytest.mark.parametrize(
    ("synthetic", "assessed", "said"),
    [
        ([True, True], True, "nothing about any real place"),
        ([True, False], True, "does not carry over"),
        ([False], True, "not for other ground"),
        ([False], False, "to be checked on the ground"),
    ],
)
def test_trust_depends_on_what_was_simulated_and_tested(synthetic, assessed, said):
    assert said in phrases.trust(synthetic, assessed)


def test_words_are_joined():
    assert phrases.join_words([]) == ""
    assert phrases.join_words(["a"]) == "a"
    assert phrases.join_words(["a", "b", "c"]) == "a, b and c"
    assert phrases.join_once(["a", "", "b", "a"]) == "a; b"


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_there_is_not_is_no_number(nothing):
    assert phrases.number(nothing) == "undefined"
    assert phrases.percent(nothing) == "–"
    assert phrases.percent(nothing, without="undefined") == "undefined"
    assert phrases.count(nothing) == "–"
    assert phrases.area_text(None) == phrases.part_of(1, 0) == "–"


def test_numbers_from_tables_and_records_read_alike():
    assert phrases.number("0.12345") == phrases.number(0.12345) == "0.123"
    assert phrases.percent("0.5", 2) == "50.00%"
    assert phrases.count("1234.0") == "1,234"
    assert phrases.part_of(1, 8) == "12.5%"
    assert phrases.area_text(0.001) == "< 0.01"
    assert phrases.area_text(1234.5) == "1,234.50"


def test_a_number_says_its_interval_or_why_it_has_none():
    known = value(0.8, 0.75, 0.85)
    assert phrases.with_interval(known) == "0.800 (95 % interval 0.750 to 0.850)"
    assert phrases.with_interval(value(0.8)) == "0.800"
    assert phrases.with_interval(value(0.8), without="few") == "0.800 (few)"
    assert phrases.with_interval(value(None)) == "undefined"
    assert phrases.interval(known, ".1%") == "95 % interval 75.0% to 85.0%"
    assert phrases.card("F1", known, "12")["note"] == "95 % interval 0.750 to 0.850, n = 12"
    assert phrases.card("F1", value(None)) == {
        "name": "F1",
        "text": "undefined",
        "note": "no interval: too few blocks",
    }

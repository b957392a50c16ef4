"""CSV tables: what is written comes back, empty cells, comments, missing columns."""

import json

import numpy as np
import pytest

from gossan.errors import InputError
from gossan.tables import number, read_numbers, read_table, value_of, write_rows, write_table


def test_rows_come_back_as_text(tmp_path):
    rows = [{"name": "alunite, pink", "f1": 0.5}, {"name": "illite", "f1": 1}]
    write_table(tmp_path / "t.csv", rows)
    back = read_table(tmp_path / "t.csv", ["name", "f1"])
    assert back == [{"name": "alunite, pink", "f1": "0.5"}, {"name": "illite", "f1": "1"}]
    with pytest.raises(ValueError, match="other"):
        write_table(tmp_path / "t.csv", [*rows, {"name": "x", "f1": 0, "other": 1}])
    assert read_table(tmp_path / "t.csv", []) == back


def test_missing_numbers_are_empty_cells(tmp_path):
    columns = ("zone", "f1", "f1_low", "f1_high")
    write_rows(
        tmp_path / "t.csv", columns, [{"zone": "a", "f1": 0.25, "f1_low": None}, {"zone": "b"}]
    )
    first, second = read_table(tmp_path / "t.csv", columns)
    assert value_of(first, "f1") == {"value": 0.25, "low": None, "high": None}
    assert number(second, "f1") is number(None, "f1") is number(first, "gone") is None
    np.testing.assert_array_equal(read_numbers("t.csv", [first, second], "f1"), [0.25, np.nan])
    with pytest.raises(InputError, match=r"t.csv, line 2: the column zone holds no number"):
        read_numbers("t.csv", [first], "zone")


def test_a_table_without_rows_keeps_its_header(tmp_path):
    write_rows(tmp_path / "t.csv", ("a", "b"), [])
    assert (tmp_path / "t.csv").read_text() == "a,b\n"
    assert read_table(tmp_path / "t.csv", ["b"]) == []


def test_comments_and_blank_lines_are_passed_over(tmp_path):
    (tmp_path / "t.csv").write_text("# made by hand\na,b\n\n1,2\n")
    assert read_table(tmp_path / "t.csv", ["a"]) == [{"a": "1", "b": "2"}]


def test_a_table_that_cannot_serve_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"t.csv: lacks the column c, d"):
        read_table(tmp_path / "t.csv", ["a", "c", "d"])
    with pytest.raises(InputError, match=r"gone.csv: no such table"):
        read_table(tmp_path / "gone.csv", [])
    (tmp_path / "map.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(InputError, match=r"map.csv: not a text file"):
        read_table(tmp_path / "map.csv", [])


def test_a_cell_that_is_no_number_says_where_it_stands(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"name,n,share\na,3,0.5\nb,2.5,1e999\nc,,{'9' * 5000}\nd,{'9' * 5000},x\n")
    rows = read_table(path, ["name"])
    assert (float(rows[0]["share"]), int(rows[0]["n"])) == (0.5, 3)
    assert rows[0] == {"name": "a", "n": "3", "share": "0.5"}
    assert json.dumps(rows[0]) == '{"name": "a", "n": "3", "share": "0.5"}'
    for read, place in (
        (lambda: int(rows[1]["n"]), r"t\.csv, line 3: the column n holds no whole number \(2\.5\)"),
        (lambda: float(rows[1]["share"]), r"line 3: the column share holds no finite number"),
        (lambda: float(rows[2]["n"]), r"line 4: the column n holds no number \(empty\)"),
        (lambda: float(rows[2]["share"]), r"line 4: the column share holds no finite number"),
        (lambda: int(rows[3]["n"]), r"line 5: the column n holds no whole number \(9+\)"),
        (lambda: float(rows[3]["share"]), r"line 5: the column share holds no number \(x\)"),
        (lambda: rows[0]["area"], r"t\.csv: lacks the column area; make the table again"),
    ):
        with pytest.raises(InputError, match=place):
            read()

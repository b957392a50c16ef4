"""Tables as people save them: every encoding, separator and decimal sign is read, or named."""

import unicodedata

import pytest

from gossan.delimited import parse_delimited, plain_text, read_delimited
from gossan.errors import InputError

COLUMNS = ("name", "value", "place")
ROWS = [
    {"name": "Filito São João", "value": "0.35", "place": "432000.5"},
    {"name": 'd’or; "rich", µ', "value": "1.5e-3", "place": "1"},
]


def saved(tmp_path, *, separator=",", decimal=".", encoding="utf-8", end="\n", change=str):
    lines = [separator.join(COLUMNS)]
    for row in ROWS:
        quoted = '"' + change(row["name"]).replace('"', '""') + '"'
        numbers = [row[name].replace(".", decimal) for name in COLUMNS[1:]]
        if decimal == separator:
            numbers = [f'"{number}"' for number in numbers]
        lines.append(separator.join([quoted, *numbers]))
    path = tmp_path / "t.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"end": "\r\n", "encoding": "utf-8-sig"},
        {"end": "\r"},
        {"separator": ";", "decimal": ","},
        {"separator": "\t"},
        {"separator": "\t", "decimal": ",", "encoding": "utf-16", "end": "\r\n"},
        {"decimal": ","},
        {"encoding": "cp1252", "separator": ";"},
        {"change": lambda text: unicodedata.normalize("NFD", text)},
        {"change": lambda text: f"\u00a0 {text.replace(' ', chr(0x202F))}\u200b "},
    ],
)
def test_one_table_saved_in_many_ways_reads_the_same(tmp_path, how):
    assert read_delimited(saved(tmp_path, **how), COLUMNS).rows == ROWS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1;1,234\n2;3,456\n", "column 'b': is the comma of 1,234 a decimal one"),
        ("a;b\n0,5;1.234\n", "is the comma of 0,5 a decimal one"),
        ("a;b\n0.5;1,234\n", "is the comma of 1,234 a decimal one"),
        ("a;b\n0,5;1,234,567\n", "is the comma of 1,234,567 a decimal one"),
        ("a,b\n0,5,1\n", "t.csv, line 2: 3 columns where the header has 2"),
        ("a,,b\n1,2,3\n", "column 2 has no name"),
        ("a,b,a\n1,2,3\n", "column 'a' stands twice"),
        ('a,b\n"1,2\n3,4\n', "t.csv, line 3: unexpected end of data; mend its quotation marks"),
        ("wavelength value\n1 2\n", "lacks the column a (one column: 'wavelength value')"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_by_name(text, expected):
    with pytest.raises(InputError) as caught:
        parse_delimited(text, "t.csv", ["a"])
    assert expected in str(caught.value)


def test_a_table_of_decimal_commas_may_hold_three_decimals():
    table = parse_delimited("a;b;c\n0,350;1,234;x,y\n2;;1,5\n", "t.csv")
    assert table.rows == [
        {"a": "0.350", "b": "1.234", "c": "x,y"},
        {"a": "2", "b": "", "c": "1,5"},
    ]


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("cp1251", "кварцит"), ("cp1253", "χαλαζίας"), ("mac-roman", "São"), ("cp1250", "złoto")],
)
def test_another_code_page_is_refused_and_not_misread(tmp_path, encoding, word):
    (tmp_path / "t.csv").write_bytes(f"name\n{word}\n".encode(encoding))
    with pytest.raises(InputError, match=r"t\.csv: not UTF-8.*save it as UTF-8"):
        read_delimited(tmp_path / "t.csv")


def test_what_a_spreadsheet_adds_is_taken_off():
    text = "sep=;\r\na;b;;\r\n# a note\r\n1;2;;\r\n;;;\r\n3;;;\r\n"
    table = parse_delimited(text, "t.csv", ["b"])
    assert (table.columns, table.lines) == (["a", "b"], [4, 6])
    assert table.rows == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_a_row_that_begins_with_a_colour_is_no_comment():
    table = parse_delimited("colour,name\n#123456,a\n# 123,b\n", "t.csv")
    assert table.rows == [{"colour": "#123456", "name": "a"}]


def test_a_table_that_must_be_whole_lacks_no_cell():
    parse_delimited("a,b\n1,\n", "t.csv", whole=True)
    with pytest.raises(InputError, match=r"t\.csv, line 2: 1 columns where the header has 2"):
        parse_delimited("a,b\n1\n", "t.csv", whole=True)


def test_texts_that_look_equal_are_equal():
    assert plain_text("Sa\u0303o\u00a0 Joa\u0303o\u00ad ") == plain_text("São João") == "São João"

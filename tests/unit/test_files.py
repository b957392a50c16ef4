"""Files that are whole or absent, and JSON in them."""

import pytest

from gossan.errors import InputError
from gossan.files import read_json, staged, write_json, write_text


def test_what_is_written_comes_back(tmp_path):
    value = {"name": "Ägypten", "numbers": [1, 2.5, None], "inner": {"yes": True}}
    write_json(tmp_path / "new" / "a.json", value)
    assert read_json(tmp_path / "new" / "a.json") == value
    assert "Ägypten" in (tmp_path / "new" / "a.json").read_text(encoding="utf-8")


def test_json_without_numbers_is_refused_and_the_older_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert read_json(path) == {"value": 1}


def test_a_write_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), staged(tmp_path / "map.tif") as temporary:
        assert temporary.suffix == ".tif"
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "not JSON"), ("[1, 2]", "holds no JSON object"), (None, "no such file")],
)
def test_what_holds_no_object_is_named(tmp_path, text, said):
    path = tmp_path / "a.json"
    if text is not None:
        write_text(path, text)
    with pytest.raises(InputError, match=f"a.json: {said}"):
        read_json(path)

"""Entries of products, their lock, and where their files lie."""

import json

import pytest

from gossan.errors import InputError
from gossan.paths import fetched_name, is_there
from gossan.product_entries import lock_faults, read_entries
from gossan.product_lock import (
    describe_missing,
    find_file,
    is_folder,
    leaf_of,
    missing_files,
    names_in,
    read_lock,
    search_of,
)

ENTRY = {"source": "http", "url": "https://example.org/a.tif", "licence": "CC0", "page": "PAGE"}
FILE = {"name": "a.tif", "url": ENTRY["url"], "size": 4, "checksum": ""}


def locked(**changes):
    told = {"items": ["a"], "product": "a.tif", "page": "PAGE", "files": [FILE]}
    return {"search": search_of(ENTRY), **told, **changes}


def faults(entries, lock, name="mine"):
    return lock_faults([name], entries, lock, "products.yaml", "lock.json")


def test_a_name_stands_in_place_of_a_path_and_counts_as_there():
    assert fetched_name("fetch:my-product") == "my-product"
    assert fetched_name("fetch:my-product|layername=final") == "my-product"
    assert not any(map(fetched_name, ("fetch:", "fetch:a/b", "fetch:../a", "prefetch:a", "a.tif")))
    assert is_there("fetch:my-product") and not is_there("fetch:a/b")
    assert names_in(["a.tif", "fetch:b", "fetch:a", "fetch:b"]) == ["b", "a"]


def test_an_entry_that_the_lock_lacks_or_has_of_another_search_is_told():
    assert faults({"mine": ENTRY}, {"mine": locked()}) == []
    [fault] = faults({"mine": ENTRY}, {})
    assert fault.startswith("fetch:mine: is not resolved; search for it: python scripts/resolve_")
    [fault] = faults({"mine": {**ENTRY, "url": "https://example.org/b.tif"}}, {"mine": locked()})
    assert fault.startswith("fetch:mine: lock.json is of another search; search for it: python")
    [fault] = faults({"mine": ENTRY}, {}, "mien")
    assert fault == "fetch:mien: products.yaml has no such entry; did you mean 'mine'?"


def test_what_is_only_told_of_a_product_is_no_part_of_its_search():
    assert search_of({**ENTRY, "licence": "other", "citation": "x"}) == search_of(ENTRY)


def test_all_that_is_missing_is_told_with_item_size_page_and_place(tmp_path):
    [line] = describe_missing("mine", locked(), tmp_path)
    assert line == f"fetch:mine: a, 0.0 MB, from PAGE -> {tmp_path / 'a.tif'}"
    (tmp_path / "a.tif").write_bytes(b"II*\0and more")
    assert missing_files(locked(), tmp_path) == [FILE]
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    assert missing_files(locked(), tmp_path) == []


def test_of_many_missing_files_one_line_is_told(tmp_path):
    files = [{**FILE, "name": f"{number}.tif"} for number in range(30)]
    [line] = describe_missing("mine", locked(files=files, product="."), tmp_path)
    assert line == f"fetch:mine: a, …, 30 files, from PAGE -> {tmp_path}"


@pytest.mark.parametrize("name", ["../a.tif", "/etc/passwd", "a/b", ".hidden", "{leaf}", "<logs>"])
def test_a_lock_names_files_of_its_own_folder_alone(tmp_path, name):
    files = [{**FILE, "name": name}]
    for told in (locked(files=files), locked(product=name)):
        (tmp_path / "lock.json").write_text(json.dumps({"products": {"mine": told}}))
        with pytest.raises(InputError, match="is no name for a file; refused"):
            read_lock(tmp_path / "lock.json")


def test_a_file_of_a_pattern_is_found_in_whatever_capitals(tmp_path):
    (tmp_path / "ENMAP01-x.ZIP").touch()
    (tmp_path / "ENMAP01-x.ZIP.sha256").touch()
    file = {"name": "ENMAP01-*.zip", "size": None}
    assert find_file(tmp_path, file) == tmp_path / "ENMAP01-x.ZIP"
    assert find_file(tmp_path / "nowhere", file) is None


def test_a_product_is_a_file_or_the_folder_of_its_files():
    assert leaf_of(locked()) == "a.tif" and not is_folder(locked())
    assert leaf_of(locked(product=".")) == "files" and is_folder(locked(product="."))
    assert leaf_of(locked(product="PRS_*.he5")) == "product.he5"


def test_a_lock_that_is_not_there_is_empty_and_a_damaged_one_is_told(tmp_path):
    assert read_lock(tmp_path / "lock.json") == {}
    (tmp_path / "lock.json").write_text("{}")
    with pytest.raises(InputError, match="lacks 'products'"):
        read_lock(tmp_path / "lock.json")


def test_the_table_that_comes_along_has_no_faults_and_its_lock_is_of_its_searches(
    root, monkeypatch
):
    monkeypatch.chdir(root)
    schema = json.loads((root / "workflow/schemas/products.schema.json").read_text())
    entries, found = read_entries("config/products.yaml", schema)
    assert found == []
    for name, entry in read_lock("config/products.lock.json").items():
        assert entry["search"] == search_of(entries[name])
    assert all(entry.get("citation") and entry.get("page") for entry in entries.values())


def test_every_name_in_the_studies_is_an_entry(root):
    schema = json.loads((root / "workflow/schemas/products.schema.json").read_text())
    entries, _ = read_entries(root / "config/products.yaml", schema)
    texts = [path.read_text() for path in (root / "config").rglob("*.*") if path.is_file()]
    words = {word.strip("[],") for text in texts for word in text.split()}
    named = names_in(sorted(word for word in words if word.startswith("fetch:")))
    assert len(named) > 8 and set(named) <= {*entries, "NAME"}

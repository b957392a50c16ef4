"""Which files are the user's, and how they are called."""

import pytest

from gossan.paths import find_beside, is_companion, list_files, split_layer


@pytest.mark.parametrize(
    "name",
    [
        "._B1.TIF",
        "./._B1.TIF",
        ".DS_Store",
        "inner/.DS_Store",
        "__MACOSX/B1.TIF",
        "__MACOSX/inner/._B1.TIF",
        "Thumbs.db",
        "thumbs.DB",
        "inner\\desktop.ini",
    ],
)
def test_what_macos_and_windows_leave_is_no_file_of_the_user(name):
    assert is_companion(name)


@pytest.mark.parametrize("name", ["B1.TIF", "./B1.TIF", "../B1.TIF", "a.b/_c.tif", "MACOSX.txt"])
def test_other_files_are_the_users(name):
    assert not is_companion(name)


def test_a_folder_that_lies_in_a_hidden_one_has_files_all_the_same(tmp_path):
    folder = tmp_path / ".hidden"
    (folder / "__MACOSX").mkdir(parents=True)
    for name in ("b.tif", "a.tif", "._a.tif", "__MACOSX/c.tif"):
        (folder / name).touch()
    assert [file.name for file in list_files(folder, "**/*")] == ["a.tif", "b.tif"]


def test_a_file_beside_is_found_whatever_its_capitals(tmp_path):
    for name in ("LIB.HDR", "lib.hdr", "._x.hdr", "Other.Hdr"):
        (tmp_path / name).touch()
    assert find_beside(tmp_path / "a", "LIB.HDR").name == "LIB.HDR"
    assert find_beside(tmp_path / "a", "lib.hdr").name == "lib.hdr"
    assert find_beside(tmp_path / "a", "none.hdr", "OTHER.HDR").name == "Other.Hdr"
    assert find_beside(tmp_path / "a", "none.hdr") is None


def test_a_layer_stands_behind_its_file_as_qgis_writes_it(tmp_path):
    assert split_layer(tmp_path / "a.gpkg|layername=final 2") == (tmp_path / "a.gpkg", "final 2")
    assert split_layer("a.gpkg") == (type(tmp_path)("a.gpkg"), "")

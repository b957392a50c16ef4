"""A large table is run in parts: each plans some of the scenes, and a last run what they share."""

import re

import pytest
from dry_runs import run_all
from projects import copy_project

SCENES = [f"tile-{number}" for number in range(7)]
MADE = re.compile(r"Writing the page of (tile-\d)$", re.MULTILINE)
SHARED = ("Writing the index", "Writing the report", "Writing the STAC catalogue")


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """What the three parts of a table and then the whole would do."""
    folder = copy_project(tmp_path_factory.mktemp("parts"))
    rows = [f"{scene}\tmine\tlandsat\tproduct.tar\t" for scene in SCENES]
    (folder / "product.tar").touch()
    (folder / "my.tsv").write_text("\n".join(["scene\tstudy\tsensor\tproduct\ttruth", *rows]))
    (folder / "my.yaml").write_text("scenes: my.tsv\nstudies: {mine: {mnf: {}}}\n")
    ends = ("--configfile", "my.yaml")
    parts = [["scenes", "--batch", f"scenes={part}/3", *ends] for part in (1, 2)]
    # The last part asks that the others have left their pages.
    whole = [["scenes", *ends], list(ends)]
    runs = run_all(folder, [*parts, *whole], tmp_path_factory.mktemp("logs"))
    for scene in SCENES[:5]:
        page = folder / f"results/scenes/{scene}/index.html"
        page.parent.mkdir(parents=True)
        page.touch()
    early = run_all(
        folder,
        [["scenes", "--batch", "scenes=3/3", *ends]],
        tmp_path_factory.mktemp("last"),
    )
    return [*runs, *early]


def test_the_parts_are_all_scenes_and_none_twice_and_no_page_that_they_share(plans):
    first, second, scenes, whole, last = plans
    for code, listing in plans:
        assert code == 0, listing[-2000:]
    planned = [set(MADE.findall(listing)) for _, listing in (first, second)]
    assert [len(part) for part in planned] == [3, 2]
    assert not planned[0] & planned[1]
    assert set(MADE.findall(scenes[1])) == set(MADE.findall(whole[1])) == set(SCENES)
    assert set(SCENES) - planned[0] - planned[1] <= set(MADE.findall(last[1]))
    for _, listing in (first, second, scenes):
        assert not [words for words in SHARED if words in listing]
    assert all(words in whole[1] for words in SHARED)

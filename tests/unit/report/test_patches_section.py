import dataclasses
import json

import pytest
from network_runs import PROPORTIONS, make_runs
from patch_scenes import CHALCOCITE, FELDSPAR, split_table

from gossan.errors import InputError
from gossan.report.patches_section import (
    PatchesScene,
    network_answers,
    network_context,
    published_accuracies,
    published_epoch,
    published_shares,
    read_proportions,
    read_runs,
    summarise,
)

NAMES = {"chalcocite": "Chalcocite", "feldspar": "Feldspar (microcline)"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("runs")
    make_runs(made, split_table(), [CHALCOCITE, FELDSPAR])
    (made / "proportions.csv").write_text(PROPORTIONS)
    return made


@pytest.fixture
def networks(folder):
    order = ("paper-blocked", "published", "compact-blocked", "reflectance-blocked")
    return make_scene(
        read_runs(order, folder)[0],
        read_proportions(folder / "proportions.csv"),
    )


def make_scene(runs, proportions):
    return PatchesScene(
        id="tiny", cube={}, figures={}, runs=runs, proportions=proportions, labels=NAMES
    )


@pytest.fixture
def published(root):
    return json.loads((root / "resources/static/published.json").read_text())["gilgit"]


def with_accuracy(run, value, low=None, high=None):
    scores = {**run.accuracy["scores"]}
    scores["overall_accuracy"] = {**run.overall, "value": value, "low": low, "high": high}
    return dataclasses.replace(run, accuracy={**run.accuracy, "scores": scores})


def findings(networks, paper, **changes):
    runs = [
        with_accuracy(run, *changes[key]) if (key := run.name.replace("-", "_")) in changes else run
        for run in networks.runs
    ]
    context = network_context(make_scene(runs, networks.proportions), paper)
    return " ".join(context["findings"])


def test_runs_are_named_by_network_input_and_classes(networks):
    assert [run.label for run in networks.runs] == [
        *("Paper's network", "Paper's network", "Compact network", "Compact network, reflectance"),
    ]
    classes = [{"code": code, "name": str(code)} for code in range(13)]
    many = dataclasses.replace(
        networks.runs[2], record={**networks.runs[2].record, "classes": classes}
    )
    assert many.label == "Compact network, 13 classes"
    assert networks.find("compact", "blocked").name == "compact-blocked"
    assert make_scene([many], []).find("compact", "blocked") is None


def with_apart(networks, value, low=None, high=None):
    """The findings where the network as published scores so on ground kept apart."""
    overall = {"value": value, "low": low, "high": high}
    runs = [
        dataclasses.replace(run, apart={"n": 90, "scores": {"overall_accuracy": overall}})
        if run.apart
        else run
        for run in networks.runs
    ]
    return make_scene(runs, networks.proportions)


@pytest.mark.parametrize(
    ("apart", "own", "words"),
    [
        ((0.8, 0.7, 0.9), (0.95, 0.85, 1), "+15.0 percentage points. The intervals overlap"),
        ((0.8, 0.7, 0.9), (0.95, 0.91, 1), "The intervals lie apart."),
        ((1.0, 0.8, 1.0), (1.0, 0.7, 1.0), "There is no gap: where colours can be counted"),
        ((0.9,), (0.85, 0.8, 0.9), "The gap is −5.0 percentage points. Without both intervals"),
    ],
)
def test_the_leak_is_the_same_network_on_copies_and_on_ground_kept_apart(
    networks, published, apart, own, words
):
    runs = [
        with_accuracy(run, *own) if run.apart else run for run in with_apart(networks, *apart).runs
    ]
    text = " ".join(network_context(make_scene(runs, []), published)["findings"])
    assert words in text


def test_copies_are_told_as_counts_with_the_accuracy_of_both(networks, published):
    leak = networks.find("paper", "published").record["leak"]
    copies, tested = leak["test_copies_of_training_patches"], leak["test_images"]
    text = findings(networks, published)
    assert leak["crossing"] > 0
    assert f"In the published protocol, {leak['crossing']:,} of {leak['source_patches']:,}" in text
    assert f"{copies} of {tested} test images ({copies / tested:.1%}) are copies" in text
    assert "In the blocked protocol, 0 of " in text
    mixed = {**leak, "accuracy_of_copies": 0.9, "accuracy_of_others": 0.5}
    runs = [
        dataclasses.replace(run, record={**run.record, "leak": mixed}) if run.apart else run
        for run in networks.runs
    ]
    context = network_context(make_scene(runs, []), published)
    assert "it is right in 90.0% of the copies and 50.0% of the others" in " ".join(
        context["findings"]
    )


def test_a_network_of_shuffled_labels_shows_what_copies_are_worth(networks, published):
    assert "Control" not in findings(networks, published)
    scores = {
        "test": {"n": 50, "overall_accuracy": {"value": 1.0, "low": 0.8, "high": 1.0}},
        "apart": {"n": 90, "overall_accuracy": {"value": 0.43, "low": 0.2, "high": 0.6}},
    }
    runs = [
        dataclasses.replace(run, record={**run.record, "shuffled": scores}) if run.apart else run
        for run in networks.runs
    ]
    text = " ".join(network_context(make_scene(runs, []), published)["findings"])
    assert "is right in 100.0% (n = 50; 95 % interval 80.0% to 100.0%) of the test images" in text
    assert "and in 43.0% (n = 90; 95 % interval 20.0% to 60.0%) of those of ground kept" in text


def test_as_published_stands_beside_ours_on_the_same_images(networks, published):
    comparison = network_context(networks, published)["comparison"]
    rows = {row["measure"]: row for row in comparison["rows"]}
    assert rows["Training accuracy, last epoch"]["paper"] == "96 % (Table 2); 96.88 % (Table 1)"
    own = rows["Test accuracy on the network's own split"]
    assert own["paper"] == "92.87 % (Table 2); 95.09 % (text)"
    apart = rows["Test accuracy on ground kept apart"]
    theirs, ours, difference = apart["cells"]
    made = {run.name: run for run in networks.runs}
    assert theirs["value"] == made["published"].apart["scores"]["overall_accuracy"]["value"]
    assert ours["value"] == made["compact-blocked"].overall["value"]
    gain = 100 * (ours["value"] - theirs["value"])
    assert difference.startswith(f"{gain:+.1f}".replace("-", "−"))
    assert rows["Images that train"]["paper"] == "2,122 of 3,032"
    assert "F1 of Chalcocite on ground kept apart" in rows
    better = "better" if gain > 0 else "worse"
    assert f"ours is {better} by" in comparison["verdict"]
    alone = make_scene([run for run in networks.runs if not run.apart], [])
    assert network_context(alone, published)["comparison"] is None


def test_networks_of_colours_are_measured_against_counting(networks, published):
    text = findings(networks, published, paper_blocked=(1.0,), published=(0.99,))
    below = sum(run.overall["value"] < 1 for run in networks.runs if run.name == "compact-blocked")
    assert "is right in 100.0% of the test images, by the making of the labels" in text
    assert f"{1 + below} of 3 such networks fall short of the rule" in text


def test_less_than_published_says_what_differs(networks, published):
    text = findings(networks, published, paper_blocked=(0.85, 0.7, 0.95))
    for words in (
        "92.87 % (Table 2) and 95.09 % (text), the 85.00%",
        "Its interval reaches 92.87%",
        "140 images train it, against about 2,122",
        "8 × 8 pixels, the paper's of 302 × 302",
        "right in 87.5% of the training",
    ):
        assert words in text
    text = findings(networks, published, paper_blocked=(0.85, 0.8, 0.9))
    assert "too small to call it worse" not in text
    text = findings(networks, published, paper_blocked=(0.93, 0.9, 0.95))
    assert "are not less" in text
    assert "What differs" not in text
    assert "Beside the published test accuracies" not in findings(networks, {})


def test_the_compact_network_is_set_against_the_paper_s(networks, published):
    for ours, words in ((0.8, "worse than the paper's by 10.0"), (0.95, "better than the paper's")):
        text = findings(networks, published, paper_blocked=(0.9,), compact_blocked=(ours,))
        assert words in text
        assert "46,849 parameters, the paper's 4,297,825, which is 92 times as many" in text
    text = findings(networks, published, paper_blocked=(0.9,), compact_blocked=(0.9,))
    assert "as good as the paper's:" in text


def test_a_page_with_other_networks_only_says_what_it_can(networks, published):
    alone = make_scene(networks.runs[3:], networks.proportions)
    context = network_context(alone, published)
    text = " ".join(context["findings"])
    assert "given the 2 bands of reflectance" in text
    assert "Leak" not in text
    assert context["lines"] == []
    assert context["layers"] is None
    assert summarise(alone) == ""


def test_the_training_table_has_the_printed_epochs_and_a_group_for_each_protocol(
    networks, published
):
    runs = [
        dataclasses.replace(run, history=run.history[:2]) if run.apart else run
        for run in networks.runs
    ]
    context = network_context(make_scene(runs, []), published)
    lines = context["lines"]
    assert [line[0] for line in lines] == [str(place) for place in range(1, 11)]
    assert {len(line) for line in lines} == {1 + len(context["columns"])} == {13}
    assert lines[0][1:5] == [""] * 4
    assert lines[8][1:5] == ["95.09 %", "", "", ""]
    assert lines[9][1:] == ["96.88 %", "0.046", "93.33 %", "5.41 %", *["–"] * 8]
    assert lines[0][5:9] == lines[0][9:] == ["70.00%", "0.6000", "60.00%", "0.7000"]
    assert lines[2][9:] == ["–"] * 4
    assert "93.33 % is 14 of 15 images" in context["published"]["epochs_note"]
    assert (round(100 * 14 / 15, 2), round(100 * 31 / 32, 2)) == (93.33, 96.88)


def test_proportions_stand_beside_the_published_ones(networks, published):
    rows = network_context(networks, published)["proportions"]
    told = {row["label"]: (row["pixels"], row["share"], row["paper"]) for row in rows}
    assert told["Chalcocite"] == (500, 0.05, 0.0527)
    assert told["Background"] == (5500, 0.55, None)


def test_the_head_of_the_page_has_both_protocols_and_no_claim_of_truth(networks):
    sentence = summarise(networks)
    for run in networks.runs[:2]:
        assert f"{run.overall['value']:.1%} (n = {run.accuracy['n']:,};" in sentence
    assert "SYNTHETIC" in sentence
    assert "not that the map is right" in sentence


def test_published_numbers_are_those_of_the_paper(published):
    assert published_accuracies(published) == pytest.approx(
        {"Published, Table 2": 0.9287, "Published, text": 0.9509}
    )
    assert published_epoch(published) == pytest.approx({"accuracy": 0.9688, "val_accuracy": 0.9333})
    assert published_shares(published) == pytest.approx({"chalcocite": 0.0527, "feldspar": 0.0272})
    assert published_accuracies({}) == published_epoch({}) == published_shares({}) == {}


def test_this_run_stands_beside_the_published_set_up(networks):
    answers = network_answers(networks)
    assert "Paper's network: 4,297,825 parameters, 3 epochs" in answers["network"]
    assert "Paper's network, published: " in answers["patches"]
    assert "copies of one patch are on both sides" in answers["split"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("record.json", '"leak"', '"other"', "lacks 'leak'"),
        ("accuracy.json", '"assessed": true', '"assessed": false', "has no scores"),
        ("history.csv", "0.7", "much", "column accuracy holds no number"),
        ("history.csv", "val_loss", "loss2", "lacks the column val_loss"),
    ],
)
def test_what_a_training_lacks_is_named(folder, tmp_path, file, old, new, message):
    place = tmp_path / "networks/a"
    place.mkdir(parents=True)
    for path in (folder / "networks/paper-blocked").iterdir():
        text = path.read_text()
        (place / path.name).write_text(text.replace(old, new, 1) if path.name == file else text)
    with pytest.raises(InputError, match=f"{file}.*{message}"):
        read_runs(["a"], tmp_path)


def test_proportions_without_numbers_are_named(tmp_path):
    (tmp_path / "p.csv").write_text(PROPORTIONS.replace("1500", "many"))
    with pytest.raises(InputError, match=r"p\.csv, line 3: the column pixels holds no number"):
        read_proportions(tmp_path / "p.csv")


def test_networks_that_were_not_trained_are_named_with_the_reason(folder, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"networks/{name}").mkdir(parents=True)
        (tmp_path / f"networks/{name}/record.json").write_text('{"untrained": "class x: none"}')
    runs, untrained = read_runs(["a", "b"], tmp_path)
    assert runs == []
    scene = dataclasses.replace(make_scene([], []), untrained=untrained)
    told = "Not trained for want of patches: a and b. Class x: none."
    assert network_context(scene, {})["untrained"] == [told]
    assert summarise(scene) == told

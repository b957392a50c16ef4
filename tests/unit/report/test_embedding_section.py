import json
from dataclasses import replace

import pytest
import sensor_reports
from pages import PNG, make_source, render

from gossan.embedding.explanation import doubt_network, read_shares
from gossan.embedding.sensor_scores import METHOD_LABELS
from gossan.errors import InputError
from gossan.files import read_json
from gossan.report.embedding_section import (
    FIGURE_TITLES,
    SensorScene,
    count_bands,
    describe_coverage,
    describe_excluded,
    describe_filling,
    describe_masking,
    describe_network,
    describe_ratios,
    describe_winner,
    detection_table,
    implied_precision,
    make_section,
    similarity_table,
    verdicts,
)
from gossan.tables import read_table

TABLES = sensor_reports.TABLES | sensor_reports.TESTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sensor_reports.shared_study(tmp_path_factory)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name in FIGURE_TITLES:
        (folder / f"{name}.png").write_bytes(PNG)
    return folder


def make_scene(folder, pictures, tables=tuple(TABLES), synthetic=False, assessed=True):
    read = {
        name: read_json(folder / file) if file.endswith(".json") else read_table(folder / file, [])
        for name, file in TABLES.items()
        if name in tables
    }
    tested = {"detection", "subsets", "similarity", "gain", "coverage"}
    shown = [name for name in FIGURE_TITLES if "detection" in read or name not in tested]
    return SensorScene(
        id="tiny",
        cube=read_json(folder / "stack.json") | {"synthetic": synthetic},
        bands=read_table(folder / "bands.csv", []),
        sensors={name: read_json(folder / f"{name}.json") for name in sensor_reports.SENSORS},
        figures={name: pictures / f"{name}.png" for name in shown},
        records=sensor_reports.accuracy_records(synthetic, assessed),
        tables=read,
    )


@pytest.fixture
def scene(folder, pictures):
    return make_scene(folder, pictures)


@pytest.fixture(scope="module")
def published(root):
    return json.loads((root / "resources/static/published.json").read_text())["cuprite"]


def page(scenes, published=None):
    source = make_source("embedding", paper=published)
    return render([make_section(scene, source) for scene in scenes], published)


def area(name, pixels):
    return {"name": name, "label": name.capitalize(), "pixels": str(pixels), "area_km2": "1"}


def test_a_network_that_names_one_mineral_or_hardly_any_is_told(scene):
    rows = [area("alunite", 5), area("goethite", 95), area("unclassified", 300)]
    told = replace(scene, tables={"areas": [*rows, area("nodata", 9000)]})
    unclassified, one = doubt_network(told.id, *read_shares(told.rows("areas")))
    assert "The network's map of tiny leaves 75.0% of the clear pixels unclassified" in unclassified
    assert "calls 95.0% of the pixels that it names goethite" in one
    assert make_section(told, make_source("embedding")).summary[-2:] == [unclassified, one]
    assert doubt_network("a", *read_shares([area("nodata", 9)])) == []


def scored(method, mineral, f1, low=None, high=None, kind="validation"):
    cells = {"f1": f1, "f1_low": low, "f1_high": high}
    cells = {name: "" if value is None else str(value) for name, value in cells.items()}
    own = {"method": method, "mineral": mineral, "threshold_kind": kind, "n": "900"}
    return own | {"n_mineral": "80", "precision": "", "recall": "", "training": ""} | cells


def test_the_winner_is_told_whoever_it_is():
    rows = [scored("masked", "macro", 0.6, 0.5, 0.7), scored("sam", "macro", 0.9, 0.8, 0.95)]
    said = describe_winner([*rows, scored("shape", "macro", 0.4, 0.3, 0.5)])
    assert "The best mean F1 is that of the Spectral Angle Mapper, 0.900" in said
    assert "next comes the network with masking, 0.600, beyond both 95 % intervals" in said
    assert "Spectral Angle Mapper beats the masked network (0.900 against 0.600)" in said
    assert "shape fit stays below the masked network (0.400 against 0.600)" in said
    close = [scored("masked", "macro", 0.6, 0.5, 0.7), scored("sam", "macro", 0.65, 0.55, 0.75)]
    assert "(their 95 % intervals overlap)" in describe_winner(close)
    bare = [scored("masked", "macro", 0.6), scored("sam", "macro", 0.5)]
    assert "(without intervals to judge by)" in describe_winner(bare)
    assert describe_winner([scored("masked", "macro", None)]) == ""
    assert describe_winner([scored("masked", "macro", 0.5, kind="oracle")]) == ""


@pytest.mark.parametrize(
    ("network", "verdict"),
    [(0.5, "at least twice each"), (0.499, "less than twice the better of them")],
)
def test_the_ratio_to_the_baselines_is_judged_by_the_better_one(network, verdict):
    rows = [
        scored("masked", "alunite", network),
        scored("ocsvm", "alunite", 0.1),
        scored("isolation_forest", "alunite", 0.25),
    ]
    said = describe_ratios(rows)
    assert verdict in said
    assert f"{network / 0.25:.2f} times that of the Isolation Forest (0.250)" in said
    assert "jarosite" not in said


def test_a_baseline_that_finds_nothing_is_beaten_but_not_divided_by():
    rows = [scored("masked", "jarosite", 0.3), scored("ocsvm", "jarosite", 0.0)]
    said = describe_ratios(rows)
    assert "F1 of 0.300 is beside 0 of the one-class SVM: at least twice each" in said
    rows = [scored("masked", "jarosite", 0.0), scored("ocsvm", "jarosite", 0.0)]
    assert "less than twice" in describe_ratios(rows)
    assert describe_ratios([scored("masked", "jarosite", 0.3)]) == ""
    assert describe_ratios([scored("ocsvm", "jarosite", 0.3)]) == ""


def subsets(masked, unmasked, filled=None, kind="validation"):
    """Rows of all sets of sensors; each score is a function of the set."""
    rows = []
    for missing in [(), *sensor_reports.missing_sets()]:
        own = tuple(name for name in sensor_reports.SENSORS if name not in missing)
        for method, score in (("masked", masked), ("unmasked", unmasked), ("filled", filled)):
            if score is not None:
                row = scored(method, "macro", score(own), kind=kind)
                rows.append(row | {"sensors": "+".join(own)})
    return rows


def test_masking_is_judged_where_a_spectrometer_is_missing():
    said = describe_masking(subsets(lambda own: 0.5, lambda own: 0.4))
    assert "Of the 27 sets" in said
    assert "beats no masking in 27 (by +0.100 in mean F1 on average): in every one." in said
    # With all spectrometers it may lose: that is not what was asked.
    whole = {"emit", "enmap", "prisma"}
    said = describe_masking(subsets(lambda own: 0.5 - 0.2 * (whole <= set(own)), lambda own: 0.4))
    assert "in every one" in said
    said = describe_masking(subsets(lambda own: 0.5 - 0.2 * (own == ("emit",)), lambda own: 0.4))
    assert "in 26" in said
    assert "and does not with EMIT." in said
    said = describe_masking(subsets(lambda own: 0.1, lambda own: 0.4))
    assert "in 0" in said
    assert "and 22 more" in said
    assert describe_masking([]) == ""


def test_equal_is_not_better():
    assert "in 0" in describe_masking(subsets(lambda own: 0.4, lambda own: 0.4))


def test_filling_in_tells_losses_too():
    def filled(own):
        return 0.5 - 0.3 * (own == ("emit",)) + 0.1 * (own == ("sentinel2",))

    said = describe_filling(subsets(lambda own: 0.5, lambda own: 0.4, filled))
    assert "(27 sets of sensors)" in said
    assert "it helps with 1 sets" in said
    assert "The most is +0.100 with Sentinel-2, the least -0.300 with EMIT" in said
    assert "With none of the hyperspectral sensors (3 sets), it is +0.033" in said
    assert "was not tested" in describe_filling([])


def covered(mineral, value, low, high):
    cells = {"covered": value, "covered_low": low, "covered_high": high}
    return {"mineral": mineral, "asked": "0.9"} | cells


def test_coverage_that_was_not_reached_is_told_with_its_doubt():
    rows = [
        covered("alunite", "0.95", "0.9", "0.99"),
        covered("calcite", "0.88", "0.8", "0.93"),
        covered("jarosite", "0.7", "0.6", "0.8"),
        covered("hematite", "0.85", "", ""),
        covered("goethite", "", "", ""),
    ]
    said = describe_coverage(rows)
    assert "Short of it by more than the 95 % interval: jarosite (70.0%)." in said
    assert "than the interval tells: calcite (88.0%)." in said
    assert "in too few blocks for an interval: hematite (85.0%)." in said
    assert said.endswith("1 of 4 got it.")
    assert describe_coverage(rows[:1]).endswith("Every mineral got it.")
    assert describe_coverage(rows[-1:]) == ""


def test_bands_left_out_are_named_run_by_run():
    rows = [
        {"band": f"B{place}", "wavelength_um": str(0.9 + 0.02 * place), "kept": kept}
        for place, kept in enumerate(("yes", "no", "no", "no", "yes", "no"))
    ]
    assert describe_excluded(rows) == "B1–B3 (3: 0.920–0.960 µm), B5 (1.000 µm)"
    assert describe_excluded(rows[:1]) == "none"


def test_bands_are_counted_beside_the_paper(folder):
    rows = read_table(folder / "bands.csv", [])
    counts = count_bands(rows, {"sentinel2": 12, "worldview3": 16, "emit": 40})
    by_label = {row["label"]: row for row in counts["rows"]}
    assert by_label["Sentinel-2"]["difference"] == -1
    assert by_label["Sentinel-2"]["left_out"] == "B10 (0.945 µm)"
    assert by_label["EnMAP"]["difference"] is None
    assert counts["kept"] == sum(row["kept"] == "yes" for row in rows)
    assert counts["paper"] == 68
    assert "Sentinel-2: the paper counts all 12 bands, though its own ranges hold" in counts["text"]
    assert "EMIT: the table says which bands the ranges take" in counts["text"]
    fewer = count_bands([row for row in rows if row["band"] != "B10"], {"sentinel2": 12})["text"]
    assert "Sentinel-2: 11 bands are read (B01, B02" in fewer
    assert "B10" not in fewer
    same = {
        name: row["kept"] for name, row in zip(sensor_reports.SENSORS, counts["rows"], strict=True)
    }
    assert count_bands(rows, same)["text"] == "These are the paper's numbers."
    assert count_bands(rows, {})["text"] == ""
    assert count_bands(rows, {})["paper"] is None


def test_table_one_has_the_paper_beside_ours(folder, published):
    rows = read_table(folder / "detection.csv", [])
    groups = detection_table(rows, published["detection"])
    leads = [group["mineral"] for group in groups if group["leads"]]
    assert leads == ["Mean of the minerals", "Alunite", "Jarosite"]
    assert len(groups) == 8
    alunite = {row["method"]: row for row in groups[1]["rows"]}
    assert alunite[METHOD_LABELS["masked"]]["paper"]["f1"] == 0.474
    assert alunite[METHOD_LABELS["sam"]]["paper"] is None
    row = alunite[METHOD_LABELS["masked"]]
    assert row["f1"]["value"] == pytest.approx(0.8)
    assert row["oracle"] == pytest.approx(0.85)
    assert row["library"] == pytest.approx(0.75)
    assert all(group["leads"] for group in detection_table(rows, []))
    assert detection_table([scored("masked", "alunite", None, kind="library")], []) == []


def test_the_published_numbers_follow_from_each_other(published):
    assert sum(published["bands"].values()) == 499
    assert tuple(published["bands"]) == sensor_reports.SENSORS
    table, similar = published["tables"]
    for entry, row in zip(published["detection"], table["rows"], strict=True):
        precision = implied_precision(entry["recall"], entry["f1"])
        f1 = 2 * precision * entry["recall"] / (precision + entry["recall"])
        assert f1 == pytest.approx(entry["f1"])
        assert row[0].lower().startswith(entry["mineral"])
        cells = (f"{entry['recall']:.3f}", f"{entry['f1']:.3f}", f"{precision:.3f}")
        assert row[1:] == [f"{entry['data']:,}", *cells]
    scores = {(entry["mineral"], entry["method"]): entry["f1"] for entry in published["detection"]}
    for mineral in ("alunite", "jarosite"):
        better = max(scores[mineral, "ocsvm"], scores[mineral, "isolation_forest"])
        assert round(scores[mineral, "masked"] / better, 1) == 1.9
    printed = [entry["cosine"] for entry in published["similarity"]]
    assert sorted(
        float(cell) for row in similar["rows"] for cell in row[1:] if cell != "–"
    ) == sorted(printed)


def test_table_two_has_the_best_and_the_worst(folder, published):
    table = similarity_table(read_table(folder / "similarity.csv", []), published["similarity"])
    assert table["sets"] == 30
    assert [len(table[part]) for part in ("best", "worst", "all")] == [5, 5, 30]
    assert table["best"][0]["mean"] == max(line["mean"] for line in table["all"])
    assert table["worst"][-1]["mean"] == min(line["mean"] for line in table["all"])
    assert table["n"] == "90"
    beside = next(
        row
        for row in table["paper"]
        if row["mineral"] == "Jarosite" and row["missing"] == "EMIT, EnMAP and PRISMA"
    )
    assert beside["paper"] == 0.8004
    assert beside["ours"] == pytest.approx(1 - 0.09 - 0.05)
    assert similarity_table([], published["similarity"]) is None


def test_records_of_networks_are_short():
    record = {
        "training": {"epochs": 12, "mining": "semi-hard"},
        "records": {"learnt": 3, "held_out": ["x" * 30] * 20},
        "libraries": ["a.csv", "b.csv"],
        "reconstruction": {"spectra": 5},
        "layers": [{"name": "dense"}],
        "bands": {"emit": 179, "prisma": 141},
    }
    facts = dict(describe_network(record))
    assert facts["Training: epochs"] == "12"
    assert facts["Records"] == "learnt 3, held out 20"
    assert facts["Bands by sensor"] == "emit 179, prisma 141"
    assert facts["Libraries"] == "a.csv; b.csv"
    assert not {"Reconstruction", "Layers"} & set(facts)


def test_the_page_leads_with_what_was_found(scene, published):
    said = make_section(scene, make_source("embedding", paper=published)).summary
    assert "scene tiny (EMIT, EnMAP, PRISMA, Sentinel-2 and WorldView-3, 2024-07-06)" in said[0]
    assert "on n = 1,200 test pixels" in said[0]
    assert "0.710 (95 % interval 0.670 to 0.740) on average over 7 minerals" in said[0]
    assert len(verdicts(scene, published)) == 3
    # What the paper claims of two minerals is no matter of a study without it.
    assert len(verdicts(scene, {})) == 2
    html = page([scene], published)
    assert "not for other ground" in html
    assert html.index(said[0]) < html.index('<h3 id="tiny-embedding.map">')
    for text in (*said[1:], "0.9999", "0.5671", "648,000", "How to reproduce"):
        assert text.replace("'", "&#39;") in html


def test_a_scene_without_a_truth_has_maps_and_no_tables(folder, pictures, root, published):
    bare = make_scene(folder, pictures, tuple(sensor_reports.TABLES), assessed=False)
    html = page([bare], published)
    assert "no accuracy can be stated, because there is no truth" in html
    assert "to be checked on the ground" in html
    assert 'id="tiny-embedding.map"' in html
    for part in ("methods", "sets", "similarity", "filling", "coverage"):
        assert f'id="tiny-embedding.{part}"' not in html
        assert f'href="#tiny-embedding.{part}"' not in html
    # The paper's numbers stand there all the same.
    assert "0.474" in html


def test_thresholds_without_a_test_are_no_result(folder, pictures, root):
    scene = make_scene(folder, pictures, assessed=False)
    library = [row for row in scene.tables["detection"] if row["threshold_kind"] == "library"]
    tables = dict(scene.tables, detection=library, subsets=[], coverage=[])
    html = page([replace(scene, tables=tables)])
    assert "no accuracy can be stated" in html
    for part in ("methods", "sets", "coverage"):
        assert f'id="tiny-embedding.{part}"' not in html
    assert 'id="tiny-embedding.similarity"' in html


def test_synthetic_data_are_marked_in_every_caption(folder, pictures, root, published):
    html = page([make_scene(folder, pictures, synthetic=True)], published)
    marked = 0
    for tag in ("figcaption", "caption"):
        found = html.count(f'<{tag}><span class="label">SYNTHETIC</span>')
        assert found == html.count(f"<{tag}>") - html.count(f"<{tag}>As published.")
        marked += found
    assert marked > 20
    assert "nothing about any real place" in html
    real = page([make_scene(folder, pictures)], published)
    assert "SYNTHETIC" not in real


def test_scenes_of_two_kinds_do_not_vouch_for_each_other(folder, pictures, root, published):
    twin = replace(make_scene(folder, pictures, synthetic=True), id="twin")
    real = make_scene(folder, pictures, tuple(sensor_reports.TABLES), assessed=False)
    html = page([twin, real], published)
    assert "does not carry over" in html
    assert 'id="twin-embedding-subsets"' in html
    assert 'id="tiny-embedding-subsets"' not in html
    assert html == page([twin, real], published)
    # Links to figures are to those of the first section that has them.
    assert 'href="#twin-embedding-subsets"' in page([real, twin], published)


def test_a_study_without_a_paper_has_a_page_too(scene, root):
    html = page([scene])
    assert "<h1>mine</h1>" in html
    assert "the paper" not in html
    assert "Beside the paper" not in html
    assert "Paper: F1" not in html


def test_a_stack_without_bands_and_an_unknown_row_are_refused(scene, root):
    with pytest.raises(InputError, match="tiny: its table of bands has no rows"):
        replace(scene, bands=[])
    setup = [{"item": "Moon", "paper": "full", "ours": "moon"}]
    with pytest.raises(InputError, match="setup names 'moon'"):
        page([scene], {"setup": setup})

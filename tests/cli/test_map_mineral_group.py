"""map_mineral_group, teach_minerals, merge_mineral_groups: maps, records, notes, bad input."""

import json

import numpy as np
import pytest
import rasterio
from mixed_ground import (
    BANDS,
    CENTRES_UM,
    CODES,
    map_flags,
    merge_flags,
    mixed_ground,
    pure,
    teach_flags,
    write_cube,
    write_ground,
)
from samples import run_command, run_tool

OUTPUTS = [f"{name}.{kind}" for name in ("angle", "margin", "contrast") for kind in ("tif", "qml")]
OUTPUTS += ["class.tif", "class.qml", "class.tif.aux.xml", "record.json"]
TAUGHT = ["taught.tif", "taught.qml", "taught.tif.aux.xml", "probability.tif", "taught.json"]
LANDSAT_UM = (0.443, 0.4826, 0.5613, 0.6546, 0.8646, 1.609, 2.201)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A ground with a hole, its maps of both groups by angle, and their second pass."""
    cube, _ = mixed_ground()
    cube[:, 4:9, 10:30] = np.nan
    folder = write_ground(tmp_path_factory.mktemp("ground"), cube)
    for group in ("1um", "2um"):
        done("map_mineral_group", *map_flags(folder, folder / group, group))
        done("teach_minerals", *teach_flags(folder, folder / group))
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_ground(tmp_path)


def done(tool, *flags):
    end = run_tool(tool, *flags)
    assert end.returncode == 0, end.stderr


def fault(tool, *flags):
    end = run_tool(tool, *flags)
    assert end.returncode == 1, end.stderr
    message = end.stderr.splitlines()[-1]
    assert message.startswith("error: ") and "Traceback" not in end.stderr
    return message


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def told(path):
    return json.loads(path.read_text())


# ---- the first map ---------------------------------------------------------------------------


@pytest.mark.parametrize("group", ["1um", "2um"])
def test_each_group_has_the_mineral_that_lies_there(shared, group):
    _, truth = mixed_ground()
    classes = read(shared / group / "class.tif")
    assert (classes[4:9, 10:30] == 255).all()
    clear = classes != 255
    assert clear.sum() == classes.size - 100
    named = clear & (classes != 0)
    assert (classes == truth[group])[named].mean() > 0.95
    for name in ("angle", "margin", "contrast"):
        assert np.array_equal(np.isfinite(read(shared / group / f"{name}.tif")), clear)


def test_the_record_tells_bands_minerals_mean_and_answers(shared):
    record = told(shared / "2um/record.json")
    assert record["method"] == "Spectral angle about the scene's mean"
    assert record["bands"] == list(BANDS[7:])
    assert record["minerals"] == [
        {"name": name, "records": 1} for name in ("kaolinite", "alunite", "calcite")
    ]
    assert len(record["scene_mean"]) == 7 and 0.01 < record["scene_contrast"] < 0.2
    assert record["notes"] == []
    answers, classes = record["answers"], read(shared / "2um/class.tif")
    assert answers["pixels"] == (classes != 255).sum()
    share = (classes == 17).sum() / answers["pixels"]
    assert answers["shares"]["kaolinite"] == pytest.approx(share, abs=1e-4)
    angles = read(shared / "2um/angle.tif")[(classes != 255) & (classes != 0)]
    assert answers["median_distance"] == pytest.approx(np.median(angles), abs=1e-3)


def test_rasters_say_what_they_are(shared):
    with rasterio.open(shared / "1um/class.tif") as dataset:
        tags = dataset.tags()
    assert tags["GROUP"] == "1um" and tags["GROUP_BANDS"] == "B1 B2 B3 B4 B5 B6"
    assert tags["METHOD"] == "Spectral angle about the scene's mean"
    assert tags["SYNTHETIC"] == "yes"


@pytest.mark.parametrize("match", ["scene", "sid", "matched_filter", "ace"])
def test_threads_and_blocks_change_no_byte(folder, match):
    for name, threads in {"one": 1, "two": 2}.items():
        more = ("--threads", threads, "--block-px", 32)
        done("map_mineral_group", *map_flags(folder, folder / name, match=match), *more)
        done("teach_minerals", *teach_flags(folder, folder / name), *more)
    for name in [*OUTPUTS, *TAUGHT]:
        one, two = (folder / place / name for place in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name
    done(
        "map_mineral_group",
        *map_flags(folder, folder / "blocks", match=match),
        *("--block-px", 16),
    )
    done("teach_minerals", *teach_flags(folder, folder / "blocks"), "--block-px", 16)
    for name in ("record.json", "taught.json"):
        assert told(folder / "one" / name) == told(folder / "blocks" / name)
    for name in ("class", "angle", "taught", "probability"):
        assert np.allclose(
            read(folder / "one" / f"{name}.tif"),
            read(folder / "blocks" / f"{name}.tif"),
            equal_nan=True,
            atol=1e-5,
        )


@pytest.mark.parametrize(("match", "least"), [("sid", 0.7), ("matched_filter", 0.9), ("ace", 0.9)])
def test_other_comparisons_find_the_mineral_too(folder, match, least):
    done("map_mineral_group", *map_flags(folder, folder / match, match=match))
    _, truth = mixed_ground()
    classes = read(folder / match / "class.tif")
    assert (classes == truth["2um"])[classes > 0].mean() > least


def test_a_limit_of_its_own_leaves_pixels_unclassified(folder):
    classes = (folder / "classes.csv").read_text()
    (folder / "classes.csv").write_text(classes.replace(",,2um", ",0.2,2um"))
    done("map_mineral_group", *map_flags(folder, folder / "few"))
    mapped, angle = read(folder / "few/class.tif"), read(folder / "few/angle.tif")
    assert np.array_equal(mapped == 0, angle > 0.2)
    assert 0 < (mapped == 0).mean() < 1


def test_a_relative_cube_is_followed_or_refused(folder):
    cube, _ = mixed_ground()
    means = cube.mean(axis=(1, 2))
    done("map_mineral_group", *map_flags(folder, folder / "before"))
    correction = {"method": "iarr", "mean": dict(zip(BANDS, means, strict=True))}
    record = {"corrections": [correction], "atmosphere": "iarr", "normalisation": "none"}
    write_ground(folder, cube / means[:, None, None], record)
    done("map_mineral_group", *map_flags(folder, folder / "after"))
    same = read(folder / "before/class.tif") == read(folder / "after/class.tif")
    assert same.mean() > 0.995
    write_ground(folder, cube / means[:, None, None], {"corrections": [{"method": "iarr"}]})
    message = fault("map_mineral_group", *map_flags(folder, folder / "never"))
    assert "cube.json: does not tell what iarr did to band" in message
    assert not (folder / "never").exists()


def test_a_sensor_without_the_groups_bands_maps_nothing_and_says_so(folder, caplog):
    cube, _ = mixed_ground()
    write_cube(folder / "cube.tif", cube[7:], CENTRES_UM[7:])
    lines = (folder / "references.csv").read_text().splitlines()
    kept = [f"B{place}," + line.split(",", 1)[1] for place, line in enumerate(lines[8:], start=1)]
    (folder / "references.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    done("map_mineral_group", *map_flags(folder, folder / "1um", "1um"))
    note = "goethite, hematite: left out, as the cube has fewer than 3 bands of the group 1um"
    record = told(folder / "1um/record.json")
    assert record["notes"] == [note] and note in caplog.text
    assert record["bands"] == [] and record["answers"]["unclassified"] == 1
    assert (read(folder / "1um/class.tif") == 0).all()
    done("teach_minerals", *teach_flags(folder, folder / "1um"))
    [note] = told(folder / "1um/taught.json")["notes"]
    assert "too few sure pixels to teach" in note and "are 0;" in note
    assert (read(folder / "1um/taught.tif") == 0).all()
    done("map_mineral_group", *map_flags(folder, folder / "2um"))
    both = folder / "1um", folder / "2um"
    done("merge_mineral_groups", *merge_flags(folder, folder / "both", *both))
    assert np.array_equal(read(folder / "both/class.tif"), read(folder / "2um/class.tif"))


@pytest.mark.parametrize("match", ["scene", "sid", "matched_filter", "ace"])
@pytest.mark.parametrize("noise", [0.0, 0.0005])
def test_a_scene_of_one_cover_says_so_and_names_nothing(folder, match, noise):
    generator = np.random.default_rng(1)
    cube = pure("kaolinite")[:, None, None] * generator.uniform(0.8, 1.2, (30, 30))
    write_cube(folder / "cube.tif", cube + noise * generator.standard_normal(cube.shape))
    done("map_mineral_group", *map_flags(folder, folder / "one", match=match))
    [note] = told(folder / "one/record.json")["notes"]
    assert note.startswith("the scene is one cover: its pixels differ by 0.00") or "e-" in note
    assert (read(folder / "one/class.tif") == 0).all()


def test_a_mineral_that_has_no_group_is_mapped_by_none(folder):
    text = (folder / "classes.csv").read_text()
    (folder / "classes.csv").write_text(text.replace(",1um", ",").replace(",2um", ","))
    message = fault("map_mineral_group", *map_flags(folder, folder / "none"))
    assert "classes.csv: has no mineral of the group 2um" in message


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("classes.csv", lambda text: text.replace("2um", "3um"), "group '3um' is not known"),
        ("classes.csv", lambda text: text.replace("17,", "300,"), "code 300 is reserved"),
        ("references.csv", lambda text: text.replace("alunite", "alunit"), "no spectrum 'alunite'"),
        ("references.csv", lambda text: text.replace("B14,", "B99,"), "lacks band B14"),
        ("cube.json", lambda text: text[:-5], "cube.json"),
    ],
)
def test_wrong_files_are_named_before_anything_is_written(folder, file, change, said):
    (folder / file).write_text(change((folder / file).read_text()))
    message = fault("map_mineral_group", *map_flags(folder, folder / "none"))
    assert file in message and said in message
    assert not (folder / "none").exists()


def test_a_scene_of_all_nodata_is_refused(folder):
    write_cube(folder / "cube.tif", np.full((len(BANDS), 20, 20), np.nan))
    message = fault("map_mineral_group", *map_flags(folder, folder / "none"))
    assert "cube.tif: all pixels are nodata" in message


def test_the_tools_run_as_commands(folder):
    for tool, flags in {
        "map_mineral_group": map_flags(folder, folder / "2um"),
        "teach_minerals": teach_flags(folder, folder / "2um"),
        "merge_mineral_groups": merge_flags(folder, folder, folder / "2um"),
    }.items():
        end = run_command(tool, *flags)
        assert end.returncode == 0, end.stderr
    (folder / "cube.tif").unlink()
    end = run_command("teach_minerals", *teach_flags(folder, folder / "2um"))
    assert end.returncode == 1 and end.stderr.splitlines()[-1].startswith("error: ")


# ---- the second pass -------------------------------------------------------------------------


def test_the_second_map_is_taught_by_the_surest_pixels(shared):
    _, truth = mixed_ground()
    record = told(shared / "2um/taught.json")
    assert (record["group"], record["model"], record["surest"]) == ("2um", "likelihood", 0.3)
    first, second = read(shared / "2um/class.tif"), read(shared / "2um/taught.tif")
    counts = {item["name"]: item["pixels"] for item in record["taught"]}
    for name, pixels in counts.items():
        assert pixels == pytest.approx(0.3 * (first == CODES[name]).sum(), abs=2)
    assert sum(item["prior"] for item in record["taught"]) == pytest.approx(1, abs=1e-3)
    named = (first > 0) & (first < 255)
    assert record["agreement"] == pytest.approx((first == second)[named].mean(), abs=1e-3)
    assert (second == truth["2um"])[second != 255].mean() > 0.95
    assert record["answers"]["unclassified"] == 0
    probability = read(shared / "2um/probability.tif")
    assert ((probability == -32768) == (second == 255)).all()
    assert probability[second != 255].min() >= 3333


def test_a_forest_can_be_taught_too(folder):
    done("map_mineral_group", *map_flags(folder, folder / "2um"))
    done("teach_minerals", *teach_flags(folder, folder / "2um", "forest"))
    _, truth = mixed_ground()
    assert (read(folder / "2um/taught.tif") == truth["2um"]).mean() > 0.9
    assert told(folder / "2um/taught.json")["model"] == "forest"


def test_too_few_sure_pixels_are_counted_and_teach_nothing(tmp_path, caplog):
    folder = write_ground(tmp_path, mixed_ground(12, 12)[0])
    done("map_mineral_group", *map_flags(folder, folder / "2um"))
    done("teach_minerals", *teach_flags(folder, folder / "2um"))
    record = told(folder / "2um/taught.json")
    [note] = record["notes"]
    classes = read(folder / "2um/class.tif")
    most = int(0.3 * max((classes == code).sum() for code in (6, 7, 17)))
    assert note in caplog.text and "two minerals need 30 each" in note
    assert any(f"are {number}" in note for number in range(most - 1, most + 3))
    assert record["taught"] == []
    assert (read(folder / "2um/taught.tif") == 0).all()


@pytest.mark.parametrize("share", ["0", "1.5", "-1"])
def test_a_share_that_is_none_is_refused(shared, tmp_path, share):
    flags = [*teach_flags(shared, shared / "2um"), "--surest", share]
    flags[flags.index("--taught-map") + 1] = tmp_path / "taught.tif"
    assert "--surest" in fault("teach_minerals", *flags)


def test_maps_of_another_grid_are_refused(folder):
    done("map_mineral_group", *map_flags(folder, folder / "2um"))
    write_cube(folder / "cube.tif", mixed_ground(20, 20)[0])
    message = fault("teach_minerals", *teach_flags(folder, folder / "2um"))
    assert "grid" in message
    assert not (folder / "2um/taught.tif").exists()


# ---- groups brought to one map ---------------------------------------------------------------


def test_the_merged_map_has_the_surest_answer_of_each_pixel(shared, tmp_path, caplog):
    groups = [shared / group for group in ("1um", "2um")]
    done("merge_mineral_groups", *merge_flags(shared, tmp_path, *groups))
    assert "quartz: has no group in the class table, so no map shows it" in caplog.text
    assert caplog.text.count("has no group") == 1
    merged, angle = read(tmp_path / "class.tif"), read(tmp_path / "angle.tif")
    parts = [read(group / "class.tif") for group in groups]
    assert ((merged == parts[0]) | (merged == parts[1])).all()
    assert set(np.unique(merged)) - {0, 255} == set(CODES.values())
    assert (merged[4:9, 10:30] == 255).all() and np.isnan(angle[4:9, 10:30]).all()
    assert (merged == 0).mean() <= min((part == 0).mean() for part in parts)
    properties = told(tmp_path / "item.json")["properties"]
    assert properties["gossan:groups"] == {"1um": list(BANDS[:6]), "2um": list(BANDS[7:])}
    assert properties["gossan:synthetic"] is True
    assert {entry["name"] for entry in properties["gossan:classes"]} == set(CODES)


def test_maps_of_several_methods_are_not_merged(shared, tmp_path):
    done("map_mineral_group", *map_flags(shared, tmp_path / "sid", "1um", "sid"))
    flags = merge_flags(shared, tmp_path, tmp_path / "sid", shared / "2um")
    assert "--groups: are of several methods" in fault("merge_mineral_groups", *flags)
    assert not (tmp_path / "class.tif").exists()


def test_a_group_without_its_record_is_named(shared, tmp_path):
    flags = merge_flags(shared, tmp_path, tmp_path / "nowhere")
    assert "record.json" in fault("merge_mineral_groups", *flags)


def test_landsats_bands_serve_both_groups(tmp_path):
    folder = write_ground(tmp_path)
    cube = np.stack(
        [mixed_ground()[0][np.abs(np.array(CENTRES_UM) - um).argmin()] for um in LANDSAT_UM]
    )
    write_cube(folder / "cube.tif", cube, LANDSAT_UM)
    lines = ["band,wavelength_um,fwhm_um,kaolinite,alunite,calcite,goethite,hematite"]
    for place, um in enumerate(LANDSAT_UM):
        near = np.abs(np.array(CENTRES_UM) - um).argmin()
        names = lines[0].split(",")[3:]
        values = ",".join(f"{pure(name)[near]:.6f}" for name in names)
        lines.append(f"B{place + 1},{um},0.03,{values}")
    (folder / "references.csv").write_text("\n".join(lines) + "\n")
    for group, bands in {"1um": 5, "2um": 4}.items():
        done("map_mineral_group", *map_flags(folder, folder / group, group))
        assert len(told(folder / group / "record.json")["bands"]) == bands


# ---- taught by another scene -------------------------------------------------------------------


@pytest.mark.parametrize("match", ["scene", "ace"])
def test_parts_taught_by_one_scene_have_the_pixels_of_its_own_map(match, tmp_path):
    cube, _ = mixed_ground()
    whole, maps = write_ground(tmp_path / "whole", cube), tmp_path / "whole/2um"
    done("map_mineral_group", *map_flags(whole, maps, match=match))
    done("teach_minerals", *teach_flags(whole, maps))
    columns = cube.shape[2] * 2 // 3
    for start in (0, cube.shape[2] - columns):
        part = np.s_[:, start : start + columns]
        folder = write_ground(tmp_path / f"part{start}", cube[:, *part])
        output = folder / "2um"
        teacher = ("--teacher", whole / "cube.tif")
        done("map_mineral_group", *map_flags(folder, output, match=match), *teacher)
        assert (
            told(output / "record.json")["scene_mean"] == told(maps / "record.json")["scene_mean"]
        )
        # The lesson is read off the teacher's maps.
        own = teach_flags(whole, maps)[: -teach_flags(whole, maps)[::-1].index("--taught-map") - 1]
        done(
            "teach_minerals",
            *own,
            *("--cube", folder / "cube.tif", *teacher),
            *("--taught-map", output / "taught.tif", "--probability", output / "probability.tif"),
            *("--taught-record", output / "taught.json"),
        )
        for name in ("class", "angle", "margin", "contrast", "taught", "probability"):
            found, due = read(output / f"{name}.tif"), read(maps / f"{name}.tif")[part]
            assert np.array_equal(found, due, equal_nan=True), name
        assert "another scene taught" in told(output / "taught.json")["notes"][-1]


def test_a_teacher_of_other_bands_is_refused(folder, tmp_path):
    cube, _ = mixed_ground()
    write_cube(tmp_path / "other.tif", cube[:-1], CENTRES_UM[:-1])
    flags = (*map_flags(folder, tmp_path / "2um"), "--teacher", tmp_path / "other.tif")
    assert "has other bands than the cube that it is to teach" in fault("map_mineral_group", *flags)
    assert not (tmp_path / "2um").exists()

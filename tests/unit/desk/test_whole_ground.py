"""What is told of scenes that are joined."""

from gossan.cube.atmosphere import METHODS
from gossan.desk.whole_ground import OWN_PIXELS, describe_ground


def record(overlap, differing):
    scenes = [{"scene": name, "window_px": [0, 0, 9, 9]} for name in ("a", "b")]
    counts = {"pixels": 150, "overlap_px": overlap, "differing_px": differing}
    return {"scenes": scenes, "rule": "a rule", **counts}


def cube(atmosphere="none", normalisation="clip"):
    return {"atmosphere": atmosphere, "normalisation": normalisation}


def test_scenes_that_agree_are_said_to_and_who_taught_them():
    told = describe_ground({"x.tif": record(20, 0), "y.tif": record(18, 0)}, [cube()], "a")
    assert told["sentences"] == [
        "2 scenes are joined, taught by a alone; a test of a tests none of the others.",
        "All 20 pixels that several scenes have are the same in each map.",
    ]
    assert told["advice"] == [] and told["teacher"] == "a"
    assert told["maps"]["y.tif"] == {"pixels": 150, "overlap_px": 18, "differing_px": 0}


def test_a_seam_is_told_by_its_worst_map():
    told = describe_ground({"x.tif": record(20, 1), "y.tif": record(20, 5)}, [cube()], "a")
    assert (
        "they differ at up to 25.0% of 20 pixels (in y.tif); a seam may show"
        in told["sentences"][1]
    )


def test_what_each_scene_corrected_by_itself_is_told():
    told = describe_ground({"x.tif": record(0, 0)}, [cube("dos1"), cube("L2A", "minmax")], "a")
    assert "No scenes overlap" in told["sentences"][1]
    assert "corrected by its own pixels (dos1, minmax)" in told["sentences"][2]
    assert told["advice"]
    assert set(METHODS) == OWN_PIXELS


def test_corrections_of_sensors_that_are_one_stack_are_told_too():
    told = describe_ground({"x.tif": record(0, 0)}, [cube("cost iarr, none", "minmax, none")], "a")
    assert "corrected by its own pixels (cost, iarr, minmax)" in told["sentences"][2]

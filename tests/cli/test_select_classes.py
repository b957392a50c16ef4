"""select_classes: the table that it writes keeps all that a class is."""

import subprocess
import sys

from gossan.legend import read_classes


def select(root, own, output, *names):
    minerals = root / "resources/static/minerals.csv"
    command = [sys.executable, root / "scripts/select_classes.py", "--minerals", minerals]
    command += ["--own", own, "--classes", output, *(["--references", *names] if names else [])]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def test_chosen_classes_keep_record_and_group(root, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("name,colour,record,group\nzunyite,#9E9D24,Zunyite_GDS241B,2um\n")
    output = tmp_path / "classes.csv"
    names = ["goethite", "zunyite", "kaolinite+muscovite", "quartz"]
    finished = select(root, own, output, *names)
    assert finished.returncode == 0, finished.stderr
    known = {item.name: item for item in read_classes(root / "resources/static/minerals.csv")}
    written = read_classes(output)
    assert [item.name for item in written] == names
    assert [item.group for item in written] == ["1um", "2um", "2um", ""]
    assert written[1].record == "Zunyite_GDS241B"
    assert written[0] == known["goethite"] and written[2] == known["kaolinite+muscovite"]


def test_a_colour_of_the_users_that_is_near_another_of_the_map_is_told(root, tmp_path):
    own = tmp_path / "own.csv"
    # Red and green of one lightness, each to be seen beside hematite's dark red.
    own.write_text("name,colour,record\nzunyite,#3C6E00,a\ntopaz,#7A5200,b\n")
    finished = select(root, own, tmp_path / "classes.csv", "zunyite", "topaz", "hematite")
    assert finished.returncode == 0, finished.stderr
    told = [line for line in finished.stderr.splitlines() if "look alike" in line]
    assert len(told) == 1
    assert f"{own}: zunyite (#3C6E00) and topaz (#7A5200) look alike to readers who" in told[0]
    apart = select(root, own, tmp_path / "classes.csv", "zunyite", "hematite")
    assert apart.returncode == 0 and "look alike" not in apart.stderr
    everything = select(root, own, tmp_path / "classes.csv")
    assert everything.returncode == 0 and "look alike" not in everything.stderr

"""select_classes: the table that it writes keeps all that a class is."""

import subprocess
import sys

from gossan.legend import read_classes


def test_chosen_classes_keep_record_and_group(root, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("name,colour,record,group\nzunyite,#9E9D24,Zunyite_GDS241B,2um\n")
    output = tmp_path / "classes.csv"
    names = ["goethite", "zunyite", "kaolinite+muscovite", "quartz"]
    minerals = root / "resources/static/minerals.csv"
    command = [sys.executable, root / "scripts/select_classes.py", "--minerals", minerals]
    command += ["--own", own, "--references", *names, "--classes", output]
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    known = {item.name: item for item in read_classes(minerals)}
    written = read_classes(output)
    assert [item.name for item in written] == names
    assert [item.group for item in written] == ["1um", "2um", "2um", ""]
    assert written[1].record == "Zunyite_GDS241B"
    assert written[0] == known["goethite"] and written[2] == known["kaolinite+muscovite"]

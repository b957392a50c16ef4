"""Growth is measured on the tools themselves, each in a process of its own."""

import importlib
import json
import subprocess
import sys

import pytest

LINES = "a note\nerror: a.tif: no such file"


@pytest.fixture
def benchmarks(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module


def test_a_process_tells_its_print_its_time_and_its_peak_alone(benchmarks):
    held = bytearray(300 * 2**20)
    done = benchmarks("processes").run_python(
        "import sys, time; held = b'x' * (100 * 2**20); time.sleep(0.2); print(sys.argv[1])", "told"
    )
    assert done.printed == "told"
    assert done.seconds > 0.2
    assert 100 < done.peak_mib < len(held) / 2**20


def test_what_fails_ends_the_benchmark_with_its_line(benchmarks):
    with pytest.raises(SystemExit, match=r"^error: a\.tif: no such file$"):
        benchmarks("processes").run_python("import sys; sys.exit(sys.argv[1])", LINES)


@pytest.mark.parametrize("name", ["embed", "forest", "mnf"])
def test_tools_run_from_file_to_file_on_each_size(root, name):
    # TensorFlow's threads are set once in a process.
    code = (
        "import importlib, json, sys; sys.path[:0] = sys.argv[2:]; import sam;"
        "sam.GROWTH_PX = (64, 128); module = importlib.import_module(sys.argv[1]);"
        "print(json.dumps(module.run(['growth-pixels'], 1)))"
    )
    folders = [str(root / part) for part in ("benchmarks", "scripts")]
    command = [sys.executable, "-c", code, name, *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (case,) = json.loads(done.stdout.splitlines()[-1])
    assert case["sizes"] == [64**2 / 2**20, 128**2 / 2**20]
    assert len(case["seconds"]) == len(case["peaks_mib"]) == 2
    # More than an interpreter takes by itself.
    assert min(case["peaks_mib"]) > 100


def test_the_slope_of_the_larger_half_leaves_out_the_start(benchmarks):
    times = [5.0, 6.0, 9.0, 18.0, 36.0]
    case = {"sizes": [1, 2, 4, 8, 16], "seconds": times}
    assert benchmarks("page").larger_slope(case) == pytest.approx(1)
    assert benchmarks("sam").tell_growth(case["sizes"], "Mpx", times)["slope"] < 0.8

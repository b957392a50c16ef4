"""A file that is downloaded is whole under its name, or not there, whatever happens to it."""

import fcntl
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from archives import archive

from gossan.errors import InputError
from gossan.fetching import transfer
from gossan.fetching.transfer import Source, download, part_of, sha256_file
from gossan.fetching.web import Web

NAME = "scene.tif"
CONTENT = b"II*\0" + random.Random(1).randbytes(3_000_000)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with archive() as server:
        server.files[f"/{NAME}"] = CONTENT
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / NAME


def source(server, size=SIZE, checksum=f"sha256:{SHA256}", query=""):
    return Source(NAME, size, checksum, lambda again: server.url(f"/{NAME}{query}"), None, "PAGE")


def web(attempts=4, pauses=None):
    pauses = [] if pauses is None else pauses
    return Web(attempts, pauses.append)


def require_nothing(target):
    assert not target.exists()
    assert not sha256_file(target).exists()


def test_a_file_comes_whole_with_its_sha256_beside_it(server, target):
    assert download(web(), source(server), target) == SHA256
    assert target.read_bytes() == CONTENT
    assert sorted(item.name for item in target.parent.iterdir()) == [NAME, f"{NAME}.sha256"]
    checked = subprocess.run(["sha256sum", "-c", f"{NAME}.sha256"], cwd=target.parent, check=False)
    assert checked.returncode == 0


def test_a_broken_download_goes_on_where_it_stopped(server, target):
    server.faults = ["cut", "cut"]
    download(web(), source(server), target)
    assert target.read_bytes() == CONTENT
    assert [r.headers.get("Range") for r in server.asked(f"/{NAME}")] == [
        None,
        f"bytes={len(CONTENT) // 2}-",
        f"bytes={len(CONTENT) // 2 + (len(CONTENT) - len(CONTENT) // 2) // 2}-",
    ]
    assert server.sent() == len(CONTENT)


def test_a_later_run_goes_on_with_what_an_earlier_one_brought(server, target):
    server.faults = ["cut", *["503"] * 9]
    with pytest.raises(InputError, match="cannot be had after 4 attempts"):
        download(web(), source(server), target)
    require_nothing(target)
    server.faults = []
    download(web(), source(server), target)
    assert target.read_bytes() == CONTENT
    assert server.sent() == len(CONTENT)


def test_what_nobody_can_tell_to_belong_together_is_brought_anew(server, target):
    server.etags = False
    server.faults = ["cut"]
    download(web(), source(server, checksum=""), target)
    assert [r.headers.get("Range") for r in server.asked(f"/{NAME}")] == [None, None]


def test_what_begins_anew_and_always_breaks_at_one_place_is_given_up(server, target):
    server.etags = False
    server.faults = ["cut"] * 20
    with pytest.raises(InputError, match="cannot be had after 4 attempts"):
        download(web(), source(server, checksum=""), target)
    assert len(server.asked(f"/{NAME}")) == 5
    require_nothing(target)


def test_parts_of_two_files_never_become_one(server, target):
    server.faults = ["cut", *["503"] * 9]
    with pytest.raises(InputError):
        download(web(), source(server, checksum=""), target)
    newer = b"II*\0" + bytes(len(CONTENT) - 4)
    server.files[f"/{NAME}"], server.faults = newer, []
    download(web(), source(server, checksum=""), target)
    assert target.read_bytes() == newer


def test_what_is_never_the_file_that_is_due_is_brought_twice_at_most(server, target):
    server.faults = ["cut", "none"] * 5
    with pytest.raises(InputError, match="is not the one due"):
        download(web(), source(server, checksum=f"sha256:{'0' * 64}"), target)
    assert len(server.asked(f"/{NAME}")) == 4
    require_nothing(target)


def test_a_server_is_given_the_time_it_asks_for(server, target):
    server.faults, pauses = ["429", "503", "500"], []
    download(web(pauses=pauses), source(server), target)
    assert pauses == [1.0, 1.0, 4.0]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("page", "a web page came in its place, as when one must sign in; look at PAGE"),
        ("short", "are due; the archive has changed it: resolve"),
        ("other", "its checksum (sha256) is not the one due"),
        ("404", "the archive has it no longer there: resolve it again"),
        ("403", "renew the token and accept the terms of the data: PAGE"),
        ("503", "cannot be had after 4 attempts (HTTP 503)"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(server, target, fault, told):
    server.faults = [fault] * 9
    with pytest.raises(InputError) as refusal:
        download(web(), source(server), target)
    assert told in str(refusal.value) and "\n" not in str(refusal.value)
    require_nothing(target)


def test_an_expired_signature_is_renewed_once(server, target):
    server.faults, asked = ["403"], []
    signed = Source(
        NAME, len(CONTENT), "", lambda again: asked.append(again) or server.url(f"/{NAME}?sig=s3")
    )
    download(web(), signed, target)
    assert asked == [False, True]


def test_the_query_of_an_address_is_in_no_message(server, target):
    for fault in ("404", "403", "503", "page"):
        server.faults = [fault] * 9
        with pytest.raises(InputError) as refusal:
            download(web(), source(server, query="?sig=SECRET"), target)
        assert "SECRET" not in str(refusal.value)


def test_a_full_disk_is_told_before_the_first_byte(server, target, monkeypatch):
    usage = shutil.disk_usage(target.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=len(CONTENT)))
    with pytest.raises(InputError, match=r"needs 3 MB, and .* has 3 MB free; free some"):
        download(web(), source(server), target)
    require_nothing(target)
    assert not part_of(target, source(server)).exists()


def test_two_runs_do_not_write_one_part(server, target):
    part = part_of(target, source(server))
    with (
        transfer.alone(part),
        pytest.raises(InputError, match="another run is bringing this file"),
    ):
        download(web(), source(server), target)


def test_a_lock_that_was_removed_while_it_was_taken_keeps_nobody_out(target, server, monkeypatch):
    part = part_of(target, source(server))
    lock, take = part.with_suffix(".lock"), fcntl.flock

    def take_late(*arguments):
        if not late:
            late.append(lock.unlink())  # the run before ends here
        take(*arguments)

    late = []
    monkeypatch.setattr(transfer.fcntl, "flock", take_late)
    with transfer.alone(part):
        assert late
        with pytest.raises(InputError, match="another run"), transfer.alone(part):
            pass
    assert not lock.exists()


def test_a_disk_that_tells_one_file_by_two_numbers_is_one_without_locks(
    target, server, monkeypatch
):
    monkeypatch.setattr(transfer.os.path, "samestat", lambda *told: False)
    assert download(web(), source(server), target) == SHA256
    assert [path.name for path in target.parent.glob(".*")] == []


KILLED = """
import sys
from pathlib import Path
from gossan.fetching.transfer import Source, download
from gossan.fetching.web import Web
url, target, size, checksum = sys.argv[1:]
source = Source(Path(target).name, int(size), checksum, lambda again: url)
download(Web(3), source, Path(target))
"""


def start(server, target):
    return subprocess.Popen(
        [
            *(sys.executable, "-c", KILLED, server.url(f"/{NAME}"), target),
            *(str(len(CONTENT)), f"sha256:{SHA256}"),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(transfer.__file__).parents[2])},
    )


def test_a_killed_download_leaves_nothing_under_the_name_and_is_gone_on_with(server, target):
    part = part_of(target, source(server))
    gate = {"open": False}

    def slowly(request):
        while not gate["open"] and part.exists() and part.stat().st_size > 0:
            time.sleep(0.01)

    server.faults = ["cut"]
    server.routes[f"/{NAME}"] = slowly
    process = start(server, target)
    while not part.exists() or part.stat().st_size < len(CONTENT) // 2:
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    gate["open"] = True
    require_nothing(target)
    before = part.stat().st_size
    assert before == len(CONTENT) // 2
    assert start(server, target).wait() == 0
    assert target.read_bytes() == CONTENT
    assert server.asked(f"/{NAME}")[-1].headers["Range"] == f"bytes={before}-"


# ---- a campaign of faults ---------------------------------------------------------------------

FAULTS = (
    *("cut", "cut", "cut", "short", "other", "429", "503", "500", "403", "401", "404", "416"),
    *("page", "no range", "disk", "408"),
)


def campaign(server, folder, monkeypatch, faults, seed):
    """Bring files while things go wrong; how many faults were met, and how many files came."""
    luck, met, whole = random.Random(seed), 0, 0
    usage = shutil.disk_usage(folder)
    number = 0
    while met < faults:
        number += 1
        name = f"file-{number}.tif"
        content = b"II*\0" + luck.randbytes(luck.randrange(5_000, 60_000))
        server.files[f"/{name}"] = content
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}" if luck.random() < 0.5 else ""
        wanted = Source(
            name,
            len(content),
            checksum,
            lambda again, name=name: server.url(f"/{name}?sig={again}"),
        )
        server.etags = luck.random() < 0.8
        target = folder / name
        for _ in range(12):
            told = [luck.choice(FAULTS) for _ in range(luck.randrange(4))]
            if not checksum:
                # Of the same size with other bytes, and no checksum: nobody could tell.
                told = [fault for fault in told if fault != "other"]
            full = "disk" in told
            server.faults = [fault for fault in told if fault != "disk"]
            free = 10 if full else usage.free
            monkeypatch.setattr(
                shutil, "disk_usage", lambda _, free=free: usage._replace(free=free)
            )
            planned = len(server.faults) + full
            try:
                download(Web(3, lambda _: None), wanted, target)
            except InputError as error:
                assert "sig=" not in str(error)
                assert not target.exists()
            met += planned - len(server.faults)
            if target.exists():
                break
        server.faults = []
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        if not target.exists():
            download(Web(3, lambda _: None), wanted, target)
        assert target.read_bytes() == content, (name, seed)
        whole += 1
        assert [item.name for item in folder.glob(".*")] == [], name
        target.unlink(), sha256_file(target).unlink()
        del server.files[f"/{name}"]
    return met, whole


def test_forty_faults_never_leave_a_wrong_file_under_its_name(server, tmp_path, monkeypatch):
    met, whole = campaign(server, tmp_path, monkeypatch, faults=40, seed=7)
    assert met >= 40 and whole > 0


@pytest.mark.slow
def test_five_hundred_faults_never_leave_a_wrong_file_under_its_name(server, tmp_path, monkeypatch):
    met, whole = campaign(server, tmp_path, monkeypatch, faults=500, seed=11)
    print(f"{met} faults, {whole} files whole")
    assert met >= 500 and whole > 0


@pytest.mark.slow
def test_downloads_killed_at_any_moment_leave_whole_files_or_none(server, target):
    luck, killed = random.Random(3), 0

    def slowly(request):
        time.sleep(luck.random() / 20)

    server.routes[f"/{NAME}"] = slowly
    while killed < 30:
        server.faults = ["cut"] * luck.randrange(6)
        process = start(server, target)
        time.sleep(luck.uniform(0.2, 1.2))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() != 0
        if target.exists():
            assert target.read_bytes() == CONTENT
            target.unlink()
    assert start(server, target).wait() == 0
    assert target.read_bytes() == CONTENT

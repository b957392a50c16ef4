"""A real Slurm of one or two nodes on this machine, from Debian's packages."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = "slurm-wlm munge"
DATABASE_PACKAGES = "slurmdbd mariadb-server"
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "sinfo")
DATABASE_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb", "mariadb-install-db")
# The packages put daemons where a user's PATH does not lead.
SEARCHED = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))


def missing(programs: Sequence[str] = PROGRAMS, packages: str = PACKAGES) -> str:
    """What keeps this machine from a Slurm of its own; nothing where it can have one."""
    absent = [name for name in programs if shutil.which(name, path=SEARCHED) is None]
    if absent:
        return f"{', '.join(absent)} absent; install {packages}"
    return "" if os.getuid() == 0 else "Slurm's daemons need root"


def missing_database() -> str:
    """What keeps it from accounting; nothing where it can have it."""
    return missing() or missing(DATABASE_PROGRAMS, DATABASE_PACKAGES)


def can_mount() -> bool:
    """Whether a process here may have mounts of its own, as a node has that shares no disk."""
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Slurm:
    """A running Slurm: its folder, and the environment by which its commands find it."""

    def __init__(
        self,
        folder: Path,
        nodes: int,
        cpus: int,
        memory_mb: int,
        max_time: str,
        changed: str,
        account: str,
    ):
        """Write what it needs into `folder`."""
        self.folder = folder
        self._changed = changed
        self._account = account
        self._port = _free_port()
        self.names = [f"node{number}" for number in range(1, nodes + 1)]
        self._started: list[subprocess.Popen] = []
        for name in ("state", "bin", *self.names):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(1024))
        (folder / "munge.key").chmod(0o600)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}:{SEARCHED}",
        }
        # A step of a job finds a configuration that is not in /etc by its variable alone, which
        # the executor takes away.
        srun = folder / "bin/srun"
        found = shutil.which("srun", path=SEARCHED)
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {found} "$@"\n')
        srun.chmod(0o755)
        host = socket.gethostname().split(".")[0]
        lines = "\n".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={_free_port()}"
            f" CPUs={cpus} RealMemory={memory_mb}"
            for name in self.names
        )
        accounting = "AccountingStorageType=accounting_storage/none"
        if account:
            accounting = f"""AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={self._port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=associations"""
        (folder / "slurm.conf").write_text(
            f"""ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPort={_free_port()}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
{accounting}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MinJobAge=300
InactiveLimit=0
KillWait=5
{lines}
PartitionName=main Nodes=ALL Default=YES MaxTime={max_time} State=UP
"""
        )

    def start(self) -> None:
        """Start its daemons and wait until each node is idle."""
        place = self.folder
        self._daemon(
            *("munged", "--foreground", f"--key-file={place}/munge.key"),
            *(f"--socket={place}/munge.socket", f"--pid-file={place}/munged.pid", "--force"),
            *(f"--log-file={place}/munged.log", f"--seed-file={place}/munged.seed"),
        )
        until(lambda: (place / "munge.socket").exists(), "munged does not start")
        if self._account:
            self._start_accounting()
        self._daemon("slurmctld", "-D", "-c")
        for name in self.names:
            self._daemon("slurmd", "-D", "-N", name)
        until(lambda: self.states() == {"idle"}, f"Slurm does not start; see {place}")

    def _start_accounting(self) -> None:
        """Start a database and its daemon, with one account that may run jobs."""
        place, port = self.folder, _free_port()
        subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", "--user=root", "--skip-test-db"),
                *(f"--datadir={place}/database", "--auth-root-authentication-method=normal"),
            ],
            check=True,
            capture_output=True,
        )
        self._daemon(
            *("mariadbd", "--no-defaults", "--user=root", f"--datadir={place}/database"),
            *(f"--socket={place}/sql.socket", "--bind-address=127.0.0.1", f"--port={port}"),
            *(f"--pid-file={place}/mariadbd.pid", "--innodb-buffer-pool-size=64M"),
        )
        granted = (
            "create database slurm_acct_db; create user slurm@localhost identified by 'x';"
            "grant all on slurm_acct_db.* to slurm@localhost"
        )
        sql = ("mariadb", "--no-defaults", f"--socket={place}/sql.socket", "--user=root")
        until(lambda: (place / "sql.socket").exists(), "the database does not start")
        subprocess.run([*sql, "-e", granted], check=True)
        settings = place / "slurmdbd.conf"
        settings.write_text(f"""AuthType=auth/munge
AuthInfo={place}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={self._port}
SlurmUser=root
LogFile={place}/slurmdbd.log
PidFile={place}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=slurm
StoragePass=x
StorageLoc=slurm_acct_db
""")
        settings.chmod(0o600)
        self._daemon("slurmdbd", "-D")
        sacctmgr = ("sacctmgr", "-i", "add")
        until(lambda: self.ask("sacctmgr", "-n", "list", "user", check=False), "slurmdbd is not up")
        self.ask(*sacctmgr, "cluster", "tests")
        self.ask(*sacctmgr, "account", self._account)
        self.ask(*sacctmgr, "user", "root", f"account={self._account}", check=False)

    def states(self) -> set[str]:
        """What its nodes are: idle, mixed, drained and so on."""
        return set(self.ask("sinfo", "-h", "-o", "%t", check=False).split())

    def ask(self, *command: str, check: bool = True) -> str:
        """What a command of Slurm says."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check
        )
        return done.stdout

    def jobs(self) -> list[str]:
        """The numbers of jobs that run or wait."""
        return self.ask("squeue", "-h", "-o", "%i", check=False).split()

    def stop(self) -> None:
        """End its jobs and what was started."""
        if jobs := self.jobs():
            self.ask("scancel", *jobs, check=False)
            until(lambda: not self.jobs(), "jobs do not end")
        for daemon in reversed(self._started):
            daemon.send_signal(signal.SIGTERM)
        for daemon in self._started:
            daemon.wait(30)

    def _daemon(self, *command: str) -> None:
        log = (self.folder / f"{command[0]}.said").open("ab")
        words = [shutil.which(command[0], path=SEARCHED), *command[1:]]
        if self._changed and command[0] == "slurmd":
            change = f'{self._changed} && exec "$@"'
            words = ["unshare", "--mount", "sh", "-c", change, "sh", *words]
        self._started.append(
            subprocess.Popen(words, env=self.environment, stdout=log, stderr=log, cwd="/")
        )


def until(holds, fault: str, within_s: float = 60) -> None:
    """Wait until something holds; AssertionError after a while."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, fault
        time.sleep(0.25)


@contextmanager
def slurm(
    folder: Path,
    nodes: int = 1,
    cpus: int = 4,
    memory_mb: int = 8000,
    max_time: str = "INFINITE",
    changed: str = "",
    account: str = "",
) -> Iterator[Slurm]:
    """A Slurm in `folder`, which nodes share; it ends with the block.

    `changed` are mounts that only its nodes see, as commands. With an `account` it keeps accounts,
    and runs jobs of no other.
    """
    cluster = Slurm(folder, nodes, cpus, memory_mb, max_time, changed, account)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()

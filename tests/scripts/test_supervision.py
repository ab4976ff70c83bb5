"""Children are started again, stopped in order, and never outlive the launcher."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.launcher.bootstrap import ROOT
from scripts.launcher.console import Console, LaunchError
from scripts.launcher.processes import Program, command_line
from scripts.launcher.supervision import Supervisor

PATIENCE_SECONDS = 15.0


class Heard(Console):
    """A console that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def show(self, text: str) -> None:
        self.lines.append(text)


def program(directory: Path, name: str, script: str, patience: float = 10.0) -> Program:
    return Program(
        name=name,
        command=("/bin/sh", "-c", script),
        environment={"PATH": os.environ["PATH"]},
        directory=directory,
        log=directory / f"{name}.log",
        patience=patience,
    )


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_dies_is_started_again_and_a_line_says_so(tmp_path: Path) -> None:
    heard = Heard()
    supervisor = Supervisor(heard, lambda: None)
    supervisor.start(program(tmp_path, "child", "exec sleep 60"))
    first = supervisor.process_ids()["child"]
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        supervisor.tend()
        return supervisor.process_ids()["child"] != first

    wait_for(again)
    supervisor.stop()
    assert "child stopped unexpectedly (SIGKILL)" in heard.lines[0]
    assert "child is started again" in heard.lines[1]


def test_a_child_that_keeps_dying_is_given_longer_pauses(tmp_path: Path) -> None:
    heard = Heard()
    supervisor = Supervisor(heard, lambda: None)
    supervisor.start(program(tmp_path, "child", "exit 3"))

    def three_times() -> bool:
        supervisor.tend()
        return len(heard.lines) >= 5

    wait_for(three_times)
    supervisor.stop()
    pauses = [line.split(" in ")[1][:3] for line in heard.lines if "unexpectedly" in line]
    assert pauses == ["0.2", "0.4", "0.8"]
    assert "exit 3" in heard.lines[0]


def test_the_last_rank_is_stopped_first(tmp_path: Path) -> None:
    supervisor = Supervisor(Heard(), lambda: None)
    for name in ("server", "vault", "api"):
        note = f"trap 'echo {name} >> order; exit 0' TERM; echo up; while :; do sleep 0.02; done"
        supervisor.start(program(tmp_path, name, note))
        wait_for((tmp_path / f"{name}.log").read_text)
    supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["api", "vault", "server"]


def test_a_child_that_ignores_the_signal_is_ended(tmp_path: Path) -> None:
    heard = Heard()
    supervisor = Supervisor(heard, lambda: None)
    deaf = "trap '' TERM; echo up; while :; do sleep 0.02; done"
    (child,) = supervisor.start(program(tmp_path, "deaf", deaf, patience=0.2))
    wait_for((tmp_path / "deaf.log").read_text)
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert "deaf does not stop" in heard.lines[0]


def test_an_end_during_the_start_shows_the_log(tmp_path: Path) -> None:
    supervisor = Supervisor(Heard(), lambda: None)
    supervisor.start(program(tmp_path, "child", "echo the reason; exit 4"))
    with pytest.raises(LaunchError, match=r"(?s)exit 4.*the reason"):
        supervisor.wait_until(lambda: False, "child is late", PATIENCE_SECONDS)
    supervisor.stop()


LAUNCHER = """
import sys, time
from pathlib import Path
from tests.scripts.test_supervision import Heard, program
from scripts.launcher.supervision import Supervisor
supervisor = Supervisor(Heard(), lambda: None)
supervisor.start(program(Path(sys.argv[1]), "child", "exec sleep 60"))
print(supervisor.process_ids()["child"], flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's promise is Linux's")
def test_kill_9_of_the_launcher_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    ) as launcher:
        assert launcher.stdout is not None
        child = int(launcher.stdout.readline())
        wait_for(lambda: "sleep" in command_line(child))
        launcher.kill()
    wait_for(lambda: not command_line(child))

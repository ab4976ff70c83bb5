"""Starting one program so that it cannot outlive us, and knowing what still runs."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.account import Account
from scripts.launcher.console import LaunchError

PR_SET_PDEATHSIG = 1
LOG_MODE = 0o600
TAIL_LINES = 15
TAIL_BYTES = 8192


@dataclass(frozen=True)
class Program:
    """What is run, how it is told to stop (signal, then patience in seconds), and where it logs.

    `standard_input` is handed over through a pipe: the place for what must not be an argument.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 15.0
    account: Account | None = None
    standard_input: bytes = b""


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A step between fork and exec: the kernel signals the child when this process is gone."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), death_signal)

    return arm


def start(program: Program) -> "subprocess.Popen[bytes]":
    """Starts it in a process group of its own, so that Ctrl-C reaches the launcher alone."""
    account = program.account
    log = os.open(program.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, LOG_MODE)
    try:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE if program.standard_input else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(program.environment),
            cwd=program.directory,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            process_group=0,
            preexec_fn=dies_with_parent(program.stop_signal),
        )
    except OSError as reason:
        raise LaunchError(f"cannot start {program.name}: {reason}") from reason
    finally:
        os.close(log)
    if process.stdin:
        # A program that ended at once is found out by whoever waits for it.
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(program.standard_input)
    return process


def tail(log: Path) -> str:
    """The last lines of a log, for the person who must find out why a process ended."""
    try:
        content = log.read_bytes()[-TAIL_BYTES:]
    except OSError:
        return ""
    return "\n".join(content.decode(errors="replace").splitlines()[-TAIL_LINES:])


def command_line(pid: int) -> str:
    """The command line of a living process; empty when there is none, or it is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def inhabitants(directory: Path) -> set[int]:
    """The processes whose working directory is `directory`: a cluster's are all there."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(entry) == str(directory):
                found.add(int(entry.parent.name))
        except OSError:
            continue
    return found

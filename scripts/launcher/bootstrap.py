"""Makes `.venv` from the hash-pinned lock files, then becomes the named module inside it.

Usage: bootstrap.py LOCKS MODULE [ARGUMENT...], where LOCKS is `runtime` or `runtime,dev`.
Runs on a bare Python of 3.11 or newer: nothing but the standard library may be imported here.
"""

import fcntl
import hashlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 11)
PROGRESS_SECONDS = 3.0
FAILURE_LINES = 25
PIN = re.compile(r"^[A-Za-z0-9][^ ]*==", re.MULTILINE)
BEGAN = time.monotonic()


def say(text: str) -> None:
    """Prints one line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


def fail(text: str) -> NoReturn:
    """Ends with a plain sentence on standard error and exit status 1."""
    print(f"paymint: {text}", file=sys.stderr, flush=True)
    raise SystemExit(1)


def lock_file(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def stamp_file(name: str) -> Path:
    return VENV / f"installed-{name}"


def venv_version() -> str:
    """The version of the Python in `.venv`, or nothing when there is none that runs."""
    question = "import sys; print(sys.version) if sys.version_info >= (3, 11) else None"
    try:
        answer = subprocess.run([PYTHON, "-c", question], capture_output=True, text=True)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def stamp(name: str, version: str) -> str:
    content = lock_file(name).read_bytes() + version.encode()
    return hashlib.sha256(content).hexdigest()


def is_installed(name: str, version: str) -> bool:
    try:
        return bool(version) and stamp_file(name).read_text() == stamp(name, version)
    except OSError:
        return False


def make_venv() -> None:
    """Creates `.venv`; without its own pip where the system has split ensurepip off."""
    say(f"making .venv with Python {sys.version.split()[0]}")
    if VENV.exists():
        shutil.rmtree(VENV)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True)
    if made.returncode == 0:
        return
    bare = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)]
    again = subprocess.run(bare, capture_output=True, text=True)
    if again.returncode != 0:
        fail(f"could not make {VENV}: {(again.stderr or made.stdout).strip()}")


def pip_command() -> list[str]:
    """The pip of `.venv`, or that of the outer Python told to work on `.venv`."""
    inner = [str(PYTHON), "-m", "pip"]
    outer = [sys.executable, "-m", "pip"]
    if subprocess.run([*inner, "--version"], capture_output=True).returncode == 0:
        return inner
    if subprocess.run([*outer, "--version"], capture_output=True).returncode == 0:
        return [*outer, "--python", str(PYTHON)]
    fail("pip is missing; install it for this Python (Debian: apt install python3-pip)")


class Progress:
    """Reads pip's output and tells about it every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._total = len(PIN.findall(lock_file(name).read_text()))
        self._collected = 0
        self._stage = "resolving"
        self._told = time.monotonic()
        self.lines: list[str] = []

    def heard(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith(("Collecting ", "Requirement already satisfied")):
            self._collected += 1
            self._stage = f"fetched {self._collected} of {self._total} packages"
        elif line.startswith("Installing collected packages"):
            self._stage = "unpacking"
            self._told = 0.0

    def tick(self) -> None:
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            say(f"installing requirements/{self._name}.txt: {self._stage}")


def follow(output: IO[bytes], progress: Progress) -> None:
    """Feeds `progress` line by line until the writer closes its end."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(PROGRESS_SECONDS):
                piece = os.read(output.fileno(), 65536)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    progress.heard(line.decode(errors="replace").strip())
            progress.tick()


def install(name: str) -> None:
    """Installs one lock file; every file must match a hash written in it."""
    say(f"installing requirements/{name}.txt")
    options = ["--require-hashes", "--no-input", "--progress-bar", "off"]
    command = [*pip_command(), "install", *options, "-r", str(lock_file(name))]
    progress = Progress(name)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            follow(process.stdout, progress)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        print("\n".join(progress.lines[-FAILURE_LINES:]), file=sys.stderr)
        fail(f"pip could not install requirements/{name}.txt (its last lines are above)")


def ensure(names: list[str]) -> None:
    """Brings `.venv` up to the named lock files; costs one short look when it already is."""
    version = venv_version()
    if all(is_installed(name, version) for name in names):
        return
    with lock_file("runtime").open() as guard:
        # Two scripts started at once must not install into the same place.
        fcntl.flock(guard, fcntl.LOCK_EX)
        version = venv_version()
        if not version:
            make_venv()
            version = venv_version()
        for name in names:
            if not is_installed(name, version):
                install(name)
                stamp_file(name).write_text(stamp(name, version))
    say("packages are installed")


def become(module: str, arguments: list[str]) -> NoReturn:
    """Replaces this process by the module, so that signals reach it directly."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    path = f"{VENV / 'bin'}{os.pathsep}{kept.get('PATH', os.defpath)}"
    told = {"PYTHONPATH": str(ROOT), "PATH": path, "PAYMINT_COMMAND_BEGAN": str(BEGAN)}
    # -P keeps a folder `scripts` of the caller's directory from standing in for ours.
    command = [str(PYTHON), "-P", "-m", module, *arguments]
    os.execve(PYTHON, command, kept | told)  # nosec B606  # our own Python, no shell


def stop(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        fail("needs Python 3.11 or newer")
    locks, module, *arguments = sys.argv[1:]
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    ensure(locks.split(","))
    become(module, arguments)


if __name__ == "__main__":
    main()

"""Small disks that fill up: a tmpfs of so many bytes, and what takes the rest of it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_BLOCK_BYTES = 64 * 1024


@contextmanager
def small_disk(directory: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own at `directory`; the test is skipped where none can be mounted."""
    directory.mkdir(exist_ok=True)
    size = f"size={megabytes}m,mode=0711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(directory)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield directory
    finally:
        # Lazily: a server that is stopping may still have files open.
        subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte is left on this disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = _BLOCK_BYTES
        while size:
            try:
                file.write(os.urandom(size))
            except OSError:
                size //= 2
    try:
        yield
    finally:
        ballast.unlink()

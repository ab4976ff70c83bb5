"""Where the servers' data and, under root, their binaries stand.

An ordinary user's servers live in DIR/servers and run from `.venv`.  Root's servers run as
another account, which cannot walk through a 0700 parent such as a home: then they live in a
directory of their own under /var/lib, whose name is recorded in DIR, and their binaries are
copied beside the data, owned by root, so that a captured server cannot replace them.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts.launcher.account import Account
from scripts.launcher.console import Console, LaunchError
from scripts.launcher.private_files import read_json, write_json
from scripts.launcher.state import OWNER_ONLY, PASSABLE, StateDirectory

# /var/lib is not swept by tmp cleaners; /var/tmp serves where the first is read-only.
HOMES = (Path("/var/lib"), Path("/var/tmp"))  # nosec B108  # made 0700, name random
NAME_BYTES = 8


@dataclass(frozen=True)
class Place:
    """The directory of the servers, and the account that they run as (None: our own)."""

    path: Path
    account: Account | None

    def private_directory(self, name: str) -> Path:
        """A 0700 directory that belongs to the servers' account."""
        directory = self.path / name
        directory.mkdir(exist_ok=True)
        directory.chmod(OWNER_ONLY)
        if self.account:
            self.account.owns(directory)
        return directory

    def runnable(self, name: str, sources: list[Path]) -> Path:
        """A directory with `sources` in it that the servers' account can execute from."""
        if self.account is None:
            return sources[0].parent
        target = self.path / name
        if not target.exists():
            fresh = target.with_name(f".{name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            for source in sources:
                copy_readable(source, fresh / source.name)
            fresh.chmod(0o755)
            fresh.rename(target)
        return target


def copy_readable(source: Path, target: Path) -> None:
    """Copies a file or a tree so that everyone may read it, and run what was executable."""
    if source.is_file():
        shutil.copy(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        return
    target.mkdir(mode=0o755)
    target.chmod(0o755)
    for entry in source.iterdir():
        if entry.name != "__pycache__":
            copy_readable(entry, target / entry.name)


def server_place(state: StateDirectory, account: Account | None, console: Console) -> Place:
    """DIR/servers, or the place elsewhere that DIR names when root's DIR cannot be reached."""
    recorded = read_json(state.servers_elsewhere).get("directory")
    if recorded:
        return Place(checked(Path(recorded)), account)
    state.servers.mkdir(exist_ok=True)
    state.servers.chmod(PASSABLE if account else OWNER_ONLY)
    if account is None or account.reaches(state.servers):
        return Place(state.servers, account)
    elsewhere = make_elsewhere(state)
    write_json(state.servers_elsewhere, {"directory": str(elsewhere)})
    console.say(
        f"{account.name} cannot reach {state.path}: database files are in {elsewhere} "
        f"(named in {state.servers_elsewhere.name}; remove both together)"
    )
    return Place(elsewhere, account)


def make_elsewhere(state: StateDirectory) -> Path:
    """A new directory with an unguessable name; mkdir fails if anybody made it before us."""
    for home in HOMES:
        directory = home / f"paymint-{secrets.token_hex(NAME_BYTES)}"
        try:
            directory.mkdir()
        except OSError:
            continue
        directory.chmod(PASSABLE)
        (directory / "belongs-to").write_text(f"{state.path}\n")
        return directory
    raise LaunchError(f"cannot make a directory for the database in {HOMES[0]} or {HOMES[1]}")


def checked(directory: Path) -> Path:
    """The recorded directory, if it is still there and still ours alone to change."""
    try:
        status = directory.lstat()
    except OSError as reason:
        raise LaunchError(f"the database files of this directory are gone: {reason}") from reason
    if status.st_uid != os.geteuid() or status.st_mode & 0o022 or not directory.is_dir():
        raise LaunchError(f"{directory} can be changed by others; refusing to run from it")
    return directory

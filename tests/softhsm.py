"""SoftHSM2, a PKCS#11 token in software, without touching the system.

Where Debian's packages are not installed they are downloaded once with `apt-get download` and
unpacked under .venv; where their source cannot be reached, the tests that need them skip.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PACKAGES = ("softhsm2", "softhsm2-common", "libsofthsm2")
UNPACKED = ROOT / ".venv" / "softhsm2"
MODULE = Path("usr/lib/softhsm/libsofthsm2.so")
UTILITY = Path("usr/bin/softhsm2-util")
DOWNLOAD_SECONDS = 60
PIN = "5678-not-a-default"
TOKEN = "paymint"


class Token:
    """An initialised token; `uri(label)` is the setting that names it."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.module = root / MODULE
        self._pin_file = directory / "pin"
        self._pin_file.write_text(PIN + "\n")
        (directory / "tokens").mkdir()
        configuration = directory / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {directory / 'tokens'}\nobjectstore.backend = file\n"
        )
        # The module reads it when it is loaded, once in a process.
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        command = [str(root / UTILITY), "--init-token", "--free", "--label", TOKEN]
        pins = ["--so-pin", "1234-not-a-default", "--pin", PIN]
        libraries = os.environ | {"LD_LIBRARY_PATH": str(self.module.parent)}
        subprocess.run(
            [*command, *pins, "--module", str(self.module)],
            check=True,
            capture_output=True,
            env=libraries,
        )

    def uri(self, label: str) -> str:
        place = f"module-path={self.module}&pin-source=file:{self._pin_file}"
        return f"pkcs11:token={TOKEN};object={label}?{place}"


def token(directory: Path) -> Token:
    """A token in this directory; skips the test where SoftHSM2 cannot be had."""
    for root in (Path("/"), UNPACKED):
        if (root / MODULE).exists() and (root / UTILITY).exists():
            return Token(root, directory)
    _download()
    return Token(UNPACKED, directory)


def _download() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip("SoftHSM2 is not installed, and this system has no apt-get to fetch it with")
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent) as made:
        place = Path(made)
        try:
            subprocess.run(
                ["apt-get", "download", *PACKAGES],
                cwd=place,
                check=True,
                capture_output=True,
                timeout=DOWNLOAD_SECONDS,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pytest.skip("SoftHSM2 is not installed, and Debian's packages are out of reach")
        for package in place.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, place / "root"], check=True)
        if not UNPACKED.exists():
            (place / "root").rename(UNPACKED)

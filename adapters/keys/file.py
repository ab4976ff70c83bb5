"""Master keys in files that only their owner may read: the default on one machine."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keys.naming import FIRST, born, new_id
from adapters.keys.provider import KeyUnusable

MASTER_KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_SUFFIX: Final = ".key"
_RETIRED: Final = "retired"
_OWNER_ONLY: Final = 0o600
_DIRECTORY_OWNER_ONLY: Final = 0o700
_PURPOSE: Final = b"paymint data key v1"


class FileKeys:
    """AES-256-GCM under random keys in `directory`/*.key, mode 0600; the newest is current.

    The first key is made when there is none.  A file that others may read is refused rather
    than repaired: who has read it cannot be known (PCI DSS 4.0.1 req. 3.7.5).  Files are read
    at each call, so that every process sees what another has made or retired.
    """

    kind = "file"

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=_DIRECTORY_OWNER_ONLY, parents=True, exist_ok=True)
        self._directory = directory
        if not self._ids():
            self._make(FIRST)
        for master in self._ids():
            self._read(master)

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        master = self._ids()[-1]
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._read(master))
        return master, nonce + cipher.encrypt(nonce, key, _PURPOSE)

    def unwrap(self, master: str, body: bytes) -> bytes:
        cipher = AESGCM(self._read(master))
        try:
            return cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], _PURPOSE)
        except (InvalidTag, ValueError):
            raise KeyUnusable("the key was wrapped with another master key") from None

    def current(self) -> tuple[str, datetime]:
        return self._born(self._ids()[-1])

    def make(self) -> tuple[str, datetime]:
        master = new_id(self._ids()[-1])
        self._make(master)
        return self._born(master)

    def retire(self, master: str) -> None:
        """Move the file aside, for its owner to keep with old backups or to destroy."""
        path = self._path(master)
        aside = self._directory / _RETIRED
        aside.mkdir(mode=_DIRECTORY_OWNER_ONLY, exist_ok=True)
        if path.exists():
            path.rename(aside / path.name)

    def _ids(self) -> list[str]:
        """Every key that is there, the newest last."""
        found = (path.stem for path in self._directory.glob(f"*{_SUFFIX}"))
        return sorted(found, key=lambda master: "" if master == FIRST else master)

    def _born(self, master: str) -> tuple[str, datetime]:
        moment = born(master)
        if moment is None:
            moment = datetime.fromtimestamp(self._path(master).stat().st_mtime, UTC)
        return master, moment

    def _path(self, master: str) -> Path:
        if master != FIRST and born(master) is None:
            raise KeyUnusable("this is no name of a master key")
        return self._directory / f"{master}{_SUFFIX}"

    def _make(self, master: str) -> None:
        # Written whole under another name and linked: two processes that start together
        # agree on one key, and a crash leaves no half of one.
        path = self._path(master)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        try:
            os.write(handle, os.urandom(MASTER_KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)

    def _read(self, master: str) -> bytes:
        path = self._path(master)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            retired = (self._directory / _RETIRED / path.name).exists()
            why = "retired" if retired else "not there"
            raise KeyUnusable(f"the master key {path} is {why}") from None
        try:
            status = os.fstat(handle)
            if stat.S_IMODE(status.st_mode) != _OWNER_ONLY or status.st_uid != os.geteuid():
                raise KeyUnusable(f"{path} must belong to this user with mode 0600")
            key = os.read(handle, MASTER_KEY_BYTES + 1)
        finally:
            os.close(handle)
        if len(key) != MASTER_KEY_BYTES:
            raise KeyUnusable(f"{path} must hold exactly {MASTER_KEY_BYTES} bytes")
        return key

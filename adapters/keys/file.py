"""A master key in a file that only its owner may read: the default on one machine."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keys.provider import KeyUnusable

MASTER_KEY_BYTES = 32
NONCE_BYTES = 12
_FILE_NAME = "master.key"
_OWNER_ONLY = 0o600
_DIRECTORY_OWNER_ONLY = 0o700
_PURPOSE = b"paymint data key v1"


class FileKeyProvider:
    """AES-256-GCM under a random key in `directory`/master.key, mode 0600.

    The key is made when the file does not exist.  A file that others may read is refused
    rather than repaired: who has read it cannot be known (PCI DSS 4.0.1 req. 3.7.5).
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=_DIRECTORY_OWNER_ONLY, parents=True, exist_ok=True)
        path = directory / _FILE_NAME
        if not path.exists():
            _make(path)
        self._cipher = AESGCM(_read(path))

    async def wrap(self, key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, _PURPOSE)

    async def unwrap(self, wrapped: bytes) -> bytes:
        try:
            nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, sealed, _PURPOSE)
        except (InvalidTag, ValueError):
            raise KeyUnusable("the key was wrapped with another master key") from None


def _make(path: Path) -> None:
    # Written whole under another name and linked: two processes that start together
    # agree on one key, and a crash leaves no half of one.
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


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
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

"""An archive in a local directory: complete, but without a lock.

Whoever may write to the directory as its owner can take files away; only a bucket with a
retention lock withstands that.
"""

import os
from pathlib import Path

_OWNER_ONLY = 0o700
_READ_ONLY = 0o400


class Directory:
    """Objects as files: made whole under another name, then linked, never opened again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"file:{path}"

    def put(self, name: str, content: bytes) -> None:
        """Write a file and its directory entry through to the disk; see `Archive.put`."""
        path = self._path / name
        for directory in (self._path, path.parent):
            directory.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        known = self.get(name)
        if known is not None:
            _check_same(name, known, content)
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READ_ONLY)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            try:
                # A link, unlike a rename, never replaces what is there.
                os.link(draft, path)
            except FileExistsError:
                _check_same(name, path.read_bytes(), content)
        finally:
            draft.unlink()
        _sync_directory(path.parent)

    def get(self, name: str) -> bytes | None:
        """A file's content, or None."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, prefix: str) -> list[str]:
        """The names of the files with this beginning, in their order."""
        found = (path for path in self._path.rglob("*") if path.is_file())
        names = (path.relative_to(self._path).as_posix() for path in found)
        return sorted(n for n in names if n.startswith(prefix) and "/." not in f"/{n}")


def _check_same(name: str, known: bytes, content: bytes) -> None:
    if known != content:
        raise FileExistsError(f"{name} is in the archive with another content")


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

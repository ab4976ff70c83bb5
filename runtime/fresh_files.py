"""Files that are replaced while we run, taken anew within a second."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from runtime.log import log

LOOK_SECONDS = 0.5

_Stamps = tuple[tuple[int, int, int] | None, ...]


async def keep_fresh(name: str, files: Sequence[Path], take: Callable[[], Awaitable[None]]) -> None:
    """Await `take()` whenever one of `files` has changed, for ever.

    Files that belong together are not replaced at one moment: what `take` cannot read
    (OSError, ValueError, of which ssl.SSLError is the first) is tried again with the next
    look, and what was taken last stays in use.  The first look is at the files as they are
    when this is called; they were taken just before.
    """
    taken = _stamps(files)
    reported: _Stamps | None = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        found = _stamps(files)
        if found == taken:
            continue
        try:
            await take()
        except (OSError, ValueError) as error:
            if found != reported:
                log("files_not_taken", files=name, error_type=type(error).__name__)
                reported = found
            continue
        # Changed once more while they were read: the next look sees it.
        taken = found
        log("files_taken", files=name)


def _stamps(files: Sequence[Path]) -> _Stamps:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino

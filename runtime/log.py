"""One JSON line per event on standard output, correlated by `request_id`.

Lines are gathered and written once per turn of the event loop, so a line costs an
encoding and no system call of its own.
"""

import asyncio
import atexit
import os
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

_STANDARD_OUTPUT = 1
_pending: list[bytes] = []
_process_name = "paymint"


def configure(process: str) -> None:
    """Name the process that every following line carries."""
    global _process_name
    _process_name = process
    atexit.register(flush)


def log(event: str, **fields: Any) -> None:
    """Write one line: `timestamp`, `process`, `event`, then `fields` (never a secret).

    A `timestamp` of the fields is the line's.
    """
    moment = fields.get("timestamp") or _now()
    line = {"timestamp": moment, "process": _process_name, "event": event, **fields}
    _pending.append(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
    if len(_pending) > 1:
        return
    try:
        asyncio.get_running_loop().call_soon(flush)
    except RuntimeError:
        flush()


def log_exception(event: str, error: BaseException, **fields: Any) -> None:
    """Write where an unforeseen error arose: type and code lines, never its message.

    Messages of libraries quote values (a driver quotes the row it refused), so only the
    frames are kept.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
    log(event, error_type=type(error).__name__, frames=places, **fields)


def flush() -> None:
    """Write what has been gathered; called by the loop, at exit and in tests."""
    if not _pending:
        return
    data = b"".join(_pending)
    _pending.clear()
    while data:
        data = data[os.write(_STANDARD_OUTPUT, data) :]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

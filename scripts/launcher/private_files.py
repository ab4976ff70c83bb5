"""Files that hold secrets: mode 0600 from their first byte, replaced as a whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

PRIVATE = 0o600


def write_private(path: Path, content: bytes) -> None:
    """Puts `content` at `path`; a reader sees the old file or the new one, never a part."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def write_json(path: Path, value: dict[str, Any]) -> None:
    write_private(path, (json.dumps(value, indent=2) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; an empty one when there is no such file."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}

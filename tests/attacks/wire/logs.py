"""What the processes of a stack have logged."""

import json

from tests.shop import Shop


def logged(shop: Shop, process: str, event: str, **fields: str) -> int:
    """How many such lines a process has logged."""
    log = shop.serving.directory / "log" / f"{process}.log"
    # The last line may be half there.
    lines = (json.loads(line) for line in log.read_text().split("\n")[:-1] if event in line)
    wanted = {"event": event, **fields}.items()
    return sum(wanted <= line.items() for line in lines)

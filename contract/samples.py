"""The document's own example of each kind of object that an event can be about."""

from typing import Any

from generated.samples import SAMPLES


def sample_of(kind: str) -> dict[str, Any]:
    """The example of a `payment`, `hold`, `refund` or `dispute`, the caller's to change."""
    return dict(SAMPLES[kind])

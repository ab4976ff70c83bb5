"""The API version of an answer at the token door.

The vault knows no merchant's pin and no test clock: it answers in the version the header
names, by the wall clock, and in the present one without a header.
"""

from contract.versions.entering import HEADER
from contract.versions.registry import BY_HEADER, LIVES, standing_headers, standing_of
from domain.api_versions import PRESENT, Standing
from runtime.clock import Clock
from vault.door.answers import Header, Message

_LEAVING = {version: standing_headers(version) for version in LIVES}


def version_of(scope: Message) -> str:
    """The version of the answer to this request; an unknown name counts as none."""
    return BY_HEADER.get(dict(scope["headers"]).get(HEADER, b""), PRESENT)


def version_headers(version: str, clock: Clock) -> list[Header]:
    """The version's name, and that it is on its way out where it is."""
    headers: list[Header] = [(b"paymint-version", version.encode("ascii"))]
    if version in _LEAVING and standing_of(version, clock.now()) is not Standing.CURRENT:
        headers.extend(_LEAVING[version])
    return headers

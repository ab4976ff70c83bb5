"""What a request is refused for by its version, at either house's door."""

from typing import Final

from contract.versions.registry import BY_HEADER
from domain.api_versions import Standing
from domain.refusals import Gone, Malformed

HEADER: Final = b"paymint-version"
_SHOWN: Final = "Paymint-Version"


def check_name(header: bytes | None) -> None:
    """Raises 400 `api_version_unknown` where the header is there and names no version."""
    if header is not None and header not in BY_HEADER:
        raise Malformed("api_version_unknown", _SHOWN)


def check_served(standing: Standing) -> None:
    """Raises 410 `api_version_brownout` or `api_version_removed`."""
    if standing is Standing.BROWNOUT:
        raise Gone("api_version_brownout", _SHOWN)
    if standing is Standing.REMOVED:
        raise Gone("api_version_removed", _SHOWN)

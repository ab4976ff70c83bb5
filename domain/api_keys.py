"""API keys: `sk_test_...`, `pk_live_...`, `sk_platform_...`.

After the prefix stand only letters and digits: the merchant's id (so that the look-up
stays on one shard), the key's id, and a secret of more than 160 random bits, each in
base 62 of fixed width (contract-decisions, "Identity").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from domain import base62, moments, scopes
from domain.callers import Caller
from domain.ids import to_text
from domain.refusals import Forbidden, Malformed, Unprocessable

Kind = Literal["secret", "publishable", "platform"]

_ID_WIDTH: Final = base62.ID_WIDTH
SECRET_BYTES: Final = 21
_SECRET_WIDTH: Final = 29
_BODY_WIDTH: Final = 2 * _ID_WIDTH + _SECRET_WIDTH
_SHOWN_END: Final = 4
# Per merchant and mode, those that were revoked not counted.
MAX_KEYS: Final = 100
_NOBODY: Final = UUID(int=0)

_PREFIXES: Final[dict[str, tuple[Kind, bool]]] = {
    "sk_live_": ("secret", True),
    "sk_test_": ("secret", False),
    "pk_live_": ("publishable", True),
    "pk_test_": ("publishable", False),
    "sk_platform_": ("platform", False),
}
_PREFIX_OF: Final = {meaning: prefix for prefix, meaning in _PREFIXES.items()}


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a key says of itself; nothing of it is proven yet."""

    kind: Kind
    livemode: bool
    merchant_id: UUID
    key_id: UUID


def compose(parsed: ParsedKey, secret: bytes) -> str:
    """The text of a key; `secret` is SECRET_BYTES random bytes."""
    prefix = _PREFIX_OF[parsed.kind, parsed.livemode]
    return (
        prefix
        + base62.encode(parsed.merchant_id.int, _ID_WIDTH)
        + base62.encode(parsed.key_id.int, _ID_WIDTH)
        + base62.encode(int.from_bytes(secret, "big"), _SECRET_WIDTH)
    )


def compose_platform(key_id: UUID, secret: bytes) -> str:
    """The text of an operator's key, which belongs to no merchant."""
    return compose(ParsedKey("platform", False, _NOBODY, key_id), secret)


def parse(text: str) -> ParsedKey | None:
    """Read a key's public part; None when it does not have the form of a key."""
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), None)
    if prefix is None:
        return None
    kind, livemode = _PREFIXES[prefix]
    body = text[len(prefix) :]
    if len(body) != _BODY_WIDTH or base62.decode(body) is None:
        return None
    merchant = base62.decode(body[:_ID_WIDTH]) or 0
    key = base62.decode(body[_ID_WIDTH : 2 * _ID_WIDTH]) or 0
    if merchant >> 128 or key >> 128:
        return None
    return ParsedKey(kind, livemode, UUID(int=merchant), UUID(int=key))


def display(text: str) -> str:
    """All that may be written down of a key: its prefix and last four (`sk_live_...1a2b`)."""
    prefix = next((prefix for prefix in _PREFIXES if text.startswith(prefix)), "")
    return f"{prefix}...{text[-_SHOWN_END:]}"


def check_new(caller: Caller, asked: Mapping[str, Any], now: datetime) -> None:
    """Raises 403 `insufficient_scope`, or 400 for an expiry that is over before it began."""
    if not scopes.may_grant(caller.scopes, asked.get("scopes", ())):
        raise Forbidden("insufficient_scope", "scopes")
    ends = asked.get("expires_at")
    if ends is not None and moments.from_text(ends) <= now:
        raise Malformed("parameter_invalid", "expires_at")


def check_rollable(caller: Caller, key: Mapping[str, Any], now: datetime) -> None:
    """Raises 403 for a key with more scopes than the caller's, 422 for one that is not active."""
    if not scopes.may_grant(caller.scopes, key["scopes"]):
        raise Forbidden("insufficient_scope")
    check_usable(key, now)


def check_names_merchant(asked: Mapping[str, Any]) -> None:
    """The operator's key belongs to no merchant: raises 400 where it names none."""
    if "merchant_id" not in asked:
        raise Malformed("parameter_missing", "merchant_id")


def check_room(existing: int) -> None:
    """Raises 422 `api_key_limit` where one more would be too many."""
    if existing >= MAX_KEYS:
        raise Unprocessable("api_key_limit")


def status(key: Mapping[str, Any], now: datetime) -> str:
    """`active`, `suspended` or `expired`; the first reason to refuse a key names it."""
    if key["expires_at"] is not None and key["expires_at"] <= now:
        return "expired"
    return "active" if key["suspended_at"] is None else "suspended"


def check_usable(key: Mapping[str, Any], now: datetime) -> None:
    """Raises 422 `api_key_unexpected_state` unless the key is active."""
    standing = status(key, now)
    if standing != "active":
        raise Unprocessable("api_key_unexpected_state", status=standing)


def check_not_last(key: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> None:
    """Raises 422 `api_key_last_admin` where a merchant would lock itself out of a mode.

    `others` are the other usable keys of the mode.
    """
    administers = any(scopes.ADMIN in other["scopes"] for other in others)
    if scopes.ADMIN in key["scopes"] and not administers:
        raise Unprocessable("api_key_last_admin")


def end_of_overlap(key: Mapping[str, Any], overlap_seconds: int, now: datetime) -> datetime:
    """When a rolled key stops: after the overlap, or when it would have anyway."""
    ends = now + timedelta(seconds=overlap_seconds)
    return ends if key["expires_at"] is None else min(ends, key["expires_at"])


def resource(key: Mapping[str, Any], now: datetime, secret: str | None = None) -> dict[str, Any]:
    """The key as the API shows it; `secret` only in the answer that makes a secret key."""
    ends, flagged = key["expires_at"], key.get("flagged_at")
    return {
        "object": "api_key",
        "id": to_text("key", key["id"]),
        "merchant_id": to_text("mch", key["merchant_id"]),
        "name": key["name"],
        "type": key["type"],
        "display": key["display"],
        "secret": key["publishable_key"] or secret,
        "scopes": key["scopes"],
        "status": status(key, now),
        "ip_allowlist": key["ip_allowlist"],
        "expires_at": None if ends is None else moments.to_text(ends),
        "flagged_at": None if flagged is None else moments.to_text(flagged),
        "livemode": key["livemode"],
        "created_at": moments.to_text(key["created_at"]),
    }


def deleted(key_id: UUID) -> dict[str, Any]:
    """What is answered when a key is revoked."""
    return {"object": "api_key", "id": to_text("key", key_id), "deleted": True}

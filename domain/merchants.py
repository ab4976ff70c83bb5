"""Merchants: where an account may go from where it stands, who changes what, how it is shown."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from domain import moments
from domain.callers import Caller
from domain.ids import to_text
from domain.refusals import Forbidden, Unprocessable

# pending_review -> active <-> suspended -> terminated, and pending_review -> terminated.
STEPS: Final[Mapping[str, frozenset[str]]] = {
    "pending_review": frozenset({"active", "terminated"}),
    "active": frozenset({"suspended"}),
    "suspended": frozenset({"active", "terminated"}),
    "terminated": frozenset(),
}
# A closed account may be read this long, so that its books can be finished.
READABLE_AFTER_TERMINATION: Final = timedelta(days=90)

# The category decides about risk and fees, the status about everything: the operator's word.
MERCHANTS_OWN_FIELDS: Final = frozenset(
    {"business_name", "webhook_url", "settlement_currency", "api_version"}
)
PLATFORMS_FIELDS: Final = frozenset(
    {"business_name", "settlement_currency", "mcc", "status", "rate_limit_multiplier"}
)
# The one field that belongs to a mode, so that a test key may change it at any time.
FIELDS_OF_A_MODE: Final = frozenset({"webhook_url"})


def check_may_change(caller: Caller, fields: Iterable[str]) -> None:
    """Raises 403 unless this caller may change these fields.

    `insufficient_scope` for a field that is the other side's, `live_key_required` where an
    active merchant changes what live payments depend on with a test key.
    """
    named = frozenset(fields)
    allowed = PLATFORMS_FIELDS if caller.is_platform else MERCHANTS_OWN_FIELDS
    if not named <= allowed:
        raise Forbidden("insufficient_scope")
    pretending = caller.merchant_status != "pending_review" and not caller.livemode
    if not caller.is_platform and pretending and named - FIELDS_OF_A_MODE:
        raise Forbidden("live_key_required")


def check_step(before: str, after: str) -> None:
    """Raises 422 `merchant_unexpected_state` for a step that the states do not have.

    The state where the merchant stands already is no step, so a change may be sent twice.
    """
    if after != before and after not in STEPS[before]:
        raise Unprocessable("merchant_unexpected_state", "status", status=before)


def is_readable(terminated_at: datetime | None, now: datetime) -> bool:
    """Whether an account that was closed may still be read."""
    return terminated_at is None or now < terminated_at + READABLE_AFTER_TERMINATION


def resource(
    merchant: Mapping[str, Any], webhook_url: str | None, livemode: bool
) -> dict[str, Any]:
    """The merchant as the API shows it; its webhook URL belongs to the mode."""
    return {
        "object": "merchant",
        "id": to_text("mch", merchant["id"]),
        "business_name": merchant["business_name"],
        "mcc": merchant["mcc"],
        "country": merchant["country"],
        "status": merchant["status"],
        "settlement_currency": merchant["settlement_currency"],
        "webhook_url": webhook_url,
        "api_version": merchant["api_version"],
        "rate_limit_multiplier": merchant["rate_limit_multiplier"],
        "livemode": livemode,
        "revision": merchant["revision"],
        "created_at": moments.to_text(merchant["created_at"]),
    }

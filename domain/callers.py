"""Who is asking: the merchant, the mode and the scopes behind a key or an access token."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.allowlists import Network
from domain.api_versions import PRESENT
from domain.risk_signals import RiskSignals, nothing
from domain.scopes import PLATFORM

Kind = Literal["secret", "platform", "oauth"]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller whose key or access token was verified.

    `scopes` are those the key was given; what they imply stands in the document.
    `key_display` is the prefix and the last four characters, all that may be written down
    of a key (blueprint section 4).  `allowed_from`: the networks that the key may be used
    from; None: all.  `terminated_at`: when the merchant's account was closed, if it was.
    `api_version` is the merchant's pin, `frozen_time` where the merchant's test clock
    stands, None without one.  `kind` is what was shown: a secret key, the operator's, or an
    access token, which has `client_id` (whose application), `person_id` (who consented) and
    `second_factor_at` (when that person last gave a code).  `key_id` is then the grant's.
    `rate_limit_multiplier` is the merchant's negotiated limit.
    """

    merchant_id: UUID
    livemode: bool
    key_id: UUID
    key_display: str
    scopes: frozenset[str]
    merchant_status: str
    allowed_from: tuple[Network, ...] | None = None
    terminated_at: datetime | None = None
    api_version: str = PRESENT
    frozen_time: datetime | None = None
    kind: Kind = "secret"
    client_id: UUID | None = None
    person_id: UUID | None = None
    second_factor_at: datetime | None = None
    rate_limit_multiplier: int = 1

    @property
    def is_platform(self) -> bool:
        """The operator of the platform, who belongs to no merchant."""
        return PLATFORM in self.scopes

    def business_now(self, now: datetime) -> datetime:
        """The merchant's own moment; `now` is the wall clock's."""
        return now if self.frozen_time is None else self.frozen_time


@dataclass(frozen=True, slots=True)
class Once:
    """An idempotency key and the digest of the request that it is bound to.

    `digest` is SHA-256 over method, path and the canonical JSON of the body.
    """

    key: UUID
    digest: bytes
    # A hint of the fast check: read the row of the key before claiming it.
    seen_before: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """What every flow is told of a request: who, from where, under which id, once or not."""

    caller: Caller
    request_id: str
    once: Once | None
    # The revisions that a change may be made to; None: any.
    if_match: frozenset[int] | None = None
    client_address: str = ""
    # Of the request; a flow that notices more says it here, for the audit entry.
    risk_signals: RiskSignals = field(default_factory=nothing)

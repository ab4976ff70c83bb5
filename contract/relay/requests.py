"""What the API's and the worker's processes ask of the vault."""

from datetime import datetime
from uuid import UUID

import msgspec

from contract.relay.answers import ChargebackReason, ChargebackState


class _Scoped(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind"):
    request_id: str
    merchant_id: UUID
    livemode: bool


class Describe(_Scoped, kw_only=True, frozen=True, tag="describe"):
    """Ask what an unused token or a saved instrument is; answers Instrument or Rejected.

    A token that was spent for `spent_for` counts as unused.
    """

    instrument_id: UUID
    spent_for: UUID | None = None


class Attach(_Scoped, kw_only=True, frozen=True, tag="attach"):
    """Turn a token into a saved instrument named `method_id`; answers Instrument or Rejected."""

    token_id: UUID
    method_id: UUID


class Erase(_Scoped, kw_only=True, frozen=True, tag="erase"):
    """Forget the card number of a saved instrument (detach); answers Done."""

    instrument_id: UUID


class Confirm(_Scoped, kw_only=True, frozen=True, tag="confirm"):
    """The main house has this saved instrument's row. Answers Done."""

    instrument_id: UUID


class ListUnconfirmed(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="list_unconfirmed"
):
    """Instruments of all merchants, saved over an hour ago, that were neither confirmed nor
    erased, oldest first. A process that is lost between saving a card and writing its row
    leaves one behind. Answers Unconfirmed with at most `limit` items.
    """

    request_id: str
    limit: int


class Authorise(_Scoped, kw_only=True, frozen=True, tag="authorise"):
    """Ask the card network for money; `capture` makes it a sale. Answers Decision or Rejected.

    A hold is asked for under its own id as `payment_id`; what is added to it has an id of its
    own there, and the hold's as `hold_id`.

    `spent_for` is the idempotency key that a token is spent for: where nothing came of the
    payment it was spent on, the next one under the same key may have it.
    """

    attempt_id: UUID
    payment_id: UUID
    instrument_id: UUID
    amount: int
    currency: str
    capture: bool
    hold_id: UUID | None = None
    spent_for: UUID | None = None


class Capture(_Scoped, kw_only=True, frozen=True, tag="capture"):
    """Collect `amount` of an approved authorisation, releasing the rest. Answers Decision.

    With `hold_id` the money comes out of that hold's approval, what is left of which stands:
    `payment_id` then names a payment that no network was asked for before.
    """

    attempt_id: UUID
    payment_id: UUID
    amount: int
    currency: str
    hold_id: UUID | None = None


class Reverse(_Scoped, kw_only=True, frozen=True, tag="reverse"):
    """Give back an authorisation that was not captured, or what is left of a hold (named by
    `payment_id`) with all that was added to it. Answers Decision."""

    attempt_id: UUID
    payment_id: UUID


class Refund(_Scoped, kw_only=True, frozen=True, tag="refund"):
    """Return money of a captured payment. Answers Decision, `pending` while it settles."""

    attempt_id: UUID
    payment_id: UUID
    refund_id: UUID
    amount: int
    currency: str


class Resolve(_Scoped, kw_only=True, frozen=True, tag="resolve"):
    """Ask what became of an attempt, and fence it if it never began. Answers Resolution.

    With `give_up` an authorisation that its network says nothing certain of is fenced, too:
    should it be approved after all, the vault gives it back.
    """

    attempt_id: UUID
    give_up: bool = False


class ListChargebacks(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="list_chargebacks"
):
    """What the card networks told of chargebacks, until it was acknowledged, oldest first.

    The one request for all merchants, as a network's own reports are; every item names its
    merchant. Answers ChargebackNews with at most `limit` items, which were opened after
    `after_ms`, or then and have an id greater than `after_id`: the last one that was told
    before, so that those which wait to be acknowledged keep no later one from being told.
    """

    request_id: str
    limit: int
    after_ms: int = 0
    after_id: UUID = UUID(int=0)


class AcknowledgeChargeback(_Scoped, kw_only=True, frozen=True, tag="acknowledge_chargeback"):
    """The main house has recorded this `state` of a chargeback. Answers Done."""

    chargeback_id: UUID
    state: ChargebackState


class Represent(_Scoped, kw_only=True, frozen=True, tag="represent"):
    """Hand a merchant's evidence to the network, once. Answers Done or Rejected."""

    chargeback_id: UUID
    text: str
    receipt_url: str | None
    shipping_tracking: str | None
    customer_communication: str | None


class OpenChargeback(_Scoped, kw_only=True, frozen=True, tag="open_chargeback"):
    """Sandbox: the simulated network charges back `amount` of a captured payment, or what is
    left of it. Asked again under the same id, it answers what it opened before. Answers
    Chargeback or Rejected."""

    chargeback_id: UUID
    payment_id: UUID
    amount: int
    reason: ChargebackReason


class RuleOnChargeback(_Scoped, kw_only=True, frozen=True, tag="rule_on_chargeback"):
    """Sandbox: the simulated network decides a chargeback. Answers Chargeback, with an earlier
    decision if there was one, or Rejected."""

    chargeback_id: UUID
    won: bool


class PublishKey(_Scoped, kw_only=True, frozen=True, tag="publish_key"):
    """Make a publishable key known at the token door as it stands now. Answers Done.

    Each message tells the whole state: a key that is `revoked` (for ever), `suspended` (until
    a message says otherwise) or past `expires_at` is refused there.
    """

    key: str
    revoked: bool = False
    suspended: bool = False
    expires_at: datetime | None = None


class NegotiateLimit(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="negotiate_limit"
):
    """A merchant's publishable keys, of both modes and those to come, may be used this many
    times as often as others. Answers Done."""

    request_id: str
    merchant_id: UUID
    multiplier: int


class ListAuditHeads(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="list_audit_heads"
):
    """Where each chain of the token door's audit trail stands that has an entry from `since`.

    Chains after the chain `after`, in their order. Answers AuditHeads with at most `limit`.
    """

    request_id: str
    since: UUID
    after: UUID
    limit: int


class ReadAuditSegment(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="read_audit_segment"
):
    """Entries of a chain with a sequence over `after` up to `through`, at most `limit` of them,
    to be archived. Answers AuditSegment."""

    request_id: str
    chain: UUID
    after: int
    through: int
    limit: int


class Echo(_Scoped, kw_only=True, frozen=True, tag="echo"):
    """Is the vault, with its database, there, and which networks are not? Answers Present."""


class CountOldKeys(_Scoped, kw_only=True, frozen=True, tag="count_old_keys"):
    """How many keys in use were made before a moment (unix ms)? Answers OldKeys."""

    born_before_ms: int


Request = (
    Describe
    | Attach
    | Erase
    | Confirm
    | ListUnconfirmed
    | Authorise
    | Capture
    | Reverse
    | Refund
    | Resolve
    | ListChargebacks
    | AcknowledgeChargeback
    | Represent
    | OpenChargeback
    | RuleOnChargeback
    | PublishKey
    | NegotiateLimit
    | ListAuditHeads
    | ReadAuditSegment
    | Echo
    | CountOldKeys
)

"""Messages of the private relay door between the main house and the vault.

Every request but ListChargebacks, ListUnconfirmed, NegotiateLimit and those about the audit
trail names the merchant and mode it acts for; the vault looks nothing up outside that pair.
Ids are native UUIDs, amounts are integers in minor units of `currency`.
`attempt_id` is committed by the caller before it asks, and is the unit of `resolve`:
the same attempt arriving twice is answered with the stored result and never begun twice.
Source: contract-decisions "Money", docs/decisions on the vault door.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

ChargebackReason = Literal["fraudulent", "product_not_received", "unrecognized", "other"]
# `won` by the merchant, or `lost`.
ChargebackState = Literal["open", "won", "lost"]


class _Scoped(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind"):
    request_id: str
    merchant_id: UUID
    livemode: bool


class Describe(_Scoped, kw_only=True, frozen=True, tag="describe"):
    """Ask what an unused token or a saved instrument is; answers Instrument or Rejected."""

    instrument_id: UUID


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
    """Ask the card network for money; `capture` makes it a sale. Answers Decision or Rejected."""

    attempt_id: UUID
    payment_id: UUID
    instrument_id: UUID
    amount: int
    currency: str
    capture: bool


class Capture(_Scoped, kw_only=True, frozen=True, tag="capture"):
    """Collect `amount` of an approved authorisation, releasing the rest. Answers Decision."""

    attempt_id: UUID
    payment_id: UUID
    amount: int
    currency: str


class Reverse(_Scoped, kw_only=True, frozen=True, tag="reverse"):
    """Give back an authorisation that was not captured. Answers Decision."""

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
    """Ask what became of an attempt, and fence it if it never began. Answers Resolution."""

    attempt_id: UUID


class ListChargebacks(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="list_chargebacks"
):
    """What the card networks told of chargebacks, until it was acknowledged, oldest first.

    The one request for all merchants, as a network's own reports are; every item names its
    merchant. Answers ChargebackNews with at most `limit` items.
    """

    request_id: str
    limit: int


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
    """Is the vault, with its database, there? Answers Done."""


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


class Instrument(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="instrument"):
    """What may be known of an instrument outside the vault (PCI DSS 4.0.1 req. 3.4.1)."""

    id: UUID
    type: Literal["card", "bank_account", "wallet"]
    network: str
    last_four: str | None = None
    brand: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    fingerprint: str
    # What a bank account pays in; None: any currency.
    currency: str | None = None


class Decision(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="decision"):
    """The network's answer. `code`/`decline_code` are set when it is `declined`."""

    outcome: Literal["approved", "declined", "pending"]
    network: str
    network_reference: str | None = None
    code: str | None = None
    decline_code: str | None = None
    cvc_check: Literal["pass", "fail", "unavailable"] | None = None
    # Of an authorisation: the card, or the merchant's declined cards, came unusually often.
    velocity_flag: bool = False


class Resolution(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="resolution"):
    """`never_begun` is final: the attempt is fenced. `undecided`: begun, ask again later."""

    state: Literal["never_begun", "decided", "undecided"]
    decision: Decision | None = None


class Rejected(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="rejected"):
    """A certain refusal: nothing was begun. `code` is one of the codes listed here."""

    code: Literal[
        "instrument_unknown",
        "token_expired",
        "token_already_used",
        "attempt_fenced",
        "payment_unknown",
        "livemode_mismatch",
        "chargeback_unknown",
        "nothing_to_charge_back",
    ]


class Chargeback(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="chargeback"):
    """Money of a captured payment that the payer's bank claims back, and how that stands."""

    id: UUID
    merchant_id: UUID
    livemode: bool
    payment_id: UUID
    amount: int
    currency: str
    reason: ChargebackReason
    state: ChargebackState
    opened_at_ms: int


class ChargebackNews(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="chargeback_news"
):
    """Chargebacks whose present state was not acknowledged yet."""

    chargebacks: list[Chargeback]


class AuditHead(msgspec.Struct, kw_only=True, frozen=True):
    """The end of a chain; `hash` is hexadecimal."""

    chain: UUID
    sequence: int
    hash: str


class AuditHeads(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="audit_heads"):
    """Ends of chains, in the order of the chains."""

    heads: list[AuditHead]


class AuditEntry(msgspec.Struct, kw_only=True, frozen=True):
    """An entry as it is stored: `entry` is its JSON, `previous` and `hash` are hexadecimal."""

    id: UUID
    merchant_id: UUID
    livemode: bool | None
    entry: str
    sequence: int
    previous: str
    hash: str


class AuditSegment(
    msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="audit_segment"
):
    """Entries of one chain, in its order."""

    entries: list[AuditEntry]


class SavedInstrument(msgspec.Struct, kw_only=True, frozen=True):
    """The name of a saved instrument."""

    id: UUID
    merchant_id: UUID
    livemode: bool


class Unconfirmed(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="unconfirmed"):
    """Saved instruments that the main house has to vouch for, or have erased."""

    instruments: list[SavedInstrument]


class Done(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="done"):
    """It is done, or was done before."""


class OldKeys(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="old_keys"):
    """Master keys that are not retired, and merchants whose newest sealing key is as old."""

    master_keys: int
    data_keys: int


Answer = (
    Instrument
    | Decision
    | Resolution
    | Rejected
    | Chargeback
    | ChargebackNews
    | AuditHeads
    | AuditSegment
    | OldKeys
    | Unconfirmed
    | Done
)

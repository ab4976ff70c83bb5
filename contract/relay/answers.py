"""What the vault answers."""

from typing import Literal
from uuid import UUID

import msgspec

ChargebackReason = Literal["fraudulent", "product_not_received", "unrecognized", "other"]
# `won` by the merchant, or `lost`.
ChargebackState = Literal["open", "won", "lost"]


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
    # The message that asked for it first, by which a network that is spoken to in messages
    # finds it.
    trace: str | None = None


class Resolution(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="resolution"):
    """`never_begun` is final: the attempt is fenced. `undecided`: begun, ask again later."""

    state: Literal["never_begun", "decided", "undecided"]
    decision: Decision | None = None


class Rejected(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="rejected"):
    """A certain refusal: nothing was begun. `code` is one of the codes listed here.

    `network_unavailable`: the card network is away and was not asked. An authorisation is to
    be asked for again under another attempt, everything else under the same one.
    """

    code: Literal[
        "instrument_unknown",
        "token_expired",
        "token_already_used",
        "attempt_fenced",
        "payment_unknown",
        "livemode_mismatch",
        "chargeback_unknown",
        "nothing_to_charge_back",
        "network_unavailable",
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


class Present(msgspec.Struct, kw_only=True, frozen=True, tag_field="kind", tag="present"):
    """The vault is there, with its database; payments of these networks queue at present."""

    networks_away: list[str]


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
    | Present
    | Unconfirmed
    | Done
)

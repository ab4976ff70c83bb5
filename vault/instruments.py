"""What can be charged: a card, a bank account, a wallet.  Numbers wear a mask."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from domain.card_numbers import AcceptedBrand
from runtime.masked import Masked

LAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Card:
    """A payment card; its CVC is never part of it (PCI DSS 4.0.1 req. 3.3.1)."""

    number: Masked
    exp_month: int
    exp_year: int
    brand: AcceptedBrand


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A bank account; `routing_number` and `account_number` are digits."""

    country: str
    currency: str
    routing_number: str
    account_number: Masked


@dataclass(frozen=True, slots=True)
class Wallet:
    """What a phone's wallet hands over in place of a card."""

    provider: str
    payload: Masked


Secret = Card | BankAccount | Wallet


class _SealedCard(msgspec.Struct, tag_field="type", tag="card", array_like=True):
    number: str
    exp_month: int
    exp_year: int
    brand: AcceptedBrand


class _SealedBankAccount(msgspec.Struct, tag_field="type", tag="bank_account", array_like=True):
    country: str
    currency: str
    routing_number: str
    account_number: str


class _SealedWallet(msgspec.Struct, tag_field="type", tag="wallet", array_like=True):
    provider: str
    payload: str


_Sealed = _SealedCard | _SealedBankAccount | _SealedWallet
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[_Sealed] = msgspec.msgpack.Decoder(_Sealed)


def to_plaintext(secret: Secret) -> bytes:
    """The bytes that are sealed."""
    if isinstance(secret, Card):
        number = secret.number.reveal()
        return _encoder.encode(_SealedCard(number, secret.exp_month, secret.exp_year, secret.brand))
    if isinstance(secret, BankAccount):
        account = secret.account_number.reveal()
        return _encoder.encode(
            _SealedBankAccount(secret.country, secret.currency, secret.routing_number, account)
        )
    return _encoder.encode(_SealedWallet(secret.provider, secret.payload.reveal()))


def from_plaintext(plaintext: bytes) -> Secret:
    """What `to_plaintext` was given."""
    sealed = _decoder.decode(plaintext)
    if isinstance(sealed, _SealedCard):
        return Card(Masked(sealed.number), sealed.exp_month, sealed.exp_year, sealed.brand)
    if isinstance(sealed, _SealedBankAccount):
        return BankAccount(
            sealed.country,
            sealed.currency,
            sealed.routing_number,
            Masked(sealed.account_number),
        )
    return Wallet(sealed.provider, Masked(sealed.payload))


def kind_of(secret: Secret) -> Literal["card", "bank_account", "wallet"]:
    """The instrument's type as the contract names it."""
    if isinstance(secret, Card):
        return "card"
    return "bank_account" if isinstance(secret, BankAccount) else "wallet"


def fingerprint_text(secret: Secret) -> str:
    """What makes two instruments the same; a renewed expiry leaves a card the same."""
    if isinstance(secret, Card):
        return f"card {secret.number.reveal()}"
    if isinstance(secret, BankAccount):
        where = f"{secret.country} {secret.routing_number}"
        return f"bank_account {where} {secret.account_number.reveal()}"
    return f"wallet {secret.provider} {secret.payload.reveal()}"


def last_four(secret: Secret) -> str | None:
    """The last four digits that may be shown (PCI DSS 4.0.1 req. 3.4.1); a wallet has none."""
    if isinstance(secret, Card):
        return secret.number.reveal()[-LAST_DIGITS:]
    if isinstance(secret, BankAccount):
        return secret.account_number.reveal()[-LAST_DIGITS:]
    return None

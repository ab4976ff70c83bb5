"""From what a payer typed to an instrument, or to the reason why it cannot be one."""

from datetime import datetime
from typing import Any

from domain.card_numbers import CARD_DIGITS_MAX, CARD_DIGITS_MIN, brand_of, has_check_digit
from domain.refusals import Declined
from runtime.masked import Masked
from vault.instruments import BankAccount, Card, Secret, Wallet

EXPIRY_YEARS_AHEAD_MAX = 50
MONTHS = 12
CVC_DIGITS = {"visa": 3, "mastercard": 3, "amex": 4}
US_ROUTING_DIGITS = 9
US_ACCOUNT_DIGITS = range(4, 18)
# Weights of the check digit in a US routing number (ABA).
_ABA_WEIGHTS = (3, 7, 1) * 3


class CardRefused(Declined):
    """402: the data cannot be right; `replayed` when its request key said so before."""

    def __init__(self, code: str, param: str, *, replayed: bool = False) -> None:
        super().__init__(code, param)
        self.replayed = replayed


def read_instrument(body: dict[str, Any], now: datetime) -> tuple[Secret, Masked | None]:
    """The instrument of a body that fits the contract, and its CVC; raises CardRefused."""
    kind = body["type"]
    if kind == "card":
        return _card(body["card"], now)
    if kind == "bank_account":
        return _bank_account(body["bank_account"]), None
    wallet = body["wallet"]
    return Wallet(wallet["provider"], Masked(wallet["payload"])), None


def _card(typed: dict[str, Any], now: datetime) -> tuple[Card, Masked | None]:
    number = typed["number"]
    if not _could_be_a_card(number):
        raise CardRefused("incorrect_number", "card.number")
    brand = brand_of(number)
    if brand is None:
        raise CardRefused("card_not_supported", "card.number")
    month, year = typed["exp_month"], typed["exp_year"]
    if not 1 <= month <= MONTHS:
        raise CardRefused("invalid_expiry_month", "card.exp_month")
    if not now.year <= year <= now.year + EXPIRY_YEARS_AHEAD_MAX:
        raise CardRefused("invalid_expiry_year", "card.exp_year")
    # A card is good until the end of its month.
    if year == now.year and month < now.month:
        raise CardRefused("invalid_expiry_month", "card.exp_month")
    cvc = typed.get("cvc")
    if cvc is not None and not (_is_digits(cvc) and len(cvc) == CVC_DIGITS[brand]):
        raise CardRefused("invalid_cvc", "card.cvc")
    card = Card(Masked(number), month, year, brand)
    return card, None if cvc is None else Masked(cvc)


def _bank_account(typed: dict[str, Any]) -> BankAccount:
    routing, account = typed["routing_number"], typed["account_number"]
    american = typed["country"] == "US"
    if not (_is_us_routing(routing) if american else routing.isascii() and routing.isalnum()):
        raise CardRefused("bank_account_invalid", "bank_account.routing_number")
    fits = _is_digits(account) and len(account) in US_ACCOUNT_DIGITS
    if not (fits if american else account.isascii() and account.isalnum()):
        raise CardRefused("bank_account_invalid", "bank_account.account_number")
    return BankAccount(typed["country"], typed["currency"], routing, Masked(account))


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _could_be_a_card(number: str) -> bool:
    fits = _is_digits(number) and CARD_DIGITS_MIN <= len(number) <= CARD_DIGITS_MAX
    return fits and has_check_digit(number)


def _is_us_routing(routing: str) -> bool:
    if not _is_digits(routing) or len(routing) != US_ROUTING_DIGITS:
        return False
    pairs = zip(routing, _ABA_WEIGHTS, strict=True)
    return sum(int(digit) * weight for digit, weight in pairs) % 10 == 0

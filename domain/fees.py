"""What Paymint keeps of the money it moves, in minor units of the payment's own currency."""

from typing import Final

# Of every captured amount: 2.9 %, and a fixed part (contract-decisions, "Money").
BASIS_POINTS: Final = 290
FIXED: Final = 30
# Of every dispute, however it ends.
DISPUTE: Final = 1500
_WHOLE: Final = 10_000


def capture_fee(amount: int) -> int:
    """The fee of a captured amount, halves of a minor unit rounded to even.

    It is kept when the payment is refunded.
    """
    kept, rest = divmod(amount * BASIS_POINTS, _WHOLE)
    if rest * 2 > _WHOLE or (rest * 2 == _WHOLE and kept % 2):
        kept += 1
    return kept + FIXED

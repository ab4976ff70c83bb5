"""`scripts/ledger check` on a running stack: the last word of a test that moved money."""

from scripts.bookkeeping.checking import Report, check
from tests.serving import eventually
from tests.shop import Shop

# The longest that anything waits: an authorisation that no network answers (30 s), a refund.
SETTLED_WITHIN_SECONDS = 60.0


def report(shop: Shop, settled: bool = False) -> Report:
    """What the books of a stack say, beside its networks' journal."""
    url = shop.environment["paymint-worker"]["DATABASE_URL"]
    return check(url, shop.serving.directory / "simulator" / "journal.jsonl", settled)


def agree(shop: Shop) -> None:
    """The books agree at this moment, whatever is under way."""
    assert report(shop).differences == []


def settle(shop: Shop) -> None:
    """All work ends, and then ours and the networks' books are equal."""
    eventually(lambda: not report(shop, settled=True).differences, SETTLED_WITHIN_SECONDS)
    assert report(shop, settled=True).differences == []

"""A stack behind a proxy that is believed, with limits so small that tests reach them."""

from collections.abc import Iterator

import pytest

from tests.books import settle
from tests.serving import STRICT, serving
from tests.shop import Shop

NARROW = {
    "PAYMINT_TRUSTED_PROXIES": "127.0.0.0/8",
    "PAYMINT_SANDBOX_ACCOUNTS_PER_HOUR": "20",
    "PAYMINT_PUBLIC_REQUESTS_PER_MINUTE": "60",
    "PAYMINT_FAILED_AUTHENTICATIONS_PER_MINUTE": "5",
    "PAYMINT_PUBLISHABLE_KEY_MULTIPLIER": "1",
    "PAYMINT_MAX_REQUESTS_IN_FLIGHT": "6",
    "PAYMINT_MAX_REQUESTS_AT_WORK": "4",
}


@pytest.fixture(scope="package")
def narrow() -> Iterator[Shop]:
    with serving(STRICT, "--port", "0", **NARROW) as running:
        opened = Shop(running)
        try:
            yield opened
            settle(opened)
        finally:
            opened.close()

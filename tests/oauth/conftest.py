"""A person who is signed in, and a partner whom nobody else uses."""

import pytest

from tests.oauth.partner import Partner, Person, register
from tests.people import sign_in
from tests.shop import Shop


@pytest.fixture(scope="package")
def person(shop: Shop) -> Person:
    """Somebody of a merchant's who has just given a second factor."""
    merchant = shop.open_account()
    return Person(merchant, sign_in(shop, merchant))


@pytest.fixture
def partner(shop: Shop, person: Person) -> Partner:
    """A confidential client of this test's own."""
    return Partner(shop, person.browser, register(shop))

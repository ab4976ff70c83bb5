"""People: invited, enrolled, signed in with two factors, locked out, signed out."""

from tests.people import sign_in
from tests.shop import Merchant, Shop


def test_from_the_link_to_signing_out(shop: Shop, merchant: Merchant) -> None:
    browser = sign_in(shop, merchant)
    page = browser.get("/sessions")
    assert page.status_code == 200
    assert "Ada Lovelace" in page.text
    out = browser.post("/sign_out", {"form_token": browser.form_token()})
    assert (out.status_code, out.headers["location"]) == (303, "/sign_in")
    assert browser.get("/sessions").status_code == 303

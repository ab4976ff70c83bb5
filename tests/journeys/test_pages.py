"""Pages: where they lead, what they are made of, what they take."""

import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import httpx
import pytest

from tests.people import (
    Browser,
    enrol,
    enrolled,
    field_of,
    invite,
    new_address,
    refused_page,
    sign_in,
)
from tests.shop import Merchant, Shop, told

WRONG = "rust-kettle-95-lamp"


@pytest.fixture
def browser(shop: Shop, merchant: Merchant) -> Browser:
    """The browser of somebody who has just signed in."""
    return sign_in(shop, merchant)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "/\\evil.example",
        "/%0d%0aSet-Cookie:x\r\nX: y",
        "https://evil.example/",
        "javascript:alert(1)",
        "/\t/evil.example",
        "evil.example",
        "",
        "/é",
    ],
)
def test_nobody_is_sent_elsewhere(shop: Shop, merchant: Merchant, elsewhere: str) -> None:
    browser = enrolled(shop, merchant)
    answer = browser.sign_in(return_to=elsewhere)
    refused_page(answer, 400, "parameter_invalid_format")
    assert "location" not in answer.headers
    shown = shop.http.get("/sign_in", params={"return_to": elsewhere})
    refused_page(shown, 400, "parameter_invalid_format")


def test_one_is_sent_back_to_where_one_came_from(shop: Shop, merchant: Merchant) -> None:
    browser = enrolled(shop, merchant)
    path = "/oauth/authorize?client_id=a&redirect_uri=https%3A%2F%2Fpartner.example%2F&state=x%26y"
    shown = shop.http.get("/sign_in", params={"return_to": path})
    assert html.unescape(field_of(shown.text, "return_to")) == path
    assert browser.sign_in(return_to=path).headers["location"] == path


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for each, attributes in self.tags if each == tag]


def test_pages_can_be_read_by_everybody_and_load_nothing(
    browser: Browser, merchant: Merchant
) -> None:
    """WCAG 2.2: 3.1.1 language, 2.4.2 title, 1.3.1 labels, 1.1.1 a name for the picture."""
    _, link = invite(browser.shop, merchant)
    failed = browser.sign_in(password=WRONG, code="000000", email=new_address())
    answers = [browser.get(path) for path in ("/sign_in", "/sessions", link, "/invitations/x")]
    for answer in (*answers, failed):
        outline = Outline()
        outline.feed(answer.text)
        assert answer.text.startswith("<!doctype html>")
        assert outline.all("html") == [{"lang": "en"}]
        assert [len(outline.all(tag)) for tag in ("h1", "main")] == [1, 1]
        assert re.search(r"<title>[^<]+ - Paymint</title>", answer.text)
        labelled = {label["for"] for label in outline.all("label")}
        shown = [field for field in outline.all("input") if field.get("type") != "hidden"]
        assert {field["id"] for field in shown} == labelled
        assert len(outline.all("svg")) == answer.text.count("<title>QR code</title>")
        assert not any(outline.all(tag) for tag in ("script", "img", "link", "iframe", "object"))
        loaded = [a for _, attributes in outline.tags for a in ("src", "style") if a in attributes]
        assert loaded == []
        held_to_its_policy(answer)


def held_to_its_policy(answer: httpx.Response) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert answer.headers.get_list("content-security-policy") == [
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert '<meta name="referrer" content="same-origin">' in answer.text


def test_what_people_write_is_shown_as_text(shop: Shop, merchant: Merchant) -> None:
    body = {"email": new_address(), "name": "<script>alert(1)</script>"}
    invited = told(merchant.ask("POST", "/v1/users", body), 201)
    browser = Browser(shop, body["email"], invited["id"])
    link = invited["invitation_url"].removeprefix(shop.base_url)
    assert enrol(browser, link).status_code == browser.sign_in().status_code == 303
    page = browser.get("/sessions", **{"User-Agent": "<b>"}).text
    assert "<script" not in page and "&lt;script&gt;" in page
    again = browser.sign_in(email='"><script>x', password=WRONG, code="1")
    assert again.status_code == 422 and "<script" not in again.text


def test_a_form_must_be_one(shop: Shop) -> None:
    headers = {"Origin": shop.base_url, "Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"email=a&email=b", b"\xff=1", b"email", b"a=%ff"):
        answer = shop.http.post("/sign_in", content=body, headers=headers)
        refused_page(answer, 400, "body_not_form")
    answer = shop.http.post("/sign_in", json={}, headers={"Origin": shop.base_url})
    refused_page(answer, 415, "content_type_unsupported")

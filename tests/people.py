"""People for tests: invited, enrolled and signed in over HTTP, as they would be in a browser."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyotp

from tests.shop import Merchant, Shop, told

NAME = "Ada Lovelace"
PASSWORD = "rust-kettle-94-lamp"
COOKIE = "__Host-paymint_session"
CODE_SECONDS = 30


@dataclass
class Browser:
    """A browser's memory of one person: the cookie, and the codes of its authenticator."""

    shop: Shop
    email: str
    user: str = ""
    seed: str = ""
    cookie: str | None = None
    used: set[str] = field(default_factory=set)
    # How far the stack's clock is behind the machine's.
    behind: timedelta = timedelta()

    @property
    def headers(self) -> dict[str, str]:
        """What a browser sends beside the form."""
        sent = {"Origin": self.shop.base_url}
        return sent if self.cookie is None else {**sent, "Cookie": f"{COOKIE}={self.cookie}"}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.shop.http.get(path, headers={**self.headers, **headers})

    def post(self, path: str, form: dict[str, Any], **headers: str) -> httpx.Response:
        """One form; an empty header is left out."""
        sent = {name: value for name, value in {**self.headers, **headers}.items() if value}
        answer = self.shop.http.post(path, data=form, headers=sent)
        # What the client keeps by itself is not what this browser has.
        self.shop.http.cookies.clear()
        return answer

    def code(self) -> str:
        """A code that was not used yet: that of now, or the next, which is good already."""
        totp, now = pyotp.TOTP(self.seed), datetime.now(UTC) - self.behind
        for shift in (0, 1):
            code = totp.at(now + timedelta(seconds=shift * CODE_SECONDS))
            if code not in self.used:
                self.used.add(code)
                return str(code)
        raise LookupError("this person has used every code that is good now")

    def wait_for_codes(self) -> None:
        """As if a minute had passed since the last code: those of now are good once more."""
        with self.shop.database() as connection:
            connection.execute("UPDATE users SET totp_step = 0 WHERE id = %s", (uuid(self.user),))
        self.used.clear()

    def second(self) -> "Browser":
        """Another browser of the same person's, with codes that are good."""
        self.wait_for_codes()
        return Browser(self.shop, self.email, self.user, self.seed, behind=self.behind)

    def sign_in(self, **form: str) -> httpx.Response:
        """Send the form; keeps the cookie of a good answer."""
        filled = {"email": self.email, "password": PASSWORD}
        if "code" not in form:
            filled["code"] = self.code()
        answer = self.post("/sign_in", {**filled, **form})
        if answer.status_code == 303:
            self.cookie = cookie_of(answer)
        return answer

    def form_token(self) -> str:
        return field_of(self.get("/sessions").text, "form_token")


def cookie_of(answer: httpx.Response) -> str:
    """The value of the session's cookie that an answer sets."""
    found = re.match(rf"{COOKIE}=([^;]*);", answer.headers["set-cookie"])
    assert found, answer.headers["set-cookie"]
    return found[1]


def field_of(text: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found, text
    return found[1]


def key_of(text: str) -> str:
    """The key of the second factor that a page shows."""
    found = re.search(r'id="key">([A-Z2-7]+)<', text)
    assert found, text
    return found[1]


def invite(shop: Shop, merchant: Merchant, email: str | None = None) -> tuple[str, str]:
    """The id of a new user and the path of its link; the address is one that nobody has."""
    body = {"email": email or new_address(), "name": NAME}
    invited = told(merchant.ask("POST", "/v1/users", body), 201)
    return invited["id"], invited["invitation_url"].removeprefix(shop.base_url)


def new_address() -> str:
    return f"ada-{uuid4().hex}@shop.example"


def enrol(browser: Browser, link: str, password: str = PASSWORD) -> httpx.Response:
    """Accept an invitation with a password and a first code."""
    shown = browser.get(link).text
    browser.seed = key_of(shown)
    form = {"password": password, "enrolment": field_of(shown, "enrolment")}
    return browser.post(link, {**form, "code": browser.code()})


def enrolled(shop: Shop, merchant: Merchant) -> Browser:
    """The browser of somebody of this merchant's who has not signed in yet."""
    browser = Browser(shop, new_address())
    browser.user, link = invite(shop, merchant, browser.email)
    made = datetime.fromisoformat(merchant.get(f"/v1/users/{browser.user}")["created_at"])
    browser.behind = datetime.now(UTC) - made
    answer = enrol(browser, link)
    assert answer.status_code == 303, answer.text
    return browser


def sign_in(shop: Shop, merchant: Merchant) -> Browser:
    """The browser of somebody of this merchant's who has just signed in."""
    browser = enrolled(shop, merchant)
    answer = browser.sign_in()
    assert answer.status_code == 303, answer.text
    return browser


def uuid(text: str) -> UUID:
    """The UUID behind a public id."""
    return UUID(hex=text.rpartition("_")[2])


def said(answer: httpx.Response) -> str:
    """What a form that is shown again says is wrong."""
    found = re.search(r'role="alert">([^<]*)<', answer.text)
    assert found, answer.text
    return found[1]


def refused_page(answer: httpx.Response, status: int, code: str) -> None:
    """A refusal on a page: the same status, code and request id as the API's error object."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<code id="code">{code}</code>' in answer.text
    assert f'<code id="request">{answer.headers["x-request-id"]}</code>' in answer.text

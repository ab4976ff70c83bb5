"""People for tests: invited, enrolled and signed in over HTTP, as they would be in a browser."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pyotp

from tests.serving import ROOT
from tests.shop import Merchant, Shop

PASSWORD = "rust-kettle-94-lamp"
COOKIE = "__Host-paymint_session"
CODE_SECONDS = 30


@dataclass
class Browser:
    """A browser's memory of one person: the cookie, and the codes of its authenticator."""

    shop: Shop
    email: str
    seed: str = ""
    cookie: str | None = None
    used: set[str] = field(default_factory=set)

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
        """A code that was not used yet: codes go forward, and the next one is good already."""
        totp, now = pyotp.TOTP(self.seed), datetime.now(UTC)
        for shift in (-1, 0, 1):
            code = totp.at(now + timedelta(seconds=shift * CODE_SECONDS))
            if code not in self.used:
                self.used.add(code)
                return str(code)
        raise LookupError("this person has used every code that is good now")

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
    email = email or f"ada-{uuid4().hex}@shop.example"
    run = subprocess.run(
        [sys.executable, "-P", "-m", "flows.invitations", merchant.id, email, "Ada Lovelace"],
        cwd=ROOT,
        env=shop.environment["paymint-api"],
        capture_output=True,
        text=True,
        check=True,
    )
    invited = json.loads(run.stdout.splitlines()[-1])
    return invited["user_id"], invited["invitation_url"].removeprefix(shop.base_url)


def enrol(browser: Browser, link: str, password: str = PASSWORD) -> httpx.Response:
    """Accept an invitation with a password and a first code."""
    shown = browser.get(link).text
    browser.seed = key_of(shown)
    form = {"password": password, "enrolment": field_of(shown, "enrolment")}
    return browser.post(link, {**form, "code": browser.code()})


def sign_in(shop: Shop, merchant: Merchant) -> Browser:
    """The browser of somebody of this merchant's who has just signed in."""
    browser = Browser(shop, f"ada-{uuid4().hex}@shop.example")
    _, link = invite(shop, merchant, browser.email)
    for answer in (enrol(browser, link), browser.sign_in()):
        assert answer.status_code == 303, answer.text
    return browser

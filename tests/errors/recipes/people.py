"""People: forms that are none, or not ours, and what they get wrong."""

import httpx

from tests.errors.scene import Scene, gives
from tests.people import PASSWORD, Browser, enrol, field_of, invite, new_address
from tests.shop import told

USERS_MAX = 100


@gives("body_not_form", by="sign_in")
def a_field_twice(scene: Scene) -> httpx.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return scene.shop.http.post("/sign_in", content=b"email=a&email=b", headers=headers)


@gives("form_not_ours", by="sign_in")
def a_form_of_another_site(scene: Scene) -> httpx.Response:
    browser = Browser(scene.shop, new_address())
    form = {"password": PASSWORD, "code": "000000"}
    return browser.post("/sign_in", {"email": "a", **form}, Origin="https://evil.example")


@gives("sign_in_failed", by="sign_in")
def somebody_who_is_not_there(scene: Scene) -> httpx.Response:
    return Browser(scene.shop, new_address()).sign_in(code="000000")


@gives("password_unacceptable", by="accept_invitation", param="password")
def a_common_password(scene: Scene) -> httpx.Response:
    _, link = invite(scene.shop, scene.merchant)
    return enrol(Browser(scene.shop, ""), link, "password123456")


@gives("code_incorrect", by="accept_invitation", param="code")
def a_code_of_nothing(scene: Scene) -> httpx.Response:
    browser = Browser(scene.shop, "")
    _, link = invite(scene.shop, scene.merchant)
    form = {"password": PASSWORD, "enrolment": field_of(browser.get(link).text, "enrolment")}
    return browser.post(link, {**form, "code": "none"})


@gives("user_email_taken", by="create_user", param="email")
def an_address_of_somebody_elses(scene: Scene) -> httpx.Response:
    address = new_address()
    invite(scene.shop, scene.shop.open_account(), address)
    return scene.merchant.ask("POST", "/v1/users", {"email": address.upper(), "name": "Bob"})


@gives("user_limit", by="create_user")
def one_user_too_many(scene: Scene) -> httpx.Response:
    merchant = scene.shop.open_account()
    for _ in range(USERS_MAX):
        told(merchant.ask("POST", "/v1/users", {"email": new_address(), "name": "Ada"}), 201)
    return merchant.ask("POST", "/v1/users", {"email": new_address(), "name": "Ada"})

"""The operations tagged `pages`: what people see in a browser."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from domain import oauth, people
from domain.ids import from_text
from domain.oauth import ProtocolError
from domain.people import SignedIn, SignInFailed
from domain.refusals import Forbidden, Malformed, Missing, Unprocessable
from domain.scopes import WORDS
from flows import consent, invitations, signing_in
from generated.error_codes import CATALOGUE
from handlers import html
from handlers.http import Answer, Request

OK: Final = 200
SEE_OTHER: Final = 303
START: Final = "/sessions"
SIGN_IN: Final = "/sign_in"
AUTHORIZE: Final = "/oauth/authorize"


async def show_sign_in(request: Request) -> Answer:
    return_to = people.own_path(request.query.get("return_to"), START)
    return Answer(OK, _sign_in_page(return_to), headers=html.headers())


async def sign_in(request: Request) -> Answer:
    _check_origin(request)
    form, visitor = request.body, request.guest
    return_to = people.own_path(form.get("return_to"), START)
    place = signing_in.Place(visitor.address, people.cleaned_agent(visitor.user_agent))
    earlier = visitor.cookie_named(html.SESSION_COOKIE)
    try:
        begun = await signing_in.sign_in(request.house, form, place, earlier)
    except SignInFailed as failure:
        shown = _sign_in_page(return_to, form["email"], CATALOGUE[failure.code].message)
        return Answer(failure.status, shown, headers=html.headers(), whose=failure.whose)
    cookie = html.session_cookie(begun.cookie.reveal())
    return Answer(
        SEE_OTHER, None, headers=html.see_other(return_to, cookie), whose=begun.person.whose
    )


async def sign_out(request: Request) -> Answer:
    person = await _person(request)
    headers = html.see_other(SIGN_IN, html.no_session_cookie())
    if person is None:
        return Answer(SEE_OTHER, None, headers=headers)
    _check_form(request)
    await signing_in.sign_out(request.house, person)
    return Answer(SEE_OTHER, None, headers=headers, whose=person.whose)


async def show_sessions(request: Request) -> Answer:
    person = await _person(request)
    if person is None:
        return _first_sign_in()
    cookie = request.guest.cookie_named(html.SESSION_COOKIE) or ""
    shown = html.page(
        "sessions.html",
        name=person.name,
        sessions=await signing_in.own_sessions(request.house, person),
        present=people.session_id(person),
        form_token=people.form_token(cookie),
    )
    return Answer(OK, shown, headers=html.headers(), whose=person.whose)


async def end_own_session(request: Request) -> Answer:
    session_id = request.path["session_id"]
    if from_text("ses", session_id) is None:
        raise Missing("resource_missing", "session_id")
    person = await _person(request)
    if person is None:
        return _first_sign_in()
    _check_form(request)
    await signing_in.end_own_session(request.house, person, session_id)
    return Answer(
        SEE_OTHER,
        None,
        resource_id=session_id,
        headers=html.see_other(START),
        whose=person.whose,
    )


async def show_invitation(request: Request) -> Answer:
    token = request.path["invitation_token"]
    enrolment = await invitations.show_invitation(request.house, token)
    shown = _invitation_page(token, enrolment)
    return Answer(OK, shown, headers=html.headers(), whose=enrolment.whose)


async def accept_invitation(request: Request) -> Answer:
    _check_origin(request)
    token, form = request.path["invitation_token"], request.body
    try:
        whose = await invitations.accept_invitation(request.house, token, form)
    except Unprocessable as refusal:
        enrolment = await invitations.show_invitation(request.house, token, form["enrolment"])
        shown = _invitation_page(token, enrolment, CATALOGUE[refusal.code].message)
        return Answer(refusal.status, shown, headers=html.headers(), whose=enrolment.whose)
    return Answer(SEE_OTHER, None, headers=html.see_other(SIGN_IN), whose=whose)


async def show_consent(request: Request) -> Answer:
    query = request.query
    client = await consent.proven_client(request.house, query)
    try:
        oauth.wanted(query, client["scopes"])
        person = await _person(request)
        if person is None:
            return _first_sign_in(f"{AUTHORIZE}?{urlencode(query)}")
        question = await consent.ask_for_consent(request.house, client, query, person)
    except ProtocolError as error:
        return _back(request, query, {"error": error.error, "error_description": error.description})
    parts = urlsplit(query["redirect_uri"])
    origin = f"{parts.scheme}://{parts.netloc}"
    cookie = request.guest.cookie_named(html.SESSION_COOKIE) or ""
    shown = html.page(
        "consent.html",
        name=person.name,
        question=question,
        scopes=[WORDS[scope] for scope in question.scopes],
        destination=parts.netloc,
        form_token=people.form_token(cookie),
        asked=urlencode({**query, "mode": "live" if question.livemode else "test"}),
    )
    return Answer(OK, shown, headers=html.headers(origin), whose=person.whose)


async def give_consent(request: Request) -> Answer:
    query = _asked(request.body["request"])
    person = await _person(request)
    if person is None:
        return _first_sign_in(f"{AUTHORIZE}?{urlencode(query)}")
    _check_form(request)
    client = await consent.proven_client(request.house, query)
    denied = request.body["decision"] == "deny"
    try:
        if denied:
            raise ProtocolError("access_denied", "The person did not allow it.")
        code = await consent.give_code(request.house, client, query, person)
    except ProtocolError as error:
        return _back(request, query, {"error": error.error, "error_description": error.description})
    return _back(request, query, {"code": code}, person)


def _asked(text: str) -> dict[str, str]:
    """The authorisation request that a form carries; raises Malformed."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError:
        raise Malformed("parameter_invalid_format", "request") from None


def _back(
    request: Request,
    query: Mapping[str, str],
    answer: dict[str, str],
    person: SignedIn | None = None,
) -> Answer:
    """To the redirect URI, which was proven."""
    told = {**answer, "state": query.get("state")}
    origin = request.house.settings.origin
    location = oauth.answer_location(query["redirect_uri"], origin, told)
    whose = None if person is None else person.whose
    return Answer(SEE_OTHER, None, headers=html.see_other(location), whose=whose)


def _sign_in_page(return_to: str, email: str = "", failure: str | None = None) -> bytes:
    return html.page("sign_in.html", return_to=return_to, email=email, failure=failure)


def _invitation_page(
    token: str, enrolment: invitations.Enrolment, failure: str | None = None
) -> bytes:
    return html.page(
        "invitation.html",
        token=token,
        email=enrolment.email,
        enrolment=enrolment.carried,
        picture=html.picture_of(people.enrolment_address(enrolment.seed, enrolment.email)),
        key=base64.b32encode(enrolment.seed).decode(),
        failure=failure,
    )


async def _person(request: Request) -> SignedIn | None:
    cookie = request.guest.cookie_named(html.SESSION_COOKIE)
    return await signing_in.signed_in(request.house, cookie)


def _first_sign_in(return_to: str = START) -> Answer:
    location = f"{SIGN_IN}?return_to={quote(return_to, safe='/')}"
    return Answer(SEE_OTHER, None, headers=html.see_other(location))


def _check_origin(request: Request) -> None:
    """Raises 403 `form_not_ours` unless the form was on a page of ours.

    Browsers name the origin of every form that is posted, and no page can make them lie.
    """
    if request.guest.origin != request.house.settings.origin:
        raise Forbidden("form_not_ours")


def _check_form(request: Request) -> None:
    """The same, and the token of the session must be in the form."""
    _check_origin(request)
    cookie = request.guest.cookie_named(html.SESSION_COOKIE) or ""
    if not people.is_form_token(cookie, request.body["form_token"]):
        raise Forbidden("form_not_ours")

"""Pages for people: one frame, templates as files, no script, one style sheet.

    Answer(200, html.page("sign_in.html", failure=None, …), headers=html.headers())

Everything that a template is given is escaped, unless it is `Markup` made here.  The style sheet
stands in the page and its digest in the Content-Security-Policy, so that nothing else is loaded.
"""

import base64
import hashlib
import io
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

RawHeader = tuple[bytes, bytes]

PAGE_TYPE: Final[RawHeader] = (b"content-type", b"text/html; charset=utf-8")
SESSION_COOKIE: Final = "__Host-paymint_session"
# Not `Strict`: whoever comes from a partner's page to consent must be known.
_COOKIE_ATTRIBUTES: Final = "; Path=/; Secure; HttpOnly; SameSite=Lax"
_HERE: Final = Path(__file__).parent
_STYLE: Final = Markup((_HERE / "style.css").read_text("utf-8"))  # nosec B704  # our own file
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    auto_reload=False,
)
_TEMPLATES.globals["style"] = _STYLE


def page(template: str, **values: Any) -> bytes:
    """A page in the frame; a value that the template needs and is not given is an error."""
    return _TEMPLATES.get_template(template).render(values).encode()


def headers(form_action: str | None = None) -> tuple[RawHeader, ...]:
    """What a page may load (nothing), and where its forms lead: here, and to `form_action`.

    Browsers hold the redirect after a form to it as well: a consent page names the origin to
    which the person goes back.
    """
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
        f"form-action 'self'{' ' + form_action if form_action else ''}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return ((b"content-security-policy", policy.encode("ascii")),)


def error_page(status: int, fault: dict[str, Any]) -> bytes:
    """An error for a person: the words, code and request id of the API's error object."""
    return page(
        "error.html",
        heading=HTTPStatus(status).phrase,
        code=fault["code"],
        message=fault["message"],
        request_id=fault["request_id"],
    )


def picture_of(text: str) -> Markup:
    """A QR code as inline SVG, with its own name for those who cannot see it."""
    drawn = io.BytesIO()
    segno.make(text, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, title="QR code"
    )
    return Markup(drawn.getvalue().decode())  # nosec B704  # drawn by us: paths, no text


def session_cookie(value: str) -> RawHeader:
    """The header that gives a browser its session; it ends with the browser."""
    return (b"set-cookie", f"{SESSION_COOKIE}={value}{_COOKIE_ATTRIBUTES}".encode("ascii"))


def no_session_cookie() -> RawHeader:
    """The header that takes it away."""
    return (b"set-cookie", f"{SESSION_COOKIE}={_COOKIE_ATTRIBUTES}; Max-Age=0".encode("ascii"))


def see_other(path: str, *more: RawHeader) -> tuple[RawHeader, ...]:
    """The headers of a 303 that leads to a path on our own origin."""
    return ((b"location", path.encode("ascii")), *more)

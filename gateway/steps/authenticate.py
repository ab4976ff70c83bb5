"""Learns who asks from `Authorization: Bearer <secret key or access token>`: 401, or 403.

A key with an allowlist is refused from every other address, before its scopes are told apart,
and what it asks from there is counted for that address: with a stolen key that is worth nothing
elsewhere nobody uses up its merchant's limits.  Runs once for each alternative of an
operation's security; the key is looked up once.
"""

from domain.allowances import of_stray_key
from domain.allowlists import admits
from domain.callers import Caller
from domain.refusals import Forbidden, Refusal, Unauthenticated
from gateway.exchange import Exchange, Proceed

SCHEME = b"bearer "
PUBLISHABLE_PREFIX = "pk_"
KEY_CHARACTERS_MAX = 255
TOKEN_CHARACTERS_MAX = 4096
# A JWT has two, a key none.
TOKEN_MARK = "."  # nosec B105  # a mark, no token


def bind(proceed: Proceed) -> Proceed:
    async def authenticated(exchange: Exchange) -> None:
        if exchange.key_refusal is not None:
            raise exchange.key_refusal
        if exchange.caller is None:
            try:
                text = _key(exchange.headers.get(b"authorization"))
                address = exchange.client_address
                if TOKEN_MARK in text:
                    exchange.caller = await exchange.house.tokens.authenticate(text)
                else:
                    exchange.caller = await exchange.house.keys.authenticate(text, address)
                _check_address(exchange, exchange.caller, address)
            except Refusal as refusal:
                exchange.key_refusal = refusal
                raise
        await proceed(exchange)

    return authenticated


def _check_address(exchange: Exchange, caller: Caller, address: str) -> None:
    if caller.allowed_from is not None and not admits(caller.allowed_from, address):
        exchange.allowance = of_stray_key(caller, address)
        raise Forbidden("ip_not_allowed")


def _key(header: bytes | None) -> str:
    if header is None or header[: len(SCHEME)].lower() != SCHEME:
        raise Unauthenticated("api_key_missing")
    text = header[len(SCHEME) :].strip().decode("latin-1")
    if text.startswith(PUBLISHABLE_PREFIX):
        raise Forbidden("key_kind_forbidden")
    if not text:
        raise Unauthenticated("api_key_missing")
    if TOKEN_MARK in text:
        if not text.isascii() or len(text) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("access_token_invalid")
    elif not text.isascii() or len(text) > KEY_CHARACTERS_MAX:
        raise Unauthenticated("api_key_invalid")
    return text

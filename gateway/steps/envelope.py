"""Turns whatever was raised below into the error that the document promises."""

from adapters.keys import KeysOutOfReach
from contract.answers import UndeclaredAnswer
from contract.bodies import ClientGone
from contract.errors import JSON_CONTENT_TYPE, InternalError, error_body, oauth_error, refuse
from domain.refusals import Refusal, Unavailable
from gateway.exchange import CLIENT_GONE_STATUS, Exchange, Proceed
from handlers import html
from runtime.database import DatabaseUnavailable
from runtime.log import log_exception

PAGES = "pages"


def bind(proceed: Proceed) -> Proceed:
    async def enveloped(exchange: Exchange) -> None:
        try:
            await proceed(exchange)
        except ClientGone:
            exchange.status = CLIENT_GONE_STATUS
        except Refusal as refusal:
            # Where it was raised holds it by a name at places: a cycle through its frames, which
            # would be left to the collector (runtime/memory.py).
            refusal.__traceback__ = None
            _answer(exchange, refusal)
        except KeysOutOfReach as error:
            log_exception("keys_out_of_reach", error, request_id=exchange.request_id)
            _answer(exchange, Unavailable())
        except DatabaseUnavailable as error:
            log_exception("database_unavailable", error, request_id=exchange.request_id)
            _answer(exchange, Unavailable())
        except Exception as error:
            log_exception("unforeseen_error", error, request_id=exchange.request_id)
            _answer(exchange, InternalError())

    return enveloped


def _answer(exchange: Exchange, refusal: Refusal) -> None:
    try:
        if exchange.operation is not None:
            exchange.operation.answers.check_refusal(refusal)
    except UndeclaredAnswer:
        refusal = InternalError()
    status, headers, body = refuse(refusal, exchange.request_id)
    if exchange.operation is not None and exchange.operation.oauth:
        body = oauth_error(refusal)
    if exchange.operation is not None and exchange.operation.tag == PAGES:
        # Whoever is refused in a browser reads the same in words.
        body = html.error_page(status, error_body(refusal, exchange.request_id)["error"])
        others = [each for each in headers if each != JSON_CONTENT_TYPE]
        headers = [html.PAGE_TYPE, *html.headers(), *others]
    exchange.status = status
    exchange.answer_headers = headers
    exchange.answer_body = body

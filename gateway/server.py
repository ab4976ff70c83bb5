"""The API process: one worker, one event loop, on loopback behind the platform's proxy."""

import logging
import signal
import sys
from types import FrameType

from adapters.settings import Settings
from contract.http_server import HttpServer, configured
from contract.patience import Patience
from flows.house import House, open_house
from gateway.app import build_app
from gateway.exchange import AsgiApp, Receive, Scope, Send
from runtime.clock import Clock
from runtime.log import configure, flush, log, log_exception
from runtime.memory import settle_memory
from runtime.metrics import serve_metrics
from runtime.public_tls import Certified

PROCESS = "paymint-api"
GRACEFUL_STOP_SECONDS = 10
EXIT_START_FAILED = 3


class Server:
    """The ASGI application with its life: opens the house at start, closes it at the end."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._house: House | None = None
        self._app: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._house = await open_house(self._settings, self._clock)
            self._house.countries.load(self._settings.country_data)
            self._app = build_app(self._house)
        except Exception as error:
            log_exception("start_failed", error, reason=_own_words(error))
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        settle_memory()
        log("api_ready", port=self._settings.api_port)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log("api_stopping")
        await self._house.close()
        await send({"type": "lifespan.shutdown.complete"})


class JsonLines(logging.Handler):
    """Lines of libraries become lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            log_exception("library_error", record.exc_info[1], logger=record.name)
        else:
            log("library_message", logger=record.name, level=record.levelname)


def main(clock: Clock | None = None) -> None:
    """The entry of scripts/paymint-api; returns after SIGTERM or SIGINT, with all closed."""
    configure(PROCESS)
    logging.basicConfig(level=logging.WARNING, handlers=[JsonLines()], force=True)
    settings = Settings.from_environment()
    serve_metrics(settings.metrics_port)
    server = _server(settings, clock)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has stopped; that must not end us by it.
        signal.signal(number, _already_stopped)
    server.run()
    flush()
    if not server.started:
        sys.exit(EXIT_START_FAILED)


def _server(settings: Settings, clock: Clock | None) -> HttpServer:
    patience = Patience.from_environment().within_open_files()
    config = configured(
        Server(settings, clock),
        settings.api_port,
        patience,
        loop="uvloop",
        lifespan="on",
        timeout_graceful_shutdown=GRACEFUL_STOP_SECONDS,
    )
    certified = Certified.from_environment()
    return HttpServer(config, patience=patience, certified=certified, shared_port=False)


def _already_stopped(number: int, frame: FrameType | None) -> None:
    """The stop that the signal asked for is over."""


def _own_words(error: Exception) -> str | None:
    """The message of our own errors at start; a library's may quote a password."""
    own = type(error).__module__.split(".")[0] in ("contract", "gateway", "adapters")
    return str(error) if own else None

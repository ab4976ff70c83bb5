"""uvicorn's server with listening of our own: bounded handshakes, certificates that renew."""

import asyncio
import socket
import ssl
import sys
from functools import partial
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from contract.http_heads import BoundedHttp
from contract.patience import Patience, Watch
from runtime.fresh_files import keep_fresh
from runtime.log import log
from runtime.public_tls import Certified

LOOPBACK = "127.0.0.1"
BACKLOG = 2048
# libuv accepts one connection in each turn of its loop (since 1.45), and a turn of a process
# that is loaded takes 10 ms and more: connections would wait for seconds before a refusal.
ACCEPTED_PER_TURN = 16
TLS_GOODBYE_SECONDS = 5.0


class HttpServer(uvicorn.Server):
    """One public door on loopback; `shared_port`: several processes may listen on it."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        patience: Patience,
        certified: Certified | None,
        shared_port: bool,
    ) -> None:
        super().__init__(config)
        self._patience = patience
        self._certified = certified
        self._shared_port = shared_port
        self._renewing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the application, then listen; ends the process when either cannot be done."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        try:
            context = None if self._certified is None else self._certified.context()
            self.servers = await self._listen(context)
        except (OSError, ValueError) as error:
            log("door_not_opened", port=self.config.port, error_type=type(error).__name__)
            await self.lifespan.shutdown()
            sys.exit(STARTUP_FAILURE)
        if self._certified is not None and context is not None:
            files = (self._certified.certificate, self._certified.key)
            renew = partial(self._certified.renew, context)
            self._renewing = asyncio.create_task(keep_fresh("public certificate", files, renew))
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        if self._renewing is not None:
            self._renewing.cancel()
        await super().shutdown(sockets)

    async def _listen(self, context: ssl.SSLContext | None) -> list[Any]:
        """Several servers of one socket: each takes one connection in a turn of the loop."""
        handshake: dict[str, Any] = {}
        if context is not None:
            handshake["ssl_handshake_timeout"] = self._patience.head_seconds
            handshake["ssl_shutdown_timeout"] = TLS_GOODBYE_SECONDS
        listening = self._bound()
        loop = asyncio.get_running_loop()
        with listening:
            return [
                await loop.create_server(
                    self._protocol,
                    sock=listening.dup(),
                    backlog=BACKLOG,
                    ssl=context,
                    **handshake,
                )
                for _ in range(ACCEPTED_PER_TURN)
            ]

    def _bound(self) -> socket.socket:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._shared_port:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listening.bind((LOOPBACK, self.config.port))
        except OSError:
            listening.close()
            raise
        return listening

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


def configured(app: Any, port: int, patience: Patience, **options: Any) -> uvicorn.Config:
    """What both doors ask of uvicorn; its own time-outs and access log are not used."""
    return uvicorn.Config(
        app,
        host=LOOPBACK,
        port=port,
        http=partial(BoundedHttp, Watch(patience)),  # type: ignore[arg-type]
        ws="none",
        workers=1,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        **options,
    )

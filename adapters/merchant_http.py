"""Posting to addresses that merchants named, without being led back into our own network.

A name is resolved once per delivery, every address it gives must be public, and the
connection goes to one of those very addresses: a second look-up could answer differently
(DNS rebinding).  Connections are not kept, so that every delivery is checked.  Redirects
are not followed, proxies of the environment are not used, nothing is decompressed.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from domain.webhook_urls import fault_of, is_public
from runtime.clock import Clock

ATTEMPT_SECONDS = 10.0
MAX_REPLY_BYTES = 64 * 1024
# As many as deliveries may be under way: a slow name server holds up its own names only.
LOOKUP_THREADS = 256

Lookup = Callable[[str], Awaitable[list[str]]]


class AddressNotPublic(Exception):
    """The name leads to an address that is not public."""


@dataclass(frozen=True, slots=True)
class Posted:
    """How an attempt ended: the status when one was read, and the error when it is none.

    `error` is one of address_not_public, dns_failed, tls_failed, connection_failed,
    reply_invalid, timeout.
    """

    status_code: int | None
    error: str | None
    duration_ms: int


class SystemLookup:
    """The machine's own name service, in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "webhook-lookup")

    async def __call__(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _addresses, host)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        """Let threads end by themselves; a name server may still hold some."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class PublicResolver(AbstractResolver):
    """Answers the addresses of a name when all of them are public."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressNotPublic when one is not, OSError when there is none."""
        addresses = await self._lookup(host)
        if not all(is_public(address) for address in addresses):
            raise AddressNotPublic
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class MerchantHttp:
    """The one client of this process for merchants' addresses; made inside its loop."""

    def __init__(self, clock: Clock, *, allow_loopback: bool, lookup: Lookup | None = None) -> None:
        self._clock = clock
        self._allow_loopback = allow_loopback
        self._system_lookup = SystemLookup()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                resolver=PublicResolver(lookup or self._system_lookup),
                use_dns_cache=False,
                force_close=True,
                ssl=ssl.create_default_context(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        self._system_lookup.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Post `body` to `url`, in 10 s from the look-up to the end of the reply."""
        begun = self._clock.monotonic()
        status_code, error = await self._post(url, body, headers)
        duration_ms = int((self._clock.monotonic() - begun) * 1000)
        return Posted(status_code, error, duration_ms)

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int | None, str | None]:
        # The rules may have grown stricter since the URL was registered, and the loopback
        # switch may be off again.  Literal addresses pass no resolver; they stop here.
        if fault_of(url, allow_loopback=self._allow_loopback) is not None:
            return None, "address_not_public"
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._status_of(url, body, headers), None
        except TimeoutError:
            return None, "timeout"
        except AddressNotPublic:
            return None, "address_not_public"
        except aiohttp.ClientConnectorDNSError:
            return None, "dns_failed"
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return None, "tls_failed"
        except (aiohttp.ClientConnectionError, OSError):
            return None, "connection_failed"
        except (aiohttp.ClientError, ValueError):
            return None, "reply_invalid"

    async def _status_of(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        request = self._session.post(
            # Sent as it was registered, character for character.
            URL(url, encoded=True),
            data=body,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )
        async with request as response:
            left = MAX_REPLY_BYTES
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
            response.close()
            return response.status

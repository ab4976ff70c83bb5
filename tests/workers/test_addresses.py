"""No delivery is led into our own network, whatever a name resolves to."""

import socket
from dataclasses import dataclass, field

import pytest
import uvloop

from adapters.merchant_http import AddressNotPublic, MerchantHttp, Posted, PublicResolver
from runtime.clock import SystemClock
from tests.workers.receiver import Receiver, receiver


@dataclass
class PlayedLookup:
    """A name service that answers as it is told; keeps what it was asked."""

    addresses: list[str]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return self.addresses


def posted(url: str, addresses: list[str], *, allow_loopback: bool = False) -> tuple[Posted, int]:
    """How posting to `url` ends, and how many requests a receiver on loopback got."""

    async def run() -> tuple[Posted, int]:
        async with receiver() as shop:
            http = MerchantHttp(
                SystemClock(), allow_loopback=allow_loopback, lookup=PlayedLookup(addresses)
            )
            try:
                answer = await http.post(_with_port(url, shop), b"{}", {})
            finally:
                await http.close()
            return answer, len(shop.received)

    return uvloop.run(run())


def _with_port(url: str, shop: Receiver) -> str:
    return url.replace("PORT", str(shop.port))


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%eth0"],
        ["8.8.8.8", "127.0.0.1"],
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
def test_a_name_that_leads_inside_is_refused(addresses: list[str], allow_loopback: bool) -> None:
    answer, reached = posted(
        "https://shop.example.com:PORT/", addresses, allow_loopback=allow_loopback
    )
    assert (answer.status_code, answer.error) == (None, "address_not_public")
    assert reached == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:PORT/", "https://127.0.0.1:PORT/", "https://2130706433:PORT/"]
)
def test_a_literal_is_checked_again_at_every_delivery(url: str) -> None:
    answer, reached = posted(url, ["8.8.8.8"])
    assert (answer.error, reached) == ("address_not_public", 0)


def test_loopback_is_reached_with_the_switch() -> None:
    answer, reached = posted("http://127.0.0.1:PORT/", [], allow_loopback=True)
    assert (answer.status_code, answer.error, reached) == (200, None, 1)


def test_a_name_that_does_not_resolve_is_a_failure() -> None:
    answer, _ = posted("https://shop.example.com/", [])
    assert (answer.status_code, answer.error) == (None, "dns_failed")


def test_the_connection_goes_to_the_addresses_that_were_checked() -> None:
    async def run() -> None:
        lookup = PlayedLookup(["8.8.8.8", "2606:4700:4700::1111"])
        resolver = PublicResolver(lookup)
        found = await resolver.resolve("shop.example.com", 443)
        assert [(one["host"], one["family"]) for one in found] == [
            ("8.8.8.8", socket.AF_INET),
            ("2606:4700:4700::1111", socket.AF_INET6),
        ]
        assert lookup.asked == ["shop.example.com"]
        lookup.addresses = ["127.0.0.1"]
        with pytest.raises(AddressNotPublic):
            await resolver.resolve("shop.example.com", 443)

    uvloop.run(run())

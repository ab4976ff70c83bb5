"""Notes where a request comes from, for whoever records it (blueprint section 9)."""

from collections.abc import Awaitable

from domain.risk_signals import from_country
from gateway.exchange import Exchange, Proceed


def bind(proceed: Proceed) -> Proceed:
    def noticed(exchange: Exchange) -> Awaitable[None]:
        country = exchange.house.countries.of(exchange.client_address)
        exchange.risk_signals = from_country(country)
        return proceed(exchange)

    return noticed

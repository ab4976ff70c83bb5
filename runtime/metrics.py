"""The private metrics port: Prometheus text on loopback, never on a public address."""

from prometheus_client import start_http_server

_LOOPBACK = "127.0.0.1"


def serve_metrics(port: int) -> None:
    """Serve `/metrics` on 127.0.0.1:`port` from a thread of its own; port 0 serves none."""
    if port:
        start_http_server(port, addr=_LOOPBACK)

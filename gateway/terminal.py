"""The application that Connexion wraps: runs an operation's own steps, and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from contract.operations import Operation
from domain.refusals import Missing
from gateway import pipeline
from gateway.connexion_names import AbstractOperation, RoutedAPI, RoutedMiddleware
from gateway.exchange import SCOPE_KEY, Proceed, Receive, Scope, Send


class _Operations(RoutedAPI):  # type: ignore[misc]
    def __init__(self, *args: Any, operations: Mapping[str, Operation], **options: Any) -> None:
        super().__init__(*args, **options)
        self._compiled = operations
        self.add_paths()

    def make_operation(
        self, operation: AbstractOperation
    ) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        compiled = self._compiled[operation.operation_id]
        return partial(_run, pipeline.with_a_caller(compiled, operation.function))


class Terminal(RoutedMiddleware):  # type: ignore[misc]
    """Refuses a request without an operation: no handler is reached past the security."""

    api_cls = _Operations

    def __init__(self) -> None:
        super().__init__(_nothing_here)


def _run(proceed: Proceed, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return proceed(scope[SCOPE_KEY])


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        raise Missing("route_missing")

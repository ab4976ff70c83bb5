"""From operation ids to handlers: `handlers.<tag>.<operationId>`, no more and no fewer."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

import handlers
from contract.document import DocumentError
from contract.operations import Operation
from gateway.connexion_names import AbstractOperation, Resolution, Resolver
from gateway.exchange import Handler

# What modules of handlers/ may share; they answer no operation.
NOT_HANDLERS = ("html", "http")

Resolve = Callable[[Operation], Handler]


def handler_of(operation: Operation) -> Handler:
    """The handler of an operation; raises DocumentError when there is none."""
    try:
        module = importlib.import_module(f"handlers.{operation.tag}")
        handler: Handler = getattr(module, operation.operation_id)
    except (ModuleNotFoundError, AttributeError) as error:
        raise DocumentError(f"no handlers.{operation.tag}.{operation.operation_id}") from error
    if not inspect.iscoroutinefunction(handler):
        raise DocumentError(f"handlers.{operation.tag}.{operation.operation_id} must be async")
    return handler


def refuse_strays(operations: Iterable[Operation]) -> None:
    """Raises DocumentError for a public function of handlers/ that no operation names."""
    known = {(operation.tag, operation.operation_id) for operation in operations}
    for module_info in pkgutil.iter_modules(handlers.__path__):
        if module_info.name in NOT_HANDLERS:
            continue
        module = importlib.import_module(f"handlers.{module_info.name}")
        for name, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and not name.startswith("_") and (module_info.name, name) not in known:
                raise DocumentError(f"handlers.{module_info.name}.{name} is no operation")


class HandlerResolver(Resolver):  # type: ignore[misc]
    """Connexion's resolver over the compiled operations."""

    def __init__(self, operations: dict[str, Operation], resolve: Resolve) -> None:
        super().__init__()
        self._operations = operations
        self._resolve = resolve

    def resolve(self, operation: AbstractOperation) -> Any:
        """The handler of an operation that Connexion has loaded."""
        compiled = self._operations[operation.operation_id]
        return Resolution(self._resolve(compiled), compiled.operation_id)

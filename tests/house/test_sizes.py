"""Small functions, short files, few parameters."""

from collections.abc import Iterator

from tests.house.tree import ROOT, Function, Source, breaks, faults, sources

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
MAX_PARAMETERS = 6
# So much there is at least; a walker that sees less proves nothing.
FEWEST_FILES = 100
FEWEST_FUNCTIONS = 300


def long_functions(source: Source) -> Iterator[str]:
    for function in source.functions:
        lines = (function.end_lineno or 0) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{source.place(function)} {function.name} has {lines} lines"


def long_files(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield f"{source.path} has {lines} lines"


def crowded_functions(source: Source) -> Iterator[str]:
    for function in source.functions:
        count = len(parameters(function))
        if count > MAX_PARAMETERS:
            yield f"{source.place(function)} {function.name} has {count} parameters"


def parameters(function: Function) -> list[str]:
    """Names of the parameters, the object or class itself left out."""
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [each.arg for each in (given.vararg, given.kwarg) if each is not None]
    return [name for name in names if name not in ("self", "cls")]


def test_the_walker_sees_the_house() -> None:
    assert len(sources()) > FEWEST_FILES
    assert sum(len(source.functions) for source in sources()) > FEWEST_FUNCTIONS
    assert {source.package for source in sources()} >= {"domain", "vault", "scripts", "tests"}
    assert "scripts/paymint-api" in {source.path for source in sources()}
    assert (ROOT / "openapi.yaml").exists()


def test_functions_are_short() -> None:
    assert breaks(long_functions, "def long():\n" + "    pass\n" * MAX_FUNCTION_LINES)
    assert not breaks(long_functions, "def fits():\n" + "    pass\n" * (MAX_FUNCTION_LINES - 1))
    assert faults(long_functions, sources()) == []


def test_files_are_short() -> None:
    assert breaks(long_files, "pass\n" * (MAX_FILE_LINES + 1))
    assert not breaks(long_files, "pass\n" * MAX_FILE_LINES)
    assert faults(long_files, sources()) == []


def test_parameters_are_few() -> None:
    assert breaks(crowded_functions, "def f(a, b, c, *d, e, f, **g): ...")
    assert not breaks(crowded_functions, "class C:\n    def f(self, a, b, c, d, e, f): ...")
    assert faults(crowded_functions, sources()) == []

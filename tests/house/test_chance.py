"""No test of ours fails by chance: properties are tried on the same examples everywhere."""

import ast
from collections.abc import Iterator

from tests.house.tree import Source, breaks, faults, sources


def drawn_anew(source: Source) -> Iterator[str]:
    """A property whose examples differ from run to run, or which a slow machine may fail."""
    for found in source.functions:
        decorators = [ast.unparse(each) for each in found.decorator_list]
        if any(each.startswith("given(") for each in decorators) and not any(
            "SAME_EVERYWHERE" in each for each in decorators
        ):
            yield f"{source.place(found)} {found.name} is tried on examples drawn anew"


def test_properties_are_tried_on_the_same_examples_everywhere() -> None:
    assert breaks(drawn_anew, "@given(st.text())\ndef test_it(text: str) -> None: ...")
    assert faults(drawn_anew, sources()) == []

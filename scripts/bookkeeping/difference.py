"""What a check finds."""

from typing import NamedTuple


class Difference(NamedTuple):
    """The first place where two books disagree: which rule, where, and what each says."""

    rule: str
    place: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: expected {self.expected}, found {self.found}"

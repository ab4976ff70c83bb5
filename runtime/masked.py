"""A secret that prints as a mask.

Card numbers, CVCs and keys wear it wherever they travel in memory, so that a log line,
a traceback or an f-string shows nothing (PCI DSS 4.0.1 req. 3.4.1, 3.3.1).
"""

MASK = "[masked]"


class Masked:
    """Holds a secret text; only `reveal()` gives it back."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself; call it only where the secret is used."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Masked) and self._value == other._value

    def __hash__(self) -> int:
        return hash(("Masked", self._value))

    def __reduce__(self) -> str:
        raise TypeError("a masked value is not serialised")

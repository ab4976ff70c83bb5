"""Words by which a test finds again, in logs and tables, what it sent."""

import secrets
import string

MARK_LETTERS = 32


def new_mark() -> str:
    """Letters alone: a log masks whatever has as many digits in a row as a card number.

    Of 32 random hexadecimal digits one in thirty has such a run, and is not found then.
    """
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(MARK_LETTERS))

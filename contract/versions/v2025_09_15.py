"""2025-09-15: the first version, on its way out."""

from datetime import UTC, date, datetime
from typing import Final

from domain.api_versions import Life, Phase

DATE: Final = "2025-09-15"
CHANGES: Final = ("The first version of the API.",)
_MONDAY: Final = frozenset({0})
_MONDAY_AND_THURSDAY: Final = frozenset({0, 3})
_EVERY_DAY: Final = frozenset(range(7))
# More often as the end comes near, and in the last days at two hours that lie apart, so that
# nobody's working day is spared (blueprint section 5, "Deprecation Timeline").
LIFE: Final = Life(
    deprecated_at=datetime(2026, 4, 1, tzinfo=UTC),
    sunset_at=datetime(2027, 4, 1, tzinfo=UTC),
    phases=(
        Phase(date(2027, 2, 1), _MONDAY, (15,)),
        Phase(date(2027, 3, 1), _MONDAY_AND_THURSDAY, (15,)),
        Phase(date(2027, 3, 22), _EVERY_DAY, (3, 15)),
    ),
)

"""What tests of properties have in common: neither chance nor a busy machine decides them."""

from hypothesis import HealthCheck, settings

# By itself Hypothesis draws other examples each time, and fails one that took over 200 ms.
SAME_EVERYWHERE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# Every example finds the same database, and adds a history of its own to it.
SAME_EVERYWHERE_ON_A_DATABASE = settings(
    SAME_EVERYWHERE,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

"""What tests of properties have in common: neither chance nor a busy machine decides them."""

from hypothesis import HealthCheck, settings

# By itself Hypothesis draws other examples each time, and fails one that took over 200 ms.
SAME_EVERYWHERE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

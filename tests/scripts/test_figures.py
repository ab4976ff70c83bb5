"""Whether figures of a load are the product's or the generator's own."""

import pytest

from scripts.benchmark.figures import show_generator
from scripts.benchmark.generator import Run, Told


def run(late: float, latency: float, cpu_seconds: float = 1.0) -> Run:
    """A hundred requests in 10 s, each sent so many seconds late and answered after so many."""
    told = [
        Told(
            "sale",
            moment / 10,
            moment / 10 + late,
            moment / 10 + latency,
            201,
            "",
            "",
            "",
            False,
            "",
        )
        for moment in range(100)
    ]
    return Run(told, 10.0, cpu_seconds, 8)


@pytest.mark.parametrize(
    ("late", "latency", "cpu_seconds", "kept_up"),
    [
        (0.004, 0.010, 1.0, True),
        (0.006, 0.010, 1.0, False),
        (0.006, 0.200, 1.0, True),
        (0.012, 0.200, 1.0, False),
        (0.001, 0.200, 8.0, False),
    ],
)
def test_a_generator_that_is_late_or_busy_says_so(
    late: float,
    latency: float,
    cpu_seconds: float,
    kept_up: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_generator(run(late, latency, cpu_seconds))
    assert ("DID NOT KEEP UP" not in capsys.readouterr().out) == kept_up

"""The learning rate as a function of the step."""

from __future__ import annotations

import pytest

from trainer.schedule import learning_rate


def rates(steps: int = 100, **more) -> list[float]:
    options = {"peak": 1.0, "warmup": 0.1, "decay": "cosine", "floor": 0.1} | more
    return [learning_rate(step, steps, **options) for step in range(steps)]


@pytest.mark.parametrize("decay", ["cosine", "linear"])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_it_rises_to_the_peak_and_falls_to_the_floor(decay: str, floor: float) -> None:
    line = rates(decay=decay, floor=floor)
    assert line[0] == pytest.approx(0.1) and line[9] == line[10] == 1.0
    assert line[:10] == sorted(line[:10]) and line[10:] == sorted(line[10:], reverse=True)
    assert line[-1] == pytest.approx(floor)


def test_halfway_down_cosine_and_line_meet() -> None:
    assert rates(101, warmup=0.0)[50] == pytest.approx(0.55)
    assert rates(101, warmup=0.0, decay="linear")[50] == pytest.approx(0.55)
    assert rates(101, warmup=0.0)[25] > rates(101, warmup=0.0, decay="linear")[25]


@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_a_run_of_one_step_has_a_rate(warmup: float) -> None:
    assert rates(1, warmup=warmup) == [1.0]

"""The learning rate as a function of the step alone: warmup, then decay by cosine or by a line."""

from __future__ import annotations

import math
from typing import Literal


def learning_rate(
    step: int, steps: int, *, peak: float, warmup: float, decay: Literal["cosine", "linear"], floor: float
) -> float:
    """Rate of `step`, 0 <= step < steps: up to `peak` over the first `warmup` of all steps, down to `floor` x peak."""
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    progress = (step - rising) / max(1, steps - 1 - rising)
    left = (1 + math.cos(math.pi * progress)) / 2 if decay == "cosine" else 1 - progress
    return peak * (floor + (1 - floor) * left)

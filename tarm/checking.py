"""Does a record come out again? Its first training steps are taken once more, and the losses compared."""

import math
from typing import NamedTuple

import torch

from .runs import run_from
from .studies import place
from .sweep import cost
from .training import Progress, dropout_from


class Check(NamedTuple):
    """One record compared: largest, the largest difference of a loss, relative to it; None, and a reason, where none can be."""

    run: object
    steps: int
    largest: float | None
    tolerance: float
    reason: str = ""

    @property
    def agrees(self):
        return self.largest is not None and self.largest <= self.tolerance


def first_losses(run, steps, device="cpu"):
    """The losses of a run's first training steps, taken now: a list of numbers. Nothing is evaluated or kept."""
    now = Progress(run, device)
    with dropout_from(run.seed, device):
        for _ in range(steps):
            now.train_step()
    now.settle()
    return now.losses

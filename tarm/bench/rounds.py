"""How it is measured: the runs, the clock, and the row that a number becomes."""

import statistics
import time
from typing import NamedTuple

import torch

from ..ladder import LADDER
from ..profiles import PROFILES
from ..runs import Run
from ..training import Progress

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
PRODUCTS = 10  # in one sample of the peak


class Row(NamedTuple):
    """One measured number and its range, low to high.

    part, subject: what was measured, of what. x: where it grows along something, the value there. over, pairs: what the
    range is over, and how many. "rounds": value is their median. "lengths": each was measured once, and value is the ratio
    of what they take together. "none": value was worked out from others, and there is no range.
    """

    part: str
    subject: str
    x: float
    value: float
    low: float
    high: float
    unit: str
    pairs: int
    over: str = "rounds"


def row(part, subject, values, unit, x=0):
    return Row(part, subject, x, statistics.median(values), min(values), max(values), unit, len(values))


class Bench(NamedTuple):
    """What to measure: the addition runs of one profile. pairs: how often. problems: decoded at once. size: of the large
    product that is the peak."""

    profile: str = "cpu"
    device: str = "cpu"
    pairs: int = 3
    problems: int = 100
    size: int = 1024

    def run(self, rung="dense", **fields):
        """A run of the profile in which every nominal pass is executed: ACT's bias keeps it from halting."""
        act = LADDER[rung].model.halting_head == "act_halt"
        given = PROFILES[self.profile]["addition"].fields | ({"halting_bias": -20.0} if act else {}) | fields
        if given.get("dropout", 0.1):
            given = {"dropout_stream": "bits"} | given
        return Run(rung=rung, task="addition", **given)

    def seconds(self, function):
        """Wall seconds of one call, the device's work included."""
        began = time.perf_counter()
        function()
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def times(self, *functions):
        """[seconds of each function] in every round: one after the other, and each once before, uncounted."""
        for function in functions:
            function()
        return [[self.seconds(function) for function in functions] for _ in range(self.pairs)]

    def products(self, precision):
        """(a function that takes PRODUCTS large products of matrices, their FLOP): the peak that rates are held against."""
        a, b = torch.randn(2, self.size, self.size, device=self.device).to(PRECISIONS[precision])
        return lambda: [a @ b for _ in range(PRODUCTS)], PRODUCTS * 2 * self.size**3

    def step(self, run):
        """A function that takes one of our training steps."""
        return Progress(run, self.device).train_step

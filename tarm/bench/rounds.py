"""How it is measured: the runs, the clock, and the row that a number becomes."""

import statistics
import time
from functools import cache
from typing import NamedTuple

import torch

from ..ladder import LADDER
from ..profiles import PROFILES
from ..published import PublishedTraining
from ..runs import Run
from ..training import Progress

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
PRODUCTS = 10  # in one sample of the peak


class Row(NamedTuple):
    """One measured number and its range, low to high.

    part, subject: what was measured, of what. x: where it grows along something, the value there. over, pairs: what the
    range is over, and how many. "rounds": value is their median. "none": value was worked out from others, and there is
    no range.
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


@cache
def bf16_pays(device):
    """Is a matrix product no slower in bf16 than in float32? Hardly on a CPU without it (see `tarm.precision`)."""
    seconds = []
    for dtype in PRECISIONS.values():
        a = torch.ones(256, 256, dtype=dtype, device=device)
        took = Bench(device=device, pairs=3).times(lambda: a @ a)
        seconds.append(min(each for each, in took))
    return seconds[1] <= seconds[0]


class Bench(NamedTuple):
    """What to measure: the addition runs of one profile.

    pairs: how often. problems: decoded at once. size: of the large product that is the peak. On every device the
    problems of a step are drawn on the CPU, by a CPU generator, and then moved: its seconds hold that.
    """

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

    @property
    def precisions(self):
        """float32, and bf16 where it is of use."""
        return list(PRECISIONS) if bf16_pays(self.device) else ["float32"]

    def wait(self):
        """Until the device has done what it was given."""
        kind = torch.device(self.device).type
        if kind in ("cuda", "mps"):
            getattr(torch, kind).synchronize()

    def seconds(self, function):
        """Wall seconds of one call, all of its work on the device and none of that given before."""
        self.wait()
        began = time.perf_counter()
        function()
        self.wait()
        return time.perf_counter() - began

    def times(self, *functions, first=None):
        """[seconds of each function] in every round, one after the other. Each is called once before, uncounted, or
        instead of them all the functions in `first`."""
        for function in functions if first is None else first:
            function()
        return [[self.seconds(function) for function in functions] for _ in range(self.pairs)]

    def products(self, precision):
        """(a function that takes PRODUCTS large products, their FLOP): the peak that rates are held against."""
        a, b = torch.randn(2, self.size, self.size, device=self.device).to(PRECISIONS[precision])
        return lambda: [a @ b for _ in range(PRODUCTS)], PRODUCTS * 2 * self.size**3

    def step(self, run):
        """A function that takes one of our training steps."""
        return Progress(run, self.device).train_step

    def published(self, rung):
        """A training by the published protocol, which drops out as PyTorch does."""
        stream = {"dropout_stream": "torch"} if self.run(rung).dropout else {}
        return PublishedTraining(self.run(rung, **stream), self.device)

"""Does a record come out again? Its first training steps are taken once more, and the losses compared.

Recorded losses have five digits, so rounding alone makes up to 5e-5 of a difference. Beyond that the order of additions
differs between machines, numbers of threads and versions of this code. Over the first 81 committed records (some
of them older than the joint product of query, key and value) three steps taken again differ by at most 2e-5 in float32,
no more than the digits allow, and 7e-5 with bf16 products. What ought to be found is larger there: another seed 1e-3 or
more, another dropout stream 1e-3, a learning rate that is off by a tenth 5e-4. It needs few steps: rounding grows with
training, in the Dual Nested UT to 3e-4 within ten steps.
"""

import math
from typing import NamedTuple

import torch

from .estimate import step_flop
from .runs import Run, run_from
from .studies import place
from .training import Progress, dropout_from

STEPS = 3
TOLERANCE = {"float32": 1e-4, "bf16": 3e-4}  # relative to the loss, by precision


class Check(NamedTuple):
    """One record compared: the largest difference of a loss, relative to it; None and the reason where not."""

    run: Run
    steps: int
    largest: float | None
    reason: str = ""

    @property
    def agrees(self):
        return self.largest is not None and self.largest <= TOLERANCE[self.run.precision]

    def __str__(self):
        head = f"{self.run.hash} {self.run.rung} {self.run.task} seed {self.run.seed}, {self.run.precision}"
        if self.largest is None:
            return f"{head}: not compared, {self.reason}"
        verb = "agree" if self.agrees else "DIFFER"
        return (f"{head}: {self.steps} losses {verb}, largest difference {self.largest:.1e} of the loss "
                f"(allowed: {TOLERANCE[self.run.precision]:.0e})")


def first_losses(run, steps, device="cpu", compiled=False):
    """The losses of a run's first training steps, taken now: a list of numbers. Nothing is evaluated or kept."""
    now = Progress(run, device, compiled=compiled)
    with dropout_from(run.seed, device):
        for _ in range(steps):
            now.train_step()
    now.settle()
    return now.losses


def check(record, steps=STEPS, device="cpu"):
    """Take a record's first training steps again; -> Check."""
    run = run_from(record["configuration"])
    made_on = record.get("environment", {}).get("device", "cpu")  # of a GPU of CUDA's its name
    here = torch.device(device).type
    if run.dropout and here != (made_on if made_on in ("cpu", "mps") else "cuda"):
        return Check(run, 0, None, f"its dropout masks were drawn on {made_on}, which draws others than {device}")
    compiled = bool(run.dropout) and record.get("environment", {}).get("compiled", False)  # it draws other masks
    recorded = record["losses"][:steps]
    if not recorded or None in recorded:
        return Check(run, 0, None, f"it diverged within the first {steps} steps")
    losses = first_losses(run, len(recorded), device, compiled)
    differences = [abs(ours - theirs) / theirs for ours, theirs in zip(losses, recorded)]
    return Check(run, len(losses), max(differences) if all(map(math.isfinite, losses)) else math.inf)


def selection(records):
    """Of each study and precision the record whose steps cost least: enough to see if this machine trains alike."""
    cheapest = {}
    for run, record in sorted(((run_from(record["configuration"]), record) for record in records),
                              key=lambda pair: (step_flop(pair[0]), pair[0].hash)):
        cheapest.setdefault((place(run), run.precision), record)
    return list(cheapest.values())

"""When to stop, and what is read then: adaptive computation time, binary halting, and this project's variants.

ACT, Last, Earliest and Each are *readings*. One takes in the state behind every step, with what a
halting head said of it, and tells what is read in the end:

    reading = ACT.begin(x)
    reading = reading.add(state, vote)      # after each step
    reading.running, reading.updates        # (B, T): is the position still waited for? steps so far
    reading.finish(state)                   # the readout
"""

from typing import NamedTuple

import torch
from torch import Tensor

# A position halts once its probabilities add up to 1 within this margin.
MARGIN = 1e-6
EXPLORES = 0.25  # how often a sequence of a training batch may halt no earlier than at a step drawn at random


class ACT(NamedTuple):
    """Adaptive computation time per position (Graves 2016), as a running sum.

    A position halts at the first step n with P + p_n >= 1 - 1e-6, P being the sum of the
    probabilities before it. Step n weighs p_n before that, the remainder 1 - P there, and
    nothing afterwards: halted positions go on being updated, but nobody reads them.
    """

    total: Tensor      # (B, T) sum of the halting probabilities so far: P
    remainder: Tensor  # (B, T) 1 - P at the step where the position halted; before that 1 - P
    updates: Tensor    # (B, T) steps up to and including the one it halts at, as integers
    running: Tensor    # (B, T) True while the position has not halted
    readout: Tensor    # (B, T, C) weighted sum of the states so far

    @classmethod
    def begin(cls, x):
        """Nothing summed yet, for states shaped and typed like x (B, T, C)."""
        zero = torch.zeros_like(x[..., 0])
        return cls(total=zero, remainder=zero + 1, updates=zero.long(),
                   running=torch.ones_like(zero, dtype=torch.bool), readout=torch.zeros_like(x))

    def add(self, state, p):
        """Take in one step's state (B, T, C) and its halting probability p (B, T)."""
        halts = self.running & (self.total + p >= 1 - MARGIN)
        goes_on = self.running & ~halts
        weight = torch.where(halts, 1 - self.total, p) * self.running
        total = self.total + torch.where(goes_on, p, 0)
        return ACT(total=total,
                   remainder=torch.where(self.running, 1 - total, self.remainder),
                   updates=self.updates + self.running,
                   running=goes_on,
                   readout=self.readout + weight.unsqueeze(-1) * state)

    def finish(self, last):
        """The readout (B, T, C): what still runs puts its remainder on the last state."""
        return self.readout + (self.remainder * self.running).unsqueeze(-1) * last

    def ponder_cost(self):
        """Mean over all positions of updates + remainder; the gradient flows through p."""
        return (self.updates + self.remainder).mean()


class Last(NamedTuple):
    """The last state is read, and nothing halts."""

    running: Tensor   # (B, T) True
    updates: Tensor   # (B, T) steps so far

    @classmethod
    def begin(cls, x):
        zero = torch.zeros_like(x[..., 0], dtype=torch.long)
        return cls(running=zero == 0, updates=zero)

    def add(self, state, vote):
        return self._replace(updates=self.updates + 1)

    def finish(self, last):
        return last

    def ponder_cost(self):
        return None


class Earliest(NamedTuple):
    """Each position is read at the first step whose vote q (B, T) is above 0, or else at the last."""

    running: Tensor   # (B, T) True while no vote was above 0
    updates: Tensor   # (B, T) steps up to and including that one
    readout: Tensor   # (B, T, C) the state there

    @classmethod
    def begin(cls, x):
        zero = torch.zeros_like(x[..., 0], dtype=torch.long)
        return cls(running=zero == 0, updates=zero, readout=torch.zeros_like(x))

    def add(self, state, q):
        halts = self.running & (q > 0)
        return Earliest(running=self.running & ~halts, updates=self.updates + self.running,
                        readout=torch.where(halts.unsqueeze(-1), state, self.readout))

    def finish(self, last):
        return torch.where(self.running.unsqueeze(-1), last, self.readout)

    def ponder_cost(self):
        return None


class Each(NamedTuple):
    """What another reading would have read after every step, had it been the last: (N, B, T, C)."""

    inner: tuple
    readouts: tuple = ()

    def add(self, state, vote):
        inner = self.inner.add(state, vote)
        return Each(inner, (*self.readouts, inner.finish(state)))

    @property
    def running(self):
        return self.inner.running

    @property
    def updates(self):
        return self.inner.updates

    def finish(self, last):
        return torch.stack(self.readouts)

    def ponder_cost(self):
        return self.inner.ponder_cost()


def earliest_exit(batch, steps, generator):
    """The first step (1 to `steps`) at which each sequence of a training batch may halt, (B,).

    With probability EXPLORES it is drawn uniformly from 1 to `steps`; otherwise it is 1.
    Without a generator nothing is drawn: evaluation does not explore.
    """
    first = torch.ones(batch, dtype=torch.long)
    if generator is not None:
        explores = torch.rand(batch, generator=generator) < EXPLORES
        drawn = torch.randint(1, steps + 1, (batch,), generator=generator)
        first = torch.where(explores, drawn, first)
    return first

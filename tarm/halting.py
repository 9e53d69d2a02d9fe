"""The two ways of deciding when to stop: adaptive computation time, and binary halting."""

from typing import NamedTuple

import torch
from torch import Tensor

# A position halts once its probabilities add up to 1 within this margin.
MARGIN = 1e-6


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


def earliest_exit(batch, steps, generator, probability=0.25):
    """The first step (1 to `steps`) at which each sequence of a training batch may halt, (B,).

    With the given probability it is drawn uniformly from 1 to `steps`; otherwise it is 1.
    Without a generator nothing is drawn: evaluation does not explore.
    """
    first = torch.ones(batch, dtype=torch.long)
    if generator is not None:
        explores = torch.rand(batch, generator=generator) < probability
        drawn = torch.randint(1, steps + 1, (batch,), generator=generator)
        first = torch.where(explores, drawn, first)
    return first

"""Rung 2, the Iterative Transformer."""

import torch

from ..language_model import LanguageModel


class Iterative(LanguageModel):
    """The rung before, plus weight tying: one block, applied N times.

        h = x;  h <- f(h), N times

    N block passes. From here on a rung is three small functions: how its state starts, what a
    step does to it, and what of it is read.
    """

    def start(self, x):
        """The state before the first step, from x (B, T, C): a stream of that shape, or a tuple of several."""
        return x

    def step(self, f, h, x, n):
        """The state after step n, counted from 0; f(h) is a block pass, f(h, name) one on that of several streams."""
        return f(h)

    def read(self, h):
        """What of a state is read, (B, T, C)."""
        return h

    def core(self, x, f, steps, halting, generator, past):
        state = self.start(x)
        for n in range(steps):
            state = self.step(f, state, x, n)
        return self.read(state), None, torch.full(x.shape[:2], steps, device=x.device), steps

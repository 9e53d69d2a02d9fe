"""Rung 5, the Dual Universal Transformer."""

import torch
from torch import nn

from .universal import Universal


class DualUT(Universal):
    """The rung before, plus a second stream: a reasoning state z beside the solution y.

        y = y_init, z = z_init;  z <- f(x + y + z + s_n), then y <- f(y + z + s_n)

    The input x enters the z update only; ACT reads and weighs y. At most 2N block passes.
    """

    streams = ("y", "z")
    initial_states = ("y_init", "z_init")

    @staticmethod
    def passes_per_step(outer, inner):
        return 2

    def __init__(self, architecture):
        super().__init__(architecture)
        self.y_init = nn.Parameter(torch.empty(architecture.width))
        self.z_init = nn.Parameter(torch.empty(architecture.width))

    def start(self, x):
        return self.y_init.expand_as(x), self.z_init.expand_as(x)

    def into_z(self, x, y, z, s):
        """What the block pass that updates z is given, (B, T, C); s: the step embedding, (C,), or 0 without one."""
        return x + y + z + s

    def into_y(self, x, y, z, s):
        """The same for y."""
        return y + z + s

    def step(self, f, state, x, n):
        y, z = state
        s = self.s(n)
        z = f(self.into_z(x, y, z, s), "z")
        y = f(self.into_y(x, y, z, s), "y")
        return y, z

    def read(self, state):
        y, z = state
        return y

"""Rung 6, the Dual Nested Universal Transformer."""

import torch

from .dual_ut import DualUT

WINDOWS = ("cycle", "step", "all")


class DualNestedUT(DualUT):
    """The rung before, plus nesting and a truncated gradient.

        H times:  (L times  z <- f(x + y + z + s_n)),  once  y <- f(y + z + s_n)

    At most N H (L + 1) block passes. `window` says how far back the gradient reaches:
    "cycle" (published): y and z are detached at the start of a step, and only the last of its
    H cycles is differentiated; "step": detached at the start of a step only; "all": nowhere; a
    number k: the last k block passes are differentiated, and y_init and z_init are not.
    """

    nested = True

    @staticmethod
    def passes_per_step(outer, inner):
        return outer * (inner + 1)

    def step(self, f, state, x, n):
        y, z = state
        a, s = self.architecture, self.s(n)
        if a.window in ("cycle", "step") or n == 0 and a.window != "all":
            y, z = y.detach(), z.detach()
        for cycle in range(a.outer):
            untrained = a.window == "cycle" and cycle < a.outer - 1
            with torch.set_grad_enabled(torch.is_grad_enabled() and not untrained):
                for _ in range(a.inner):
                    z = f(self.into_z(x, y, z, s), "z")
                y = f(self.into_y(x, y, z, s), "y")
        return y, z

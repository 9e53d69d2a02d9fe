"""Rung 7, the Autoregressive TRM."""

import torch

from ..halting import earliest_exit
from .dual_nested_ut import DualNestedUT


class ARTRM(DualNestedUT):
    """The rung before, with binary halting per sequence in place of ACT: no ponder cost, and
    only the last y is read (after Jolicoeur-Martineau 2025).

        q_n = q_halt(y_n at position 0);  a sequence halts when q_n > 0

    At most N H (L + 1) block passes. As published, the loop ends when *all* sequences of the
    batch have halted, and a halted one is refined on until then; and nothing trains q_halt,
    which starts at -5, so in practice every step runs.
    """

    halting_head = "q_halt"

    def starts(self):
        return {"q_halt.weight": 0, "q_halt.bias": -5}

    def core(self, x, f, steps, halting, generator, past):
        B, T, _ = x.shape
        first = earliest_exit(B, steps, generator)
        earliest = int(first.max())  # before it the loop does not end
        running, halted_at = torch.ones(B, dtype=torch.bool), torch.full((B,), steps)
        if past and past.length:  # position 0 was read before, and has decided
            steps, halting, running, halted_at = past.steps, False, torch.zeros(B, dtype=torch.bool), past.halted_at[:B]
        first, running, halted_at = (each.to(x.device) for each in (first, running, halted_at))

        state = self.start(x)
        for n in range(steps):
            read_here = n + 1 == steps or halting and n + 1 >= earliest  # only there y may reach the loss
            needs_graph = read_here or self.architecture.window not in ("cycle", "step")
            with torch.set_grad_enabled(torch.is_grad_enabled() and needs_graph):
                state = self.step(f, state, x, n)
            y = self.read(state)
            halts = running & (self.q_halt(y[:, 0]).squeeze(-1) > 0) & (n + 1 >= first)
            halted_at = torch.where(halts, n + 1, halted_at)
            running = running & ~halts
            if halting and n + 1 >= earliest and not running.any():  # asking waits for the device
                break
        if past and not past.length:
            past.steps, past.halted_at = n + 1, halted_at
        return y, None, halted_at.unsqueeze(1).expand(B, T), n + 1

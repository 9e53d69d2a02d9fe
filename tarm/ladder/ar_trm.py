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

    def core(self, x, steps, halting, generator):
        B, T, _ = x.shape
        state = self.start(x)
        first = earliest_exit(B, steps, generator, x.device)
        running = torch.ones(B, dtype=torch.bool, device=x.device)
        halted_at = torch.full((B,), steps, device=x.device)
        for n in range(steps):
            state = self.step(state, x, n)
            y = self.read(state)
            halts = running & (self.q_halt(y[:, 0]).squeeze(-1) > 0) & (n + 1 >= first)
            halted_at[halts] = n + 1
            running = running & ~halts
            if halting and not running.any():
                break
        return y, None, halted_at.unsqueeze(1).expand(B, T), n + 1

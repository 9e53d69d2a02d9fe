"""Rung 1, the Dense Transformer: where the ladder starts."""

import torch

from ..language_model import LanguageModel


class Dense(LanguageModel):
    """A Transformer of N different blocks (Vaswani et al. 2017; its pre-norm, decoder-only form as in GPT-2).

        h = x;  h <- f_n(h), n = 1 .. N

    N block passes.
    """

    tied = False

    def core(self, x, f, steps, halting, generator, past):
        if steps != len(self.block):
            raise ValueError(f"a Dense Transformer of {len(self.block)} blocks cannot run {steps} steps: "
                             f"leave steps out, or use a rung whose weights are tied")
        h = x
        for n in range(steps):
            h = f(h, block=n)
        return h, None, torch.full(x.shape[:2], steps, device=x.device), steps

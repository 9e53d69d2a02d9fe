"""Rung 3, the Iterative Step Transformer."""

from .iterative import Iterative


class IterativeStep(Iterative):
    """The rung before, plus step embeddings: a learned vector s_n tells the block which step it is.

        h = x;  h <- f(h + s_n), n = 1 .. N

    N block passes.
    """

    with_step_embeddings = True

    def step(self, f, h, x, n):
        return f(h + self.s(n))

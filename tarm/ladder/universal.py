"""Rung 4, the Universal Transformer."""

from functools import partial

from torch import nn

from ..halting import ACT
from .iterative_step import IterativeStep


class Universal(IterativeStep):
    """The rung before, plus adaptive computation time (Dehghani et al. 2018, Graves 2016).

        p_n = sigmoid(act_halt(h_n));  readout = sum_n w_n h_n

    where the weights w_n follow from p as in `tarm.halting.ACT`. At most N block passes: the
    loop stops once every position of the batch has halted.
    """

    halting_head = "act_halt"

    def __init__(self, architecture):
        super().__init__(architecture)
        self.add_module(self.halting_head, nn.Linear(architecture.width, 1))

    def core(self, x, f, steps, halting, generator, past):
        state, act = self.start(x), ACT.begin(x)
        for n in range(steps):
            if past and n == past.steps:
                past.catch_up(partial(self.step, f), n)
            state = self.step(f, state, x, n)
            read = self.read(state)
            act = act.add(read, self.act_halt(read).squeeze(-1).sigmoid())
            if halting and not act.running.any() and not (past and n + 1 < past.steps):
                break
        if past:
            past.keep(x, state, n + 1)
        return act.finish(read), act.ponder_cost(), act.updates, n + 1

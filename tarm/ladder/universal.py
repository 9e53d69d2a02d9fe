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

    def starts(self):
        return {"act_halt.bias": self.architecture.halting_bias} if self.halting_head == "act_halt" else {}

    def reading(self, x):
        """What takes in the state behind each step and tells what is read: see `tarm.halting`."""
        return ACT.begin(x)

    def vote(self, read):
        """What the halting head says of states (B, T, C): here p, (B, T)."""
        return self.act_halt(read).squeeze(-1).sigmoid()

    def core(self, x, f, steps, halting, generator, past):
        state, reading = self.start(x), self.reading(x)
        for n in range(steps):
            if past and n == past.steps:
                past.catch_up(partial(self.step, f), n)
            state = self.step(f, state, x, n)
            read = self.read(state)
            reading = reading.add(read, self.vote(read))
            if halting and not reading.running.any() and not (past and n + 1 < past.steps):
                break
        if past:
            past.keep(x, state, n + 1)
        return reading.finish(read), reading.ponder_cost(), reading.updates, n + 1

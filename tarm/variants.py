"""What this project changes about the dual-stream rungs to question them; not in the paper.

A model is a `Variation` of its rung where one of FIELDS is not as published. `norm`, `scale`, `residual` and the
windows that follow the recurrence live in the block, the embedding and the rungs themselves.
"""

import torch
from torch.nn import functional as F

from .halting import ACT, Each, Earliest, Last
from .ladder.universal import Universal
from .tasks import IGNORE

FIELDS = {  # values, the published one first
    "start": ("y_init", "x"),
    "injection": ("z", "both", "none"),
    "sum": ("sum", "mean"),
    "readout": ("published", "mean"),
    "supervision": ("end", "steps", "steps-optimised"),
    "halting_head": ("published", "trained"),
}
NAMED = {  # variants that have a name of their own; what is recorded is always the configuration behind it
    # TRM's norm placement and unit scale, and no more
    "ar_trm_cured": {"rung": "ar_trm", "norm": "post", "scale": "unit"},
}

HALTING_WEIGHT = 0.5  # of the halting head's loss (Jolicoeur-Martineau 2025)


def spelt_out(fields):
    """The fields of a run or an architecture, a named variant put in place of its name; those that are given stay."""
    return NAMED.get(fields.get("rung"), {}) | {name: value for name, value in fields.items()
                                                if name != "rung" or value not in NAMED}


class Variation:
    """A mixin that stands before a rung's class and applies the FIELDS of its architecture."""

    def start(self, x):
        y, z = super().start(x)
        return x if self.architecture.start == "x" else y, z

    def into_z(self, x, y, z, s):
        if self.architecture.injection != "none" and self.architecture.sum == "sum":
            return super().into_z(x, y, z, s)
        return self.enter(s, [y, z] if self.architecture.injection == "none" else [x, y, z])

    def into_y(self, x, y, z, s):
        if self.architecture.injection != "both" and self.architecture.sum == "sum":
            return super().into_y(x, y, z, s)
        return self.enter(s, [x, y, z] if self.architecture.injection == "both" else [y, z])

    def enter(self, s, streams):
        """The sum of the streams and the step embedding, or their mean."""
        total = streams[0]
        for part in (*streams[1:], s):
            total = total + part
        return total if self.architecture.sum == "sum" else total / (len(streams) + torch.is_tensor(s))

    def reading(self, x):
        a = self.architecture
        if a.halting_head == "trained" and not self.training:
            reading = Earliest.begin(x)
        else:
            reading = Last.begin(x) if a.readout == "mean" or self.halting_head == "q_halt" else ACT.begin(x)
        return Each(reading) if self.returns_each_step else reading

    @property
    def returns_each_step(self):
        """Has a call's output the logits of every step? (With an update behind each step it is a call for each.)"""
        a = self.architecture
        return a.readout == "mean" or a.supervision == "steps" or a.halting_head == "trained" and self.training

    def vote(self, read):
        return self.q_halt(read).squeeze(-1) if self.halting_head == "q_halt" else super().vote(read)

    def core(self, *arguments):
        """Universal's loop, with `reading`, where what is read is not as published; else the rung's own."""
        if self.returns_each_step or self.architecture.halting_head == "trained":
            return Universal.core(self, *arguments)
        return super().core(*arguments)

    def output(self, readout, *rest):
        """The rung's own; with the logits of every step, and q where the halting head is trained."""
        output = super().output(readout, *rest)
        if not self.returns_each_step:
            return output
        each = output.logits  # (N, B, T, vocabulary)
        if self.architecture.readout == "mean":
            each = each.cumsum(0) / torch.arange(1, len(each) + 1, device=each.device).view(-1, 1, 1, 1)
        trained = self.training and self.architecture.halting_head == "trained"
        return output._replace(logits=each[-1], each=each, q=self.vote(readout) if trained else None)

    def loss(self, output, targets):
        """The rung's own, the mean over all steps where each is supervised; and the halting head's where it is trained:
        binary cross-entropy on "what would be read here is already right"."""
        if self.architecture.supervision == "steps":
            loss = torch.stack([super(Variation, self).loss(output._replace(logits=logits), targets)
                                for logits in output.each]).mean()
        else:
            loss = super().loss(output, targets)
        if output.q is not None:
            supervised = targets != IGNORE
            right = (output.each.argmax(dim=-1) == targets)[:, supervised].to(output.q.dtype)
            loss = loss + HALTING_WEIGHT * F.binary_cross_entropy_with_logits(output.q[:, supervised], right)
        return loss

    def calls(self, tokens, **options):
        """Where the optimiser is to take a step behind each step of the recurrence, a call for each of them."""
        if self.architecture.supervision != "steps-optimised":
            yield from super().calls(tokens, **options)
            return
        state = None
        for n in range(self.architecture.steps):
            x = self.embed(tokens)
            state = self.step(lambda h, stream="h", block=0: self.block[block](h, stream), state or self.start(x), x, n)
            readout = self.read(state).unsqueeze(0) if self.returns_each_step else self.read(state)
            yield self.output(readout, None, torch.full(tokens.shape, n + 1, device=tokens.device), n + 1)
            state = tuple(stream.detach() for stream in state)

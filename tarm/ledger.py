"""The ledger: how many block passes really ran, were read, and received a gradient."""

from dataclasses import dataclass, fields

import torch

from .budget import flop_per_pass
from .tasks import IGNORE


class PassCounter:
    """Counts the block passes of one forward and backward call, by hooks on the blocks.

        with PassCounter(model) as passes:
            model.loss(model(tokens), targets).backward()
        passes.calls, passes.with_gradient

    calls: number of passes. with_gradient: for each pass that autograd came back to, in
    no particular order, a (B, T) mask of the positions whose gradient is not zero, all alike in shape.
    """

    def __init__(self, model):
        self.model, self.calls, self.with_gradient = model, 0, []

    def __enter__(self):
        self.handles = [block.register_forward_hook(self._count) for block in self.model.block]
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def _count(self, block, inputs, output):
        self.calls += 1
        if output.requires_grad:
            output.register_hook(lambda gradient: self.with_gradient.append(gradient.ne(0).any(dim=-1)))


@dataclass
class Ledger:
    """The sum over a run's training steps; `summary` is what a record keeps."""

    model: torch.nn.Module
    calls: int = 0             # training steps counted
    executed: int = 0          # block passes
    backward: int = 0          # block passes that autograd came back to
    tokens: int = 0
    pass_tokens: int = 0       # executed passes times the positions in them
    flop: int = 0
    weighted: int = 0          # from here on tensors once something is added: nobody waits for the device
    trained: int = 0
    supervised: int = 0

    def add(self, passes, output, targets):
        """Enter one training step: its PassCounter, the model's Output, the targets (B, T)."""
        a = self.model.architecture
        B, T = targets.shape
        supervised = targets != IGNORE
        executed, backward = passes.calls, len(passes.with_gradient)
        self.calls += 1
        self.executed += executed
        self.backward += backward
        self.tokens += B * T
        self.pass_tokens += executed * B * T
        self.flop += B * T * (executed + 2 * backward) * flop_per_pass(a.width, T)
        self.supervised += supervised.sum()
        weighed = output.halted_at if self.model.halting_head == "act_halt" else output.steps
        self.weighted += (weighed * supervised).sum() * (executed // output.steps)
        if passes.with_gradient:
            self.trained += (torch.stack(passes.with_gradient) & supervised).sum()

    def counts(self):
        """The sums so far, {name: integer}, from which `continue_from` goes on."""
        return {field.name: int(getattr(self, field.name)) for field in fields(self) if field.name != "model"}

    def continue_from(self, counts):
        """Take over the sums of an interrupted run."""
        for name, count in counts.items():
            setattr(self, name, count)

    def summary(self):
        """A dict of numbers.

        nominal_passes: the budget. executed_passes, backward_passes: mean per token of what ran
        forward and backward. weighted_passes: mean over supervised tokens of the passes up to
        the last step whose state the readout weighs. trained_passes: mean over supervised
        tokens of the passes whose output there receives a gradient that is not zero.
        training_flop: those of the block passes alone, backward counted twice.
        """
        calls, supervised = max(1, self.calls), max(1, int(self.supervised))
        return {
            "nominal_passes": self.model.architecture.budget,
            "executed_passes": self.executed / calls,
            "backward_passes": self.backward / calls,
            "weighted_passes": int(self.weighted) / supervised,
            "trained_passes": int(self.trained) / supervised,
            "tokens": self.tokens,
            "supervised_tokens": int(self.supervised),
            "pass_tokens": self.pass_tokens,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "training_flop": self.flop,
        }

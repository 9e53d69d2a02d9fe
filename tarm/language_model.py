"""What every rung shares around its core: embed -> core -> norm -> head, and the loss."""

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .block import Block
from .streams import stream
from .tasks import IGNORE

# Standard deviation at which every weight starts (arXiv 2603.08082).
INITIAL_STD = 0.02


class Scale(NamedTuple):
    """What starts at size 1 (root mean square), not the published one: the input x; the states y_init and z_init."""

    input: bool
    states: bool


SCALES = {"published": Scale(False, False), "unit": Scale(True, True), "input": Scale(True, False),
          "states": Scale(False, True)}


class Output(NamedTuple):
    """What one forward call returns.

    logits: (B, T, vocabulary). ponder: scalar, or None for a rung without ACT.
    halted_at: (B, T) the step, counted from 1, at which each position halts; the last step
    for one that never does. steps: how many steps ran. each (N, B, T, vocabulary): the logits
    had step n been the last; q (N, B, T): what a halting head that is trained says of them; both
    None where nobody asks (see `tarm.variants`).
    """

    logits: Tensor
    ponder: Tensor | None
    halted_at: Tensor
    steps: int
    each: Tensor | None = None
    q: Tensor | None = None


class LanguageModel(nn.Module):
    """A decoder over characters. A rung is a subclass that says what `core` does.

    core(x, f, steps, halting, generator, past)
        -> (readout (B, T, C), ponder or None, halted_at (B, T), steps run)

    where f(h, stream, block) is a block pass, (B, T, C) -> (B, T, C). Only a core that may leave
    its loop early has to look at `past` (see `tarm.decoding.Past`).
    """

    streams = ("h",)            # the streams that the rung's block passes update
    with_step_embeddings = False
    tied = True                 # one block for every pass?
    halting_head = None         # "act_halt" (ACT), "q_halt" (binary) or none
    nested = False              # does a step have H cycles of L updates of z?
    initial_states = ()         # names of the parameters at which streams of their own start

    @staticmethod
    def passes_per_step(outer, inner):
        """Block passes in one step of the recurrence."""
        return 1

    def __init__(self, architecture):
        super().__init__()
        a = self.architecture = architecture
        self.token_embedding = nn.Embedding(a.vocabulary, a.width)
        self.position_embedding = nn.Embedding(a.context, a.width)
        if self.with_step_embeddings and a.step_embeddings:
            self.step_embedding = nn.Embedding(a.steps, a.width)
        self.block = nn.ModuleList(
            Block(a.width, a.heads, a.dropout, a.norm, a.precision, self.streams, a.dropout_stream, a.residual_factor)
            for _ in range(1 if self.tied else a.steps))
        self.final_norm = nn.LayerNorm(a.width)
        self.head = nn.Linear(a.width, a.vocabulary)

    def extra_repr(self):
        """The rung, and what of its architecture differs from the published one: the first line of print(model)."""
        return str(self.architecture)

    def forward(self, tokens, steps=None, halting=True, generator=None, past=None, window=None):
        """tokens (B, T) -> Output.

        steps: how many steps to run at most (default: as many as trained). halting=False
        disables the early exit and nothing else. generator: the stream from which binary
        halting explores in training; None does not explore. past: the positions before these
        tokens, if they were read by earlier calls (a `tarm.decoding.Past`). window: how many block
        passes, the last ones, receive a gradient where the architecture's window is a number (its default).
        """
        before = past.length if past else 0
        T, context = before + tokens.shape[1], self.architecture.context
        if T > context:
            raise ValueError(f"{T} tokens do not fit a context of {context}: "
                             f"shorten the input or build the model with context={T} or more")
        steps = self.architecture.steps if steps is None else steps
        if steps < 1:
            raise ValueError(f"steps={steps} is too small: a call runs 1 step or more")
        x = self.embed(tokens, before)
        first, number = self.first_trained_pass(steps, window), itertools.count()
        if first > 0 and torch.is_grad_enabled():
            halting = False  # the last passes are those of the last step

        def f(h, stream="h", block=0):
            with torch.set_grad_enabled(next(number) >= first and torch.is_grad_enabled()):
                return self.block[block](h, stream, past)

        return self.output(*self.core(x, f, steps, halting, generator, past))

    def first_trained_pass(self, steps, window=None):
        """The block pass, counted from 0, at which the gradient ends where the window is a number of passes; else 0."""
        a = self.architecture
        if not a.window.isdecimal():
            if window is not None:
                raise ValueError(f"window={window} has no meaning for a model with window={a.window}: "
                                 f"build it with window={window}")
            return 0
        if window is not None and window < 1:
            raise ValueError(f"window={window} trains no block pass: it must be 1 or more")
        return steps * self.passes_per_step(a.outer, a.inner) - (int(a.window) if window is None else window)

    def output(self, readout, ponder, halted_at, steps):
        """(B, T, C) -> Output."""
        return Output(self.head(self.final_norm(readout)), ponder, halted_at, steps)

    def calls(self, tokens, **options):
        """The calls of a training step, each with an optimiser step of its own; here one. options: as in forward."""
        yield self(tokens, **options)

    def embed(self, tokens, before=0):
        """Token + absolute position, x (B, T, C); with scale="unit" or "input" brought to unit variance."""
        position = torch.arange(before, before + tokens.shape[1], device=tokens.device)
        x = self.token_embedding(tokens) + self.position_embedding(position)
        return x / (INITIAL_STD * math.sqrt(2)) if SCALES[self.architecture.scale].input else x

    def s(self, n):
        """The step embedding (C,) of step n, counted from 0; beyond the trained steps the last one."""
        if not self.architecture.step_embeddings:
            return 0
        return self.step_embedding.weight[min(n, self.architecture.steps - 1)]

    def loss(self, output, targets):
        """Mean cross-entropy over the supervised targets (B, T; IGNORE elsewhere), plus the
        ponder cost times its weight where the rung has one."""
        loss = F.cross_entropy(output.logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
        weight = self.architecture.ponder_weight
        return loss + weight * output.ponder if weight and output.ponder is not None else loss

    @torch.no_grad()
    def initialise(self, seed):
        """Draw every parameter as the paper does; each has a named random stream of its own,
        so that what two rungs share starts from the same numbers under the same seed.

        Layer norms start at 1 and 0, biases at 0, and what `starts` names where it says. Other parameters than these,
        of linear layers, of embeddings and `initial_states` stay as they were made: a rung of one's own may have such.
        """
        norms = {p for module in self.modules() if isinstance(module, nn.LayerNorm) for p in module.parameters()}
        layers = {p for module in self.modules() if isinstance(module, (nn.Linear, nn.Embedding))
                  for p in module.parameters()}
        starts, unit_states = self.starts(), SCALES[self.architecture.scale].states
        for name, p in self.named_parameters():
            if name in starts:
                p.fill_(starts[name])
            elif p in norms:
                p.fill_(1 if name.endswith("weight") else 0)
            elif p in layers and name.endswith("bias"):
                p.zero_()
            elif p in layers or name in self.initial_states:
                draw = torch.randn(p.shape, generator=stream(seed, "initialisation", name))
                p.copy_(draw if unit_states and name in self.initial_states else INITIAL_STD * draw)
        return self

    def starts(self):
        """{name: value} of the parameters that start at a value of their own."""
        return {}

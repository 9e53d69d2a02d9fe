"""What a model does inside, seen from outside: hooks watch its blocks and change nothing.

A *trace* is the list of the block passes of one call, in the order in which they ran.
"""

import contextlib
from typing import NamedTuple

import torch
from torch import Tensor

from .halting import MARGIN


class Pass(NamedTuple):
    """One block pass: the stream it updates (h, y or z), what it read and what it gave, (B, T, C) each."""

    stream: str
    input: Tensor
    output: Tensor


@contextlib.contextmanager
def hooked(modules, hook, before=False):
    """Call hook(module, inputs, output) after each call of the modules (before: without output), then stop."""
    handles = [module.register_forward_pre_hook(hook) if before else module.register_forward_hook(hook)
               for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def trace(model, tokens, **call):
    """Run model(tokens, **call) -> (list of Pass, Output). Wrap it in torch.no_grad() to keep no graph."""
    passes = []

    def watch(block, inputs, output):
        h, stream = (*inputs, "h")[:2]
        passes.append(Pass(stream, h, output))

    with hooked(model.block, watch):
        output = model(tokens, **call)
    return passes, output


def rms(tensor):
    """Root mean square of all entries, a float: 1 for numbers of variance 1."""
    return tensor.detach().cpu().double().square().mean().sqrt().item()


@torch.no_grad()
def sizes(model, tokens, **call):
    """One dict per pass: pass (from 1), stream, size of the output (RMS), and update.

    The output is what the block gives, which the seven rungs take as the new state; a rung whose `step` does something
    else with it has states of other sizes. update: RMS of output - input, relative to the input's: what the pass
    changes of what it read. With halting=False among `call`, every pass of the budget is there.
    """
    return [{"pass": i, "stream": stream, "size": rms(output), "update": rms(output - h) / rms(h)}
            for i, (stream, h, output) in enumerate(trace(model, tokens, **call)[0], 1)]


def received(loss, passes):
    """The loss's gradient at each pass's output in a trace, a list of (B, T, C); None where autograd does not come."""
    reached = [this.output for this in passes if this.output.requires_grad]
    found = iter(torch.autograd.grad(loss, reached, allow_unused=True))
    return [next(found) if this.output.requires_grad else None for this in passes]


def gradients(model, tokens, targets, **call):
    """RMS of the loss's gradient at the output of each pass, a list; 0.0 where autograd does not come.

    The gradients of the model's parameters are left as they were.
    """
    passes, output = trace(model, tokens, **call)
    found = received(model.loss(output, targets), passes)
    return [0.0 if gradient is None else rms(gradient) for gradient in found]


@torch.no_grad()
def lens(model, states):
    """What the head would read in each of some states (B, T, C): logits (states, B, T, vocabulary).

    A state is put through the model's own final norm and head as if it were the last (the "logit
    lens", nostalgebraist 2020). Only the state that a rung reads was trained to be understood so.
    """
    return torch.stack([model.head(model.final_norm(state)) for state in states])


@torch.no_grad()
def halting_probabilities(model, tokens, **call):
    """p (steps, B, T): what the ACT head says at each step that ran. Raises ValueError for a rung without ACT."""
    if not hasattr(model, "act_halt"):
        raise ValueError(f"{model.architecture.rung} has no ACT: use universal, dual_ut or dual_nested_ut")
    said = []
    with hooked([model.act_halt], lambda head, inputs, output: said.append(output.squeeze(-1).sigmoid())):
        model(tokens, **call)
    return torch.stack(said)


def act_weights(p):
    """ACT's weights w (steps, B, T) of halting probabilities p (steps, B, T); they add up to 1 (Graves 2016).

    A position weighs p_n until its probabilities would reach 1, then what is missing to 1, then 0; where they
    do not reach it, the last step takes what is missing as well. Written apart from `tarm.halting.ACT`, to check it.
    """
    before = torch.cat([torch.zeros_like(p[:1]), p.cumsum(0)[:-1]])  # P, of the steps before
    running = before < 1 - MARGIN
    halts = running & (before + p >= 1 - MARGIN)
    weights = torch.where(halts, 1 - before, p) * running
    weights[-1] += 1 - weights.sum(0)
    return weights


def query_and_key(attention, h):
    """q, k (B, heads, T, C / heads) of an attention module for what it reads, h (B, T, C)."""
    B, T, C = h.shape
    q, k = attention.query(h), attention.key(h)
    return [part.view(B, T, attention.heads, C // attention.heads).transpose(1, 2) for part in (q, k)]


@torch.no_grad()
def attention(model, tokens, **call):
    """The attention weights of each pass, a list of (B, heads, T, T); each row adds up to 1.

    Entry [b, head, i, j]: how much position i takes from position j <= i (Vaswani et al. 2017).
    """
    maps = []

    def watch(module, inputs):
        q, k = query_and_key(module, inputs[0])
        scores = q @ k.transpose(-2, -1)  # of a model in bf16 they are bf16
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32)) / q.shape[-1] ** 0.5
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        maps.append(scores.masked_fill(future, -torch.inf).softmax(dim=-1))

    with hooked([block.attention for block in model.block], watch, before=True):
        model(tokens, **call)
    return maps

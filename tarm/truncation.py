"""What a truncated gradient holds of the whole one, and how well the two agree."""

from contextlib import contextmanager

import torch

from .block import Dropout
from .instruments import lens, rms, trace
from .tasks import IGNORE


def block_gradient(model, tokens, targets):
    """{name: gradient} of the loss for the parameters of the model's blocks; zeros where there is none."""
    named = dict(model.block.named_parameters())
    found = torch.autograd.grad(model.loss(model(tokens), targets), named.values(), allow_unused=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(named.items(), found)}


def untruncated(model):
    """A model with the same weights and a gradient through every pass."""
    whole = model.architecture.untruncated().build().to(next(model.parameters()))
    whole.load_state_dict(model.state_dict())
    return whole.train(model.training)


@contextmanager
def without_dropout(*models):
    """Training mode but for dropout: what a rung does in training alone it goes on doing."""
    layers = {layer: layer.p for model in models for layer in model.modules() if isinstance(layer, Dropout)}
    try:
        for layer in layers:
            layer.p = 0.0
        yield
    finally:
        for layer, p in layers.items():
            layer.p = p


def truncation(model, tokens, targets, eps=1e-8):
    """The block's gradient as the model's window leaves it, beside the gradient through all passes; without dropout,
    whose masks would differ between the two.

    -> {"share": norm of the first over the second, "cosine": of the angle between them, the same for queries and keys
    alone, "share_qk", "cosine_qk"; and as AdamW takes them, whose first step is g / (|g| + eps) for each weight:
    "step_cosine", of the angle between the two first steps, and "below_eps", the share of the weights whose gradient in
    the window is smaller than eps, and so hardly moves them}. A cosine is nan where one of the two is zero.
    """
    both = model, untruncated(model)
    with without_dropout(*both):
        part, whole = (block_gradient(each, tokens, targets) for each in both)

    def flat(gradient, names):
        return torch.cat([gradient[name].flatten() for name in names]).cpu().double()

    def cosine(a, b):
        return (a @ b / (a.norm() * b.norm())).item()

    result = {}
    for suffix, names in ("", list(part)), ("_qk", [name for name in part if ".query." in name or ".key." in name]):
        a, b = flat(part, names), flat(whole, names)
        result |= {"share" + suffix: (a.norm() / b.norm()).item(), "cosine" + suffix: cosine(a, b)}
    a, b = flat(part, part), flat(whole, part)
    return result | {"step_cosine": cosine(a / (a.abs() + eps), b / (b.abs() + eps)),
                     "below_eps": (a.abs() < eps).double().mean().item()}


@torch.no_grad()
def residuals(model, tokens, steps=None):
    """How far the states are from a fixed point: one dict per step from the second on, with step and, for each
    stream, the RMS of its change over the step, relative to the RMS that it had. steps: as many as trained. A state is
    what the stream's last block pass gave (see `tarm.instruments.sizes`)."""
    passes, output = trace(model, tokens, steps=steps, halting=False)
    per_step = len(passes) // output.steps
    ends = [{one.stream: one.output for one in passes[n * per_step:(n + 1) * per_step]} for n in range(output.steps)]
    return [{"step": n} | {stream: rms(after[stream] - before[stream]) / rms(before[stream]) for stream in after}
            for n, (before, after) in enumerate(zip(ends, ends[1:]), 2)]


@torch.no_grad()
def lens_accuracy(model, tokens, targets):
    """How many supervised characters each state would get right if the head read it: one dict per pass, with
    pass (from 1), stream and accuracy in [0, 1]. See `tarm.instruments.lens`."""
    passes, _ = trace(model, tokens, halting=False)
    supervised = targets != IGNORE
    return [{"pass": i, "stream": one.stream,
             "accuracy": (read.argmax(-1) == targets)[supervised].float().mean().item()}
            for i, (one, read) in enumerate(zip(passes, lens(model, [one.output for one in passes])), 1)]

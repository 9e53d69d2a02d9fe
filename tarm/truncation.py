"""What a truncated gradient holds of the whole one, and how well the two agree."""

from dataclasses import replace

import torch

from .instruments import rms, trace
from .tasks import IGNORE


def block_gradient(model, tokens, targets):
    """{name: gradient} of the loss for the parameters of the model's blocks; zeros where there is none."""
    named = dict(model.block.named_parameters())
    found = torch.autograd.grad(model.loss(model(tokens), targets), named.values(), allow_unused=True)
    return {name: torch.zeros_like(p) if g is None else g for (name, p), g in zip(named.items(), found)}


def untruncated(model):
    """A model with the same weights and a gradient through every pass."""
    whole = replace(model.architecture, window="all").build().to(next(model.parameters()))
    whole.load_state_dict(model.state_dict())
    return whole.train(model.training)


def truncation(model, tokens, targets):
    """The block's gradient as the model's window leaves it, beside the gradient through all passes.

    -> {"share": norm of the first over the second, "cosine": of the angle between them, "signs": the share of the weights that both
    push the same way, which is all that the first step of AdamW takes of a gradient far above its eps; and the same for queries and
    keys alone, "share_qk", "cosine_qk", "signs_qk"}. A cosine is nan where one of the two is zero.
    """
    part, whole = (block_gradient(m, tokens, targets) for m in (model, untruncated(model)))
    result = {}
    for suffix, names in ("", list(part)), ("_qk", [name for name in part if ".query." in name or ".key." in name]):
        a, b = (torch.cat([gradient[name].flatten() for name in names]).cpu().double() for gradient in (part, whole))
        result["share" + suffix] = (a.norm() / b.norm()).item()
        result["cosine" + suffix] = (a @ b / (a.norm() * b.norm())).item()
        result["signs" + suffix] = (a.sign() == b.sign()).double().mean().item()
    return result


@torch.no_grad()
def residuals(model, tokens, steps=None):
    """How far the states are from a fixed point: one dict per step from the second on, with step and, for each
    stream, the RMS of its change over the step, relative to the RMS that it had. steps: as many as trained."""
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
             "accuracy": (model.head(model.final_norm(one.output)).argmax(-1) == targets)[supervised].float().mean().item()}
            for i, one in enumerate(passes, 1)]

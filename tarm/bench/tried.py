"""What was tried and dropped: each alternative's seconds over those of what tarm does instead. Kept here only."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from ..block import Attention, Dropout
from ..decoding import generate
from ..training import Progress
from .ratios import decoding_problems
from .rounds import PRECISIONS, row

ROWS, POSITIONS = 64, 33  # of a published batch of additions
SIZES = (64, 4), (192, 6), (384, 6)  # width, heads


class TorchAttention(Attention):
    """With PyTorch's own attention, whatever it is asked for."""

    def mix(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, None, self.dropout.p, is_causal=True)


class KeepMask(torch.autograd.Function):
    """Dropout that remembers a byte an element for its backward, instead of the factors themselves."""

    @staticmethod
    def forward(context, h, p):
        keep = torch.empty(-(-h.numel() // 4), dtype=torch.int64).random_(-2**63, None).view(torch.int16)[:h.numel()]
        keep = keep.view(h.shape) >= round(p * 2**16) - 2**15
        context.save_for_backward(keep)
        context.factor = 1 / (1 - p)
        return h * keep * context.factor

    @staticmethod
    def backward(context, gradient):
        keep, = context.saved_tensors
        return gradient * keep * context.factor, None


class MaskDropout(Dropout):
    def forward(self, h):
        return KeepMask.apply(h, self.p)


def dropped(bench):
    """PyTorch's attention, dropout with a backward of its own, and weights cast once for all passes, in training; smaller
    batches in decoding. On a CPU, for which tarm chose otherwise."""
    if bench.device != "cpu":
        return
    for precision in PRECISIONS:
        for p in (0.1, 0.0) if precision == "bf16" else (0.1,):
            for width, heads in SIZES:
                times = bench.times(*(layer(kind(width, heads, Dropout(p, "bits")), width, precision)
                                      for kind in (TorchAttention, Attention)))
                name = f"dropped, PyTorch's attention {'with' if p else 'without'} dropout"
                yield row(name, precision, [a / b for a, b in times], "ratio", width)
    times = bench.times(*(layer(kind(0.1, "bits"), 384, "float32") for kind in (MaskDropout, Dropout)))
    yield row("dropped, dropout that keeps its mask", "float32", [a / b for a, b in times], "ratio", 384)
    times = bench.times(*cast_once_and_each_time(bench))
    yield row("dropped, weights cast once a step", "a step, bf16", [a / b for a, b in times], "ratio")
    run = bench.run()
    model, prompt, answer, _ = decoding_problems(bench, run, run.length)
    quarter = -(-len(prompt) // 4)
    times = bench.times(lambda: [generate(model, part, answer.shape[1]) for part in prompt.split(quarter)],
                        lambda: generate(model, prompt, answer.shape[1]))
    yield row("dropped, decoding in four batches", f"{len(prompt)} problems", [a / b for a, b in times], "ratio")


def layer(module, width, precision):
    """A function that takes a layer forward and backward, ten times, on one batch of the published shape."""
    h = torch.randn(ROWS, POSITIONS, width, requires_grad=True)

    def both_ways():
        for _ in range(10):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                output = module(h)
            output.float().sum().backward()

    return both_ways


def cast_once_and_each_time(bench):
    """Two steps of the Iterative Transformer, six passes: within an outer autocast, which keeps what it has cast, or not."""
    run = replace(bench.run("iterative", budget=6), precision="bf16")
    once, each = Progress(run, bench.device), Progress(run, bench.device)

    def cast_once():
        with torch.autocast("cpu", enabled=False):
            once.train_step()

    return cast_once, each.train_step

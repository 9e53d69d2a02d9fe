"""What was tried and dropped: each alternative's seconds over those of what tarm does instead. Kept here only."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from ..block import Attention, Dropout
from ..decoding import generate
from ..training import Progress
from .alternatives import POSITIONS, ROWS, SIZES, both_ways, layer
from .ratios import decoding_problems, untrained
from .rounds import PRECISIONS, row


class TorchAttention(Attention):
    """With PyTorch's own attention, whatever it is asked for."""

    def mix(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, None, self.dropout.p, is_causal=q.shape[2] > 1)


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
    """PyTorch's attention, dropout with a backward of its own, and weights cast once for all passes, in training;
    PyTorch's attention for one query, and smaller batches, in decoding. On a CPU, for which tarm chose otherwise."""
    if bench.device != "cpu":
        return
    for name, subject, x, *functions in tried(bench):
        yield row(f"dropped, {name}", subject, [a / b for a, b in bench.times(*functions)], "ratio", x)


def tried(bench):
    """(what, subject, x, a function with it, a function without it) of each."""
    for precision in bench.precisions:
        for p in (0.1, 0.0) if precision == "bf16" else (0.1,):
            for width, heads in SIZES:
                yield f"PyTorch's attention {'with' if p else 'without'} dropout", precision, width, *(
                    layer(bench, kind, width, heads, precision, p) for kind in (TorchAttention, Attention))
        for width, heads in SIZES[::2]:
            yield "PyTorch's attention for one query", precision, width, *(
                one_query(kind, width, heads, precision) for kind in (TorchAttention, Attention))
    yield "dropout that keeps its mask", "float32", 384, *(
        both_ways(bench, kind(0.1, "bits"), 384, "float32") for kind in (MaskDropout, Dropout))
    if "bf16" in bench.precisions:
        yield "weights cast once a step", "a step, bf16", 0, *cast_once_and_each_time(bench)
    run = bench.run()
    model, (prompt, answer, _) = untrained(bench, run), decoding_problems(bench, run, run.length)
    quarter = -(-len(prompt) // 4)
    yield ("decoding in four batches", f"{len(prompt)} problems", 0,
           lambda: [generate(model, part, answer.shape[1]) for part in prompt.split(quarter)],
           lambda: generate(model, prompt, answer.shape[1]))


def one_query(kind, width, heads, precision):
    """A function in which the last position of each row reads all of them, a hundred times, as in decoding."""
    attention = kind(width, heads, Dropout(0.0)).eval()
    q, k, v = (torch.randn(ROWS, heads, T, width // heads).to(PRECISIONS[precision]) for T in (1, POSITIONS, POSITIONS))
    return torch.no_grad()(lambda: [attention.mix(q, k, v) for _ in range(100)])


def cast_once_and_each_time(bench):
    """Two steps of the Iterative Transformer, six passes: in an outer autocast, which keeps what it cast, or not."""
    run = replace(bench.run("iterative", budget=6), precision="bf16")
    once, each = Progress(run, bench.device), Progress(run, bench.device)

    def cast_once():
        with torch.autocast("cpu", enabled=False):
            once.train_step()

    return cast_once, each.train_step

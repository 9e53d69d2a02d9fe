"""What single choices are worth: seconds without over seconds with each. What else could be chosen is here only."""

import math
from contextlib import nullcontext
from dataclasses import replace

import torch

from ..block import Attention, Dropout
from ..precision import NARROW, bf16_products
from ..published import PublishedTraining, padded_batch
from ..tasks import TASKS
from ..training import Progress
from .rounds import row

ROWS, POSITIONS = 64, 33  # of a published batch of additions
SIZES = (64, 4), (192, 6), (384, 6)  # width, heads
CONTEXTS = {"float32": lambda device: nullcontext(), "bf16": bf16_products,
            "bf16 by autocast": lambda device: torch.autocast(device.type, torch.bfloat16)}


class ThreeProducts(Attention):
    """With a product each for query, key and value."""

    def forward(self, h, past=None):
        q, k, v = (part(h).unflatten(2, (self.heads, -1)).transpose(1, 2)
                   for part in (self.query, self.key, self.value))
        return self.dropout(self.out(self.mix(q, k, v).transpose(1, 2).flatten(2)))


class OwnLines(Attention):
    """With the lines that `Attention` has for dropout and for bf16 where it would take PyTorch's attention."""

    def mix(self, q, k, v):
        T = q.shape[2]
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))
        later = torch.full((T, T), -math.inf, dtype=q.dtype, device=q.device).triu(1)
        scores = torch.baddbmm(later, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
        return (self.dropout(scores.softmax(dim=-1)) @ v).unflatten(0, (-1, self.heads))


def graph_in_every_step(bench):
    """A training of rung 7 that, like the published code, builds a graph of every step's last cycle; most go unread."""
    training = Progress(bench.run("ar_trm"), bench.device)
    training.model.step = torch.enable_grad()(training.model.step)
    return training


def choices(bench):
    """What single choices are worth in a training step, or in the part of one that is named: without over with."""
    for name, subject, x, *functions in alternatives(bench):
        yield row(f"choice, {name}", subject, [a / b for a, b in bench.times(*functions)], "ratio", x)


def alternatives(bench):
    """(choice, subject, x, a function without it, a function with it) of each."""
    for precision in bench.precisions if bench.run().dropout else ():
        run = bench.run(budget=6, precision=precision)
        yield ("dropout's masks from 16 bits", f"a step, {precision}", 0,
               *(bench.step(replace(run, dropout_stream=stream)) for stream in ("torch", "bits")))
    run = bench.run()
    for precision in bench.precisions:
        yield "one product for query, key and value", f"a layer, {precision}", run.width, *(
            layer(bench, kind, run.width, run.heads, precision, run.dropout) for kind in (ThreeProducts, Attention))
    if NARROW and bench.device == "cpu":
        yield "bf16 from products in float32", "a layer", run.width, *(
            layer(bench, Attention, run.width, run.heads, arithmetic, run.dropout)
            for arithmetic in ("bf16 by autocast", "bf16"))
    for width, heads in SIZES:
        yield "PyTorch's attention without dropout", "a layer, float32", width, *(
            layer(bench, kind, width, heads, "float32", 0.0) for kind in (OwnLines, Attention))
    yield ("no graph where it is cut", "a step of AR-TRM", 0,
           graph_in_every_step(bench).train_step, bench.step(bench.run("ar_trm")))
    plain, fused = PublishedTraining(run, bench.device), Progress(run, bench.device)
    for training in plain, fused:
        training.train_step()  # so that there are gradients
    yield "fused AdamW", "the update", 0, plain.optimiser.step, fused.optimiser.step
    one_by_one, at_once = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    yield ("problems drawn at once", "the data", 0, lambda: padded_batch(run, one_by_one),
           lambda: TASKS[run.task].problems(run.batch, run.length, at_once, reserved=False).batch())


def layer(bench, kind, width, heads, arithmetic, p):
    """A function that takes a layer of attention forward and backward, ten times, on one batch of the published shape.

    arithmetic: one of CONTEXTS.
    """
    return both_ways(bench, kind(width, heads, Dropout(p, "bits" if p else "torch")), width, arithmetic)


def both_ways(bench, module, width, arithmetic):
    """As `layer`, for any module (B, T, width) -> (B, T, width)."""
    module, h = module.to(bench.device), torch.randn(ROWS, POSITIONS, width, device=bench.device, requires_grad=True)

    def ten_times():
        for _ in range(10):
            with CONTEXTS[arithmetic](h.device):
                output = module(h)
            output.float().sum().backward()

    return ten_times

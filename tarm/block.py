"""The decoder block that every rung shares (arXiv 2603.08082)."""

import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from .precision import bf16_products

NORMS = ("pre", "post", "reentry")
DROPOUT_STREAMS = ("torch", "bits")


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014), of any shape; in evaluation it changes nothing.

    stream="torch" draws the mask as PyTorch does, "bits" from 16 random bits an element, which
    on a CPU is three times as fast: p is rounded to a multiple of 2**-16, at most 1 - 2**-16, and
    what is kept is scaled by 1 / (1 - that), itself rounded in the dtype of h: in bf16 by up to
    2**-8 of it, so that the mean is kept no better. Both draw from the global generator.
    """

    def __init__(self, p, stream="torch"):
        super().__init__()
        self.p, self.stream = p, stream

    def forward(self, h):
        if self.stream == "torch" or not self.training:
            return F.dropout(h, self.p, self.training)
        dropped = min(round(self.p * 2**16), 2**16 - 1)
        bits = torch.empty(-(-h.numel() // 4), dtype=torch.int64, device=h.device).random_(-2**63, None)
        keep = torch.empty_like(h, memory_format=torch.contiguous_format)
        torch.ge(bits.view(torch.int16)[:h.numel()].view(h.shape), dropped - 2**15, out=keep)
        return h * keep.mul_(2**16 / (2**16 - dropped))


class Attention(nn.Module):
    """Causal multi-head self-attention, (B, T, C) -> (B, T, C).

    Query, key and value have no bias, the output projection has one; dropout acts on the
    attention weights and after the output projection (Vaswani et al. 2017).
    """

    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, h, past=None):
        """past: what remembers keys and values of the positions before (see `tarm.decoding`)."""
        B, T, C = h.shape
        weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])  # one product for the three
        split = F.linear(h, weight).view(B, T, 3, self.heads, C // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, C / heads)
        if past is not None:
            k, v = past.extend(k, v)
        mixed = self.mix(q, k, v).transpose(1, 2).reshape(B, T, C)
        return self.dropout(self.out(mixed))

    def mix(self, q, k, v):
        """softmax(q k' / sqrt(C / heads)) v, each query reading the keys up to its own position;
        the T queries belong to the last T of the S keys. -> (B, heads, T, C / heads)"""
        T, S = q.shape[2], k.shape[2]
        p, cpu = self.dropout.p if self.training else 0.0, q.device.type == "cpu"
        if (not p and T > 1 and q.dtype != torch.bfloat16) if cpu else (not p or self.dropout.stream == "torch"):
            mask = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T) if 1 < T < S else None
            return F.scaled_dot_product_attention(q, k, v, mask, p, is_causal=1 < T == S)
        # On a CPU PyTorch's own is slower than these lines with dropout, in bf16, and for one query. Elsewhere it drops
        # out itself, with other random numbers than these lines draw; 16 bits a weight are drawn here alone.
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))
        later = torch.full((T, S), -math.inf, dtype=q.dtype, device=q.device).triu(S - T + 1)
        scores = torch.baddbmm(later, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5)
        return (self.dropout(scores.softmax(dim=-1)) @ v).unflatten(0, (-1, self.heads))


class MLP(nn.ModuleDict):
    """C -> 4C -> C with exact GELU and dropout at the end, (B, T, C) -> (B, T, C)."""

    def __init__(self, width, dropout):
        super().__init__({"in": nn.Linear(width, 4 * width), "out": nn.Linear(4 * width, width)})
        self.dropout = dropout

    def forward(self, h):
        return self.dropout(self["out"](F.gelu(self["in"](h))))


class Block(nn.Module):
    """One decoder block: attention, then an MLP, each a residual update of what comes in.

    norm="pre" (published):  h = h + attention(norm1(h));  h = h + mlp(norm2(h))
    norm="post":             h = norm1(h + attention(h));  h = norm2(h + mlp(h))
    norm="reentry":          as "pre", then a LayerNorm of its own for each stream, so that
                             what is carried to the next pass, or read, is normalised.

    Each branch is multiplied by `factor` before it is added (1 as published).

    precision="bf16" multiplies matrices in bf16 (see `tarm.precision`), in which GELU, softmax and dropout between the
    products of a branch then are as well; the residual stream keeps the dtype it came in, because the sum promotes.
    "float32" means: nothing is cast, so a float64 model stays float64.

    One call is one *block pass*, the unit in which the paper counts compute.
    """

    def __init__(self, width, heads, dropout, norm="pre", precision="float32", streams=("h",), dropout_stream="torch",
                 factor=1.0):
        super().__init__()
        dropout = Dropout(dropout, dropout_stream)
        self.norm, self.precision, self.factor = norm, precision, factor
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.mlp = MLP(width, dropout)
        if norm == "reentry":
            self.reentry = nn.ModuleDict({stream: nn.LayerNorm(width) for stream in streams})

    def forward(self, h, stream="h", past=None):
        """(B, T, C) -> (B, T, C); `stream` names the stream that is updated."""
        for norm, branch in (self.norm1, partial(self.attention, past=past)), (self.norm2, self.mlp):
            update = self.in_precision(branch, h if self.norm == "post" else norm(h))
            h = h + (update if self.factor == 1 else self.factor * update)
            h = norm(h) if self.norm == "post" else h
        return self.reentry[stream](h) if self.norm == "reentry" else h

    def in_precision(self, branch, h):
        """branch(h) in the block's precision."""
        if self.precision == "float32":
            return branch(h)
        with bf16_products(h.device):
            return branch(h)

"""The decoder block that every rung shares (arXiv 2603.08082)."""

import torch
from torch import nn
from torch.nn import functional as F

NORMS = ("pre", "post", "reentry")


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

    def forward(self, h):
        B, T, C = h.shape
        split = (B, T, self.heads, C // self.heads)
        q, k, v = (part(h).view(split).transpose(1, 2)  # (B, heads, T, C / heads)
                   for part in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(
            q, k, v, is_causal=True, dropout_p=self.dropout if self.training else 0.0)
        mixed = mixed.transpose(1, 2).reshape(B, T, C)
        return F.dropout(self.out(mixed), self.dropout, self.training)


class MLP(nn.ModuleDict):
    """C -> 4C -> C with exact GELU and dropout at the end, (B, T, C) -> (B, T, C)."""

    def __init__(self, width, dropout):
        super().__init__({"in": nn.Linear(width, 4 * width), "out": nn.Linear(4 * width, width)})
        self.dropout = dropout

    def forward(self, h):
        return F.dropout(self["out"](F.gelu(self["in"](h))), self.dropout, self.training)


class Block(nn.Module):
    """One decoder block: attention, then an MLP, each a residual update of what comes in.

    norm="pre" (published):  h = h + attention(norm1(h));  h = h + mlp(norm2(h))
    norm="post":             h = norm1(h + attention(h));  h = norm2(h + mlp(h))
    norm="reentry":          as "pre", then a LayerNorm of its own for each stream, so that
                             what is carried to the next pass, or read, is normalised.

    precision="bf16" runs the two branches under autocast; the residual stream keeps the
    dtype it came in, because the sum promotes. "float32" means: nothing is cast, so a
    float64 model stays float64.

    One call is one *block pass*, the unit in which the paper counts compute.
    """

    def __init__(self, width, heads, dropout, norm="pre", precision="float32", streams=("h",)):
        super().__init__()
        self.norm, self.precision = norm, precision
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.mlp = MLP(width, dropout)
        if norm == "reentry":
            self.reentry = nn.ModuleDict({stream: nn.LayerNorm(width) for stream in streams})

    def forward(self, h, stream="h"):
        """(B, T, C) -> (B, T, C); `stream` names the stream that is updated."""
        for norm, branch in (self.norm1, self.attention), (self.norm2, self.mlp):
            if self.norm == "post":
                h = norm(h + self.cheaply(branch, h))
            else:
                h = h + self.cheaply(branch, norm(h))
        return self.reentry[stream](h) if self.norm == "reentry" else h

    def cheaply(self, branch, h):
        """branch(h), its matrix products in the block's precision."""
        if self.precision == "float32":
            return branch(h)
        with torch.autocast(h.device.type, torch.bfloat16):
            return branch(h)

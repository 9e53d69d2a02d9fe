"""The published protocol as it was run, for the benchmark to measure against and for nothing else.

The same models and numbers as ours (arXiv 2603.08082), computed in the plainest way: rows padded
to the context, a projection per head in a loop, one problem at a time decoded without memory of
what was read, data made problem by problem. Facts from reading the published code; no line of it.
"""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F

from .runs import BETAS
from .tasks import IGNORE, NEWLINE, TASKS


class HeadByHead(nn.Module):
    """`tarm.block.Attention` with its own weights, computed one head after the other."""

    def __init__(self, attention):
        super().__init__()
        size = attention.query.weight.shape[0] // attention.heads

        def heads(linear):
            parts = nn.ModuleList(nn.Linear(linear.in_features, size, bias=False) for _ in range(attention.heads))
            for part, weight in zip(parts, linear.weight.detach().split(size)):
                part.weight = nn.Parameter(weight.clone())
            return parts

        self.query, self.key, self.value = heads(attention.query), heads(attention.key), heads(attention.value)
        self.out, self.dropout = attention.out, nn.Dropout(attention.dropout.p)

    def forward(self, h, past=None):
        T, mixed = h.shape[1], []
        later = torch.ones(T, T, dtype=torch.bool, device=h.device).triu(1)
        for query, key, value in zip(self.query, self.key, self.value):
            q, k, v = query(h), key(h), value(h)  # (B, T, C / heads)
            scores = (q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])).masked_fill(later, -math.inf)
            mixed.append(self.dropout(F.softmax(scores, dim=-1)) @ v)
        return self.dropout(self.out(torch.cat(mixed, dim=-1)))


def published_form(model):
    """A copy of a model whose attention is computed head by head, in training or evaluation as it is."""
    model = copy.deepcopy(model)
    for block in model.block:
        block.attention = HeadByHead(block.attention).train(block.training)
    return model


def padded_batch(run, generator):
    """tokens, targets (B, context), written problem by problem and padded with newlines."""
    rows = [TASKS[run.task].problems(1, run.length, generator, reserved=False).batch() for _ in range(run.batch)]
    missing = run.context - rows[0][0].shape[1]
    return (torch.cat([F.pad(tokens, (0, missing), value=NEWLINE) for tokens, _ in rows]),
            torch.cat([F.pad(targets, (0, missing), value=IGNORE) for _, targets in rows]))


class PublishedTraining:
    """What `tarm.training.Progress` is to ours: `train_step` takes one step."""

    def __init__(self, run, device="cpu"):
        self.run, self.device = run, device
        self.model = published_form(run.build()).to(device).train()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=run.learning_rate, betas=BETAS, eps=run.eps,
                                           weight_decay=run.weight_decay)
        self.problems = torch.Generator().manual_seed(run.seed)

    def train_step(self):
        tokens, targets = (part.to(self.device) for part in padded_batch(self.run, self.problems))
        self.optimiser.zero_grad()
        loss = self.model.loss(self.model(tokens), targets)
        loss.backward()
        self.optimiser.step()
        return loss.item()


@torch.no_grad()
def decode_one(model, prompt, n, generator=None):
    """Continue one prompt (P,) by n characters, each from a call on all that stands before; -> (n,).

    generator samples at temperature 1; None is greedy.
    """
    tokens = prompt.unsqueeze(0)
    for _ in range(n):
        logits = model(tokens).logits[:, -1]
        best = logits.argmax(dim=-1, keepdim=True)
        chosen = best if generator is None else torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
        tokens = torch.cat([tokens, chosen], dim=1)
    return tokens[0, len(prompt):]

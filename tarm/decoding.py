"""Greedy and sampled decoding, batched, by iterating to the fixed point."""

import torch

from .tasks import NEWLINE, VOCABULARY, decode, encode


def gumbel(shape, generator):
    """Standard Gumbel noise: the argmax of logits + noise is a sample of their softmax."""
    return -torch.log(-torch.log(torch.rand(shape, generator=generator).clamp_min(1e-20)))


@torch.no_grad()
def generate(model, prompt, n, noise=None, draft=None):
    """Continue each prompt by n characters, exactly as one would character by character.

    prompt (B, P) ids; returns ids (B, n). noise (B, n, vocabulary) makes it a sample at
    temperature 1 (see `gumbel`), zero or None is greedy. draft (B, n): a guess to start from.

    A causal model maps a guess of the continuation to the characters it would choose after
    each prefix of the guess. What plain decoding produces is the one fixed point of that map,
    and each iteration makes at least one more character final, so at most n are needed; a good
    draft needs few (Jacobi decoding, Santilli et al. 2023).
    """
    B, P = prompt.shape
    guess = prompt.new_zeros(B, n) if draft is None else draft.clone()
    open_rows = torch.arange(B, device=prompt.device)
    for _ in range(n):
        tokens = torch.cat([prompt[open_rows], guess[open_rows, :-1]], dim=1)
        logits = model(tokens).logits[:, P - 1:]  # (rows, n, vocabulary)
        if noise is not None:
            logits = logits + noise[open_rows]
        chosen = logits.argmax(dim=-1)
        changed = (chosen != guess[open_rows]).any(dim=1)
        guess[open_rows] = chosen
        open_rows = open_rows[changed]
        if not len(open_rows):
            break
    return guess


def complete(model, text, limit, noise=None):
    """Continue a text until the model writes a newline, or for `limit` characters; -> text.

    noise (1, limit, vocabulary) makes it a sample, as in `generate`. Raises ValueError for a character outside the vocabulary and for a text that leaves no
    room in the context.
    """
    if not text:
        raise ValueError(f"the prompt is empty: give one or more of the characters {VOCABULARY!r}")
    prompt = encode(text).unsqueeze(0).to(next(model.parameters()).device)
    room = model.architecture.context - prompt.shape[1] + 1
    if room < 1:
        raise ValueError(f"a prompt of {len(text)} characters does not fit a context of "
                         f"{model.architecture.context}: shorten it")
    if limit < 1:
        raise ValueError(f"limit={limit} leaves nothing to write: it must be 1 or more")
    n = min(limit, room)
    written = generate(model, prompt, n, None if noise is None else noise[:, :n])[0]
    ends = (written == NEWLINE).nonzero()
    return decode(written[:ends[0, 0]] if len(ends) else written)

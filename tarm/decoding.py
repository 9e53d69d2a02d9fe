"""Greedy and sampled decoding, batched, with the keys and values of every block pass remembered."""

import contextlib

import torch

from .tasks import NEWLINE, VOCABULARY, decode, encode


class Past:
    """What a model remembers of the positions it has read: keys and values for each block pass,
    and where a loop was left that later positions may have to take further.

        past = Past(rows=B, room=T);  model(tokens, past=past.at(0))
        model(more, past=past.at(tokens.shape[1]))  # reads `more` as if it stood behind `tokens`

    Every position has been through the same number of steps: a call that takes more of them
    lets the positions before catch up. For evaluation only, since it writes in place.
    """

    def __init__(self, rows, room):
        self.rows = self.all_rows = rows
        self.room = room
        self.length = self.filled = 0  # positions before this call; and positions ever written
        self.next = 0                  # the block pass that comes next in this call
        self.passes = []               # of each pass: keys, values (rows, heads, room, C / heads)
        self.steps = 0                 # steps of the loop that every position has been through
        self.carried = ()              # with ACT: the state behind them, and x, (rows, room, C) each
        self.halted_at = None          # with binary halting: (rows,) the step

    def at(self, length, rows=None):
        """Itself, ready for a call that reads on after `length` positions, on the first `rows` rows."""
        self.length, self.rows, self.next = length, rows or self.all_rows, 0
        return self

    def write(self, whole, part, dim):
        """Write a part (rows, ...) at the call's positions along dim; -> whole, made where it is None."""
        if whole is None:
            shape = list(part.shape)
            shape[0], shape[dim] = self.all_rows, self.room
            whole = part.new_zeros(shape)
        whole[:self.rows].narrow(dim, self.length, part.shape[dim]).copy_(part)
        return whole

    def extend(self, k, v):
        """Remember the keys and values (B, heads, T, d) of one pass; -> those of all positions so far."""
        if self.next == len(self.passes):
            self.passes.append((None, None))
        self.passes[self.next] = tuple(self.write(whole, part, 2)
                                       for whole, part in zip(self.passes[self.next], (k, v)))
        k, v = (whole[:self.rows, :, :self.length + k.shape[2]] for whole in self.passes[self.next])
        self.next += 1
        return k, v

    def keep(self, x, state, steps):
        """Remember where the loop was left: after `steps` steps, with this state."""
        parts = [x, *state] if isinstance(state, tuple) else [x, state]
        self.carried = [self.write(whole, part, 1) for whole, part in zip(self.carried or [None] * len(parts), parts)]
        self.steps, self.filled = steps, max(self.filled, self.length + x.shape[1])

    def catch_up(self, step, n):
        """Take all positions before through step n, step(state, x, n) -> state, if there are any."""
        if not self.length:
            return
        call = self.length, self.rows, self.next
        self.length, self.rows = 0, self.all_rows
        x, *state = (whole[:, :self.filled] for whole in self.carried)
        state = step(tuple(state) if len(state) > 1 else state[0], x, n)
        self.keep(x, state, n + 1)
        self.length, self.rows, self.next = call

    def select(self, rows):
        """Another Past that holds these rows (an index tensor; a row may come twice)."""
        other = Past(len(rows), self.room)
        other.filled, other.steps = self.filled, self.steps
        other.passes = [(k[rows], v[rows]) for k, v in self.passes]
        other.carried = [whole[rows] for whole in self.carried]
        other.halted_at = None if self.halted_at is None else self.halted_at[rows]
        return other


def gumbel(shape, generator):
    """Standard Gumbel noise: the argmax of logits + noise is a sample of their softmax."""
    return -torch.log(-torch.log(torch.rand(shape, generator=generator).clamp_min(1e-20)))


@torch.no_grad()
def generate(model, prompt, n, noise=None, draft=None, steps=None):
    """Continue each prompt by n characters, as one would character by character.

    prompt (B, P) ids; returns ids (B, n). noise (B, n, vocabulary) makes it a sample at
    temperature 1 (see `gumbel`), zero or None is greedy. draft (B, n): a guess, which costs one
    call to check and saves those for all characters up to the first that is wrong. steps: as in the model's forward.

    With binary halting every row goes the steps of the row that halts last, as in a training batch; decoded one at a
    time, as by the published protocol, each goes its own. The two write the same where all rows halt at one step, or
    none does, as published: nothing trains q_halt, and it never halts.
    """
    return decodings(model, prompt, n, [noise], draft, steps)[0]


@contextlib.contextmanager
def evaluating(model):
    """The model without dropout, and afterwards in the mode in which it came."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@torch.no_grad()
def decodings(model, prompt, n, noises, draft=None, steps=None):
    """Several continuations of the same prompts, a noise for each (see `generate`), -> list of (B, n).

    The prompts, and the draft, are read once for all.
    """
    B, P = prompt.shape
    if P < 1:
        raise ValueError(f"prompts of the shape {(B, P)} have nothing to go on from: give each a character or more")
    if n < 1:
        raise ValueError(f"n={n} leaves nothing to write: it must be 1 or more")
    read = prompt if draft is None else torch.cat([prompt, draft[:, :-1]], dim=1)
    past = Past(B, P + n - 1)
    with evaluating(model):
        logits = model(read, steps, past=past.at(0)).logits[:, P - 1:]  # (B, 1 or n, vocabulary)
        return [_go_on(model, past, logits, P, n, noise, draft, steps) for noise in noises]


def _go_on(model, past, logits, P, n, noise, draft, steps):
    """One continuation, from what is remembered of prompts and draft."""
    def choose(logits, rows, k):
        return (logits if noise is None else logits + noise[rows, k:k + logits.shape[1]]).argmax(dim=-1)

    chosen = choose(logits, slice(None), 0)
    right = chosen[:, :1] * 0 if draft is None else (chosen == draft).cumprod(dim=1)
    right = right.sum(dim=1)  # (B,) characters of the draft that stand
    order = right.argsort(stable=True)  # then the rows still to be written are the first ones
    right, past = right[order], past.select(order)
    written = chosen.new_zeros(len(order), n)
    written[:, :chosen.shape[1]] = chosen[order]
    for k in range(1, n):
        rows = int((right < k).sum())
        if rows:
            logits = model(written[:rows, k - 1:k], steps, past=past.at(P + k - 1, rows)).logits
            written[:rows, k:k + 1] = choose(logits, order[:rows], k)
    return written[order.argsort()]


def complete(model, text, limit, noise=None):
    """Continue a text until the model writes a newline, or for `limit` characters; -> text.

    noise (1, limit, vocabulary) makes it a sample, as in `generate`. Raises ValueError for a character outside the
    vocabulary and for a text that leaves no room in the context.
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
    written = generate(model, prompt, n, None if noise is None else noise[:, :n].to(prompt.device))[0]
    ends = (written == NEWLINE).nonzero()
    return decode(written[:ends[0, 0]] if len(ends) else written)

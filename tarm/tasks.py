"""Character-level copy, reverse and addition, as tensors (arXiv 2603.08082); and pointer chasing, not the paper's."""

from dataclasses import dataclass
from functools import cache
from typing import Callable, NamedTuple

import torch
from torch import Tensor

from .streams import stream

VOCABULARY = "0123456789|+=\n"
NEWLINE = VOCABULARY.index("\n")
IGNORE = -100
# A length with fewer problems than this reserves some of them for evaluation.
RESERVE_BELOW = 10**8
RESERVED_SHARE = 16


def id_of(character):
    """The id of a character. Raises ValueError for one outside the vocabulary."""
    if character not in tuple(VOCABULARY):
        raise ValueError(f"{character!r} is not in the vocabulary: it is {VOCABULARY!r}")
    return VOCABULARY.index(character)


def encode(text):
    """Characters -> ids (T,). Raises ValueError for a character outside the vocabulary."""
    return torch.tensor([id_of(character) for character in text], dtype=torch.int64)


def decode(ids):
    """Ids (T,) -> text; ids beyond the vocabulary, which a larger one of a model allows, become `?`."""
    return "".join(VOCABULARY[i] if i < len(VOCABULARY) else "?" for i in ids.tolist())


class Problems(NamedTuple):
    """prompt (B, P), which in the tasks here ends in `|` or `=`; answer (B, A), without its newline."""

    prompt: Tensor
    answer: Tensor

    def batch(self):
        """-> tokens (B, T), targets (B, T), with T = P + A and no padding.

        The answer and the newline that ends it are supervised: targets are IGNORE before.
        """
        B, P = self.prompt.shape
        newline = self.prompt.new_full((B, 1), NEWLINE)
        row = torch.cat([self.prompt, self.answer, newline], dim=1)  # (B, P + A + 1)
        targets = row[:, 1:].clone()
        targets[:, :P - 1] = IGNORE
        return row[:, :-1], targets


@dataclass(frozen=True)
class Task:
    """A task over `operands` numbers of L uniform digits each, leading zeros allowed.

    write(digits (B, operands, L)) -> Problems, each string of digits its own prompt: which problems are unseen is told
    by their digits. distribution(L) -> (A, 10 or more), the probability of each character at each position of the
    answer, the digits first; without it, it is counted.
    """

    key: str
    operands: int
    write: Callable
    distribution: Callable | None = None

    def problems(self, n, length, generator, reserved=None):
        """Draw n problems of this operand length, on the CPU; n at once or in parts, they are the same.

        reserved=None draws from all of them; False passes over those reserved for evaluation, as
        training does; True draws reserved ones only. At lengths with 10^8 problems or more
        nothing is reserved. Raises ValueError for a length below 1.
        """
        if length < 1:
            raise ValueError(f"length={length} is too small: an operand has 1 digit or more")
        digits = self._draw(n, length, generator)
        if reserved is not None and self.count(length) < RESERVE_BELOW:
            digits = digits[is_reserved(digits) == reserved]
            while missing := n - len(digits):
                more = self._draw(missing, length, generator)
                digits = torch.cat([digits, more[is_reserved(more) == reserved]])
        return self.write(digits)

    def _draw(self, n, length, generator):
        return torch.randint(10, (n, self.operands, length), generator=generator)

    def sizes(self, length):
        """Characters of the prompt, and of the answer."""
        prompt, answer = self.problems(1, length, torch.Generator())
        return prompt.shape[1], answer.shape[1]

    def count(self, length):
        """How many different problems there are."""
        return 10 ** (self.operands * length)

    def chance(self, length):
        """(A,) accuracy of the best constant guess at each position of the answer.

        Exact where the task knows its distribution; otherwise counted over 100,000 problems.
        """
        if self.distribution:
            return self.distribution(length).amax(dim=-1)
        return counted_chance(self, length)


@cache
def counted_chance(task, length):
    """`Task.chance` of a task without a distribution."""
    answer = task.problems(100_000, length, stream(0, "chance", task.key)).answer
    return torch.stack([(answer == character).double().mean(dim=0) for character in range(len(VOCABULARY))]).amax(0)


def is_reserved(digits):
    """Which problems (B, operands, L) are reserved for evaluation: one in sixteen, by hash.

    The hash permutes the problem's number among the M there are: multiplication by an odd
    number near M / golden ratio (Knuth's multiplicative hashing), made coprime to M = 10^k.
    At least one problem is reserved, however short the operands.
    """
    flat = digits.flatten(1)
    k = flat.shape[1]
    M = 10**k
    number = (flat * 10 ** torch.arange(k - 1, -1, -1)).sum(dim=1)
    multiplier = next(m for m in range(int(M * 0.6180339887), 2 * M) if m % 2 and m % 5)
    return (number * multiplier + M // 3) % M < max(1, M // RESERVED_SHARE)


def symbol(digits, character):
    """A column (B, 1) of one character, to be joined to digits (B, L). Raises ValueError as `encode` does."""
    return digits.new_full((len(digits), 1), id_of(character))


def _write_copy(digits):
    x = digits[:, 0]
    return Problems(torch.cat([x, symbol(x, "|")], dim=1), x)


def _write_reverse(digits):
    x = digits[:, 0]
    return Problems(torch.cat([x, symbol(x, "|")], dim=1), x.flip(1))


def _write_addition(digits):
    a, b = digits[:, 0], digits[:, 1]
    carry, total = torch.zeros_like(a[:, 0]), []
    for place in reversed(range(a.shape[1])):  # least significant digit first
        column = a[:, place] + b[:, place] + carry
        total.append(column % 10)
        carry = column // 10
    answer = torch.stack([carry, *reversed(total)], dim=1)  # (B, L + 1)
    return Problems(torch.cat([a, symbol(a, "+"), b, symbol(a, "=")], dim=1), answer)


def _uniform(length):
    return torch.full((length, 10), 0.1, dtype=torch.float64)


def _addition_distribution(length):
    """The last carry is 1 with a probability that approaches 1/2; every other digit is uniform."""
    carry = 0.0
    for _ in range(length):
        # of the 100 pairs of digits 45 carry without a carry coming in, 55 with one
        carry = 0.45 * (1 - carry) + 0.55 * carry
    first = torch.zeros(1, 10, dtype=torch.float64)
    first[0, 0], first[0, 1] = 1 - carry, carry
    return torch.cat([first, _uniform(length)])


def quarters(length):
    """Where the answer's quarters begin and end, as the metrics Q1 to Q4 have them: 0, n // 4, n // 2, 3n // 4, n."""
    return [length * k // 4 for k in range(5)]


def _write_pointers(digits):
    x = digits[:, 0]
    looked_up = [x]  # after 1, 2, 3, 4 lookups, from each position
    for _ in range(3):
        looked_up.append(x.gather(1, looked_up[-1] % x.shape[1]))
    bounds = quarters(x.shape[1])
    answer = torch.cat([looked_up[3 - k][:, bounds[k]:bounds[k + 1]] for k in range(4)], dim=1)
    return Problems(torch.cat([x, symbol(x, "|")], dim=1), answer)


TASKS = {task.key: task for task in (
    Task("copy", 1, _write_copy, _uniform),
    Task("reverse", 1, _write_reverse, _uniform),
    Task("addition", 2, _write_addition, _addition_distribution),
    # Each digit of x points at a position, modulo the length; beyond ten digits none points further than the tenth.
    # The answer's first quarter follows four pointers from each of its positions, x[x[x[x[i]]]], the second three,
    # the third two, and the last, x[i], is copied.
    Task("pointers", 1, _write_pointers),
)}


def seen_problems(task, length, training_length, training_stream, seed, n):
    """Problems a run has trained on: at the training length its own first n; at other lengths
    there are none, and n come from a stream of their own."""
    if length == training_length:
        return task.problems(n, length, training_stream, reserved=False)
    return task.problems(n, length, stream(seed, "other", task.key, length))


def unseen_problems(task, length, seed, n):
    """n problems that no run trains on; at lengths with 10^8 problems or more, that hardly any could have met."""
    return task.problems(n, length, stream(seed, "unseen", task.key, length), reserved=True)

"""Evaluation: problems seen and unseen, greedy and sampled, scored by position."""

from typing import NamedTuple

import torch

from .decoding import decodings, gumbel
from .streams import stream
from .tasks import TASKS, Problems, quarters, seen_problems, unseen_problems

PROBLEMS = ("seen", "unseen")
DECODINGS = ("greedy", "sampled")


class Score(NamedTuple):
    """One evaluation: counts, from which every metric follows.

    correct: per position of the answer, how many of the `count` problems have it right;
    exact: how many have all of it right.
    """

    step: int
    length: int
    problems: str
    decoding: str
    count: int
    correct: list
    exact: int


def evaluation_problems(run, length, n, training_stream):
    """{"seen": Problems, "unseen": Problems} of one operand length."""
    if n < 1:
        raise ValueError(f"problems={n} leaves nothing to evaluate: it must be 1 or more")
    task = TASKS[run.task]
    return {"seen": seen_problems(task, length, run.length, training_stream, run.seed, n),
            "unseen": unseen_problems(task, length, run.seed, n)}


def evaluate(model, problems, length, step, seed, steps=None):
    """Decode every problem greedily and sampled at temperature 1; -> Scores.

    steps: of the recurrence, at most (default: as many as trained). The sampling noise has a stream of its own, so that
    evaluating changes no training that follows.
    """
    device = next(model.parameters()).device
    prompt, answer = (torch.cat([getattr(problems[kind], part) for kind in problems]).to(device)
                      for part in Problems._fields)
    noise = torch.cat([gumbel((*problems[kind].answer.shape, model.architecture.vocabulary),
                              stream(seed, "decoding", kind, length, step)) for kind in problems]).to(device)
    batch = rows_at_once(model, prompt.shape[1] + answer.shape[1], steps)
    written = [decodings(model, prompt[i:i + batch], answer.shape[1], (None, noise[i:i + batch]),
                         answer[i:i + batch], steps)
               for i in range(0, len(prompt), batch)]
    counts, found = [len(problems[kind].answer) for kind in problems], {}
    for decoding, answers in zip(DECODINGS, zip(*written)):
        right_by_kind = (torch.cat(answers) == answer).cpu().split(counts)
        for kind, right in zip(problems, right_by_kind):
            found[kind, decoding] = Score(step, length, kind, decoding, len(right), right.sum(dim=0).tolist(),
                                          int(right.all(dim=1).sum()))
    return [found[kind, decoding] for kind in problems for decoding in DECODINGS]


def rows_at_once(model, positions, steps=None):
    """How many problems to decode in one batch, so that the keys and values remembered take a gigabyte at most, or five
    with CUDA, where larger batches take hardly longer. steps: of the recurrence; fewer than trained count as those."""
    a = model.architecture
    passes = max(steps or 0, a.steps) * model.passes_per_step(a.outer, a.inner)
    bytes_per_row = 2 * 4 * 2 * passes * positions * a.width  # keys and values, float32, held twice
    room = 5 * 2**30 if next(model.parameters()).is_cuda else 2**30
    return max(1, room // bytes_per_row)


def metrics(score):
    """{metric: (value, count)} of a Score; values in [0, 1], count the samples behind each.

    character, sequence, first, last, Q1 to Q4 (bounds n//4, n//2, 3n//4; none where the answer
    has fewer than 4 characters), and position 1 to position n (arXiv 2603.08082).
    """
    correct, n = score.correct, len(score.correct)
    spans = {"character": (0, n), "first": (0, 1), "last": (n - 1, n)}
    if n >= 4:
        bounds = quarters(n)
        spans |= {f"Q{q + 1}": bounds[q:q + 2] for q in range(4)}
    spans |= {f"position {k + 1}": (k, k + 1) for k in range(n)}
    result = {}
    for metric, (start, stop) in spans.items():
        count = score.count * (stop - start)
        result[metric] = (sum(correct[start:stop]) / count, count)
    return result | {"sequence": (score.exact / score.count, score.count)}


def having(scores, length, problems="unseen", decoding="greedy"):
    """Those of the Scores that are of this length, on these problems and so decoded, a list."""
    return [score for score in scores if (score.length, score.problems, score.decoding) == (length, problems, decoding)]


def character_accuracy(scores, length, problems="unseen", decoding="greedy"):
    """The character accuracy of the one Score asked for, in [0, 1]. Raises ValueError where there is not just one."""
    found = having(scores, length, problems, decoding)
    if len(found) != 1:
        raise ValueError(f"{len(found)} of these evaluations have length={length}, problems={problems}, "
                         f"decoding={decoding}: give those of one step, at one of the lengths "
                         f"{sorted({score.length for score in scores})}; `curve` takes those of all steps")
    return metrics(found[0])["character"][0]


def curve(scores, length):
    """{training step: character accuracy (greedy, unseen)} of the Scores at this length, in order."""
    return {score.step: sum(score.correct) / (score.count * len(score.correct))
            for score in sorted(having(scores, length), key=lambda score: score.step)}


def latest_accuracy(scores, length):
    """The last of `curve`; None where it has none."""
    return next(reversed(curve(scores, length).values()), None)

"""What several chapters use: the source of a change, a model trained on the spot, claims, the table of names."""

import inspect
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from . import instruments, slides
from .architecture import Architecture
from .evaluation import curve, latest_accuracy
from .ladder import LADDER
from .placement import compute_placement
from .profiles import TINY
from .runs import Schedule
from .store import COMMITTED, PROJECT, Store, scores
from .streams import stream
from .studies import MAIN_SEEDS, jobs
from .tasks import IGNORE, TASKS, decode
from .training import train

SMOKE_STEPS = 4  # of a live model at the smoke profile: enough to run every cell, too few to learn


def without_docstring(text):
    """The source of a function or class, less the docstrings in it."""
    kept, inside = [], False
    for line in text.splitlines():
        quotes = line.count('"""')
        if inside or line.strip().startswith('"""'):
            inside = inside != (quotes % 2 == 1)
            continue
        kept.append(line)
    return "\n".join(kept)


def source(*things):
    """Show the source of functions, methods or classes as the package holds it, docstrings left out."""
    import IPython.display  # an extra: only notebooks need it

    parts = []
    for thing in things:
        path = Path(inspect.getsourcefile(thing)).relative_to(PROJECT).as_posix()
        name = thing.__qualname__ if "." in thing.__qualname__ else thing.__name__
        text = without_docstring(textwrap.dedent(inspect.getsource(thing)))
        parts.append(f"# {path}: {name}\n{text}")
    text = "\n\n".join(parts)
    IPython.display.display({"text/markdown": f"```python\n{text}\n```", "text/plain": text}, raw=True)


def live(run, profile, device="cpu", every=50):
    """Train a run here and now -> Result; evaluated every so many steps at its training length.

    At the smoke profile it takes four steps only, so that every cell runs but nothing is learned.
    """
    if profile == "smoke":
        run = replace(run, training_steps=SMOKE_STEPS, warmup=min(run.warmup, SMOKE_STEPS - 1),
                      window_warmup=min(run.window_warmup, SMOKE_STEPS - 1))
    return train(run, Schedule(min(every, run.training_steps), (run.length,)), device)


def learning_curve(result, length):
    """The greedy character accuracy of a live model on unseen problems: rows with step and accuracy."""
    return pd.DataFrame(curve(result.scores, length).items(), columns=["step", "accuracy"])


class Readings(NamedTuple):
    """What a head would read at the supervised places in S states: the input first, then after each pass.

    streams: S names, "x" first. guess, sure, right: (S, B, A) the most probable characters, their
    probabilities, and whether they are right. prompts: B texts. answer: (B, A), the newline last.
    """

    streams: list
    guess: Tensor
    sure: Tensor
    right: Tensor
    prompts: list
    answer: Tensor

    def share(self):
        """The share of right characters in each state, a table with pass (0: the input), stream, right.

        As in `learning_curve` and in the records the newline is left out: its place alone tells it.
        """
        return pd.DataFrame({"pass": range(len(self.streams)), "stream": self.streams,
                             "right": self.right[..., :-1].double().mean(dim=(1, 2))})


def readings(model, task, length, n=200, **call):
    """Readings of a model on n problems that no run trains on; each character is given those before it."""
    problems = TASKS[task].problems(n, length, stream(0, "chapter"), reserved=True)
    tokens, targets = problems.batch()
    with torch.no_grad():
        passes, _ = instruments.trace(model, tokens, **call)
        asked = targets[0] != IGNORE
        states = [passes[0].input, *(one.output for one in passes)]
        sure, guess = instruments.lens(model, states)[:, :, asked].softmax(dim=-1).max(dim=-1)
    answer = targets[:, asked]
    return Readings(["x", *(one.stream for one in passes)], guess, sure, guess == answer,
                    [decode(prompt) for prompt in problems.prompt], answer)


def refine(seen, labels, alt):
    """Show a slider over the passes: what the head would read of four problems after each of them.

    labels: one for each pass, the input left out.
    """
    frames = [slides.guesses([(seen.prompts[b], decode(seen.guess[s, b]), seen.right[s, b].tolist(),
                               seen.sure[s, b].tolist()) for b in range(4)], f"{alt} Here: {label}.")
              for s, label in enumerate(labels, 1)]
    slides.play(frames, labels, alt)


def claim(sentence, holds, asserted=True):
    """Print whether a claim holds. Raises AssertionError where it does not, unless it is only looked at.

    asserted: False where it cannot be expected, such as learned accuracy at the smoke profile.
    """
    print(f"{sentence}: {bool(holds)}" if asserted or holds else f"{sentence}: not so here")
    assert holds or not asserted, f"not so: {sentence}"


def of_the_main_study(rung, task):
    """The cpu profile's committed main-study records of one rung and task, by seed from 0 on, MAIN_SEEDS at most."""
    store, found = Store(COMMITTED), []
    for seed in MAIN_SEEDS:
        run, = (job.run for job in jobs("cpu", "main", (seed,)) if (job.run.rung, job.run.task) == (rung, task))
        if not store.has(run):
            break
        found.append(store.load(run.hash))
    return found


def committed(rung, task):
    """The share of characters right at the end of each committed record of the main study at the cpu profile, of one
    rung on one task, in [0, 1], a Series by seed without those that diverged.

    Greedy and on unseen problems.
    """
    found = [record for record in of_the_main_study(rung, task) if not record["diverged_at"]]
    runs = [record["configuration"] for record in found]
    return pd.Series({run["seed"]: latest_accuracy(scores(record), run["length"]) for run, record in zip(runs, found)},
                     name="value").rename_axis("seed")


def ledgers(rung, task):
    """A table of the committed ledgers (see `tarm.ledger`) of one rung and task in the cpu profile's main study."""
    return pd.DataFrame([record["ledger"] for record in of_the_main_study(rung, task)])


def traced(*rungs, budget=12):
    """Where the passes of these rungs go, in one training call of a tiny model (see `tarm.placement`)."""
    return compute_placement(budget, rungs, task="copy", length=4, **{k: v for k, v in TINY.items() if k != "budget"})


def names():
    """The one table of names, from `tarm.LADDER`: a row for each rung, numbered from 1."""
    rows = [(rung.name, rung.short, rung.key, rung.family, rung.change) for rung in LADDER.values()]
    return pd.DataFrame(rows, columns=["name", "short", "key", "family", "new on this rung"],
                        index=pd.RangeIndex(1, len(rows) + 1, name="#"))


def published_sizes():
    """Steps and parameters of each rung at the paper's size, by printed name."""
    sizes = {rung.name: Architecture(rung=rung.key) for rung in LADDER.values()}
    return pd.DataFrame([(name, size.steps, size.budget, f"{size.count_parameters():,}")
                         for name, size in sizes.items()],
                        columns=["name", "steps N", "block passes", "parameters"]).set_index("name")

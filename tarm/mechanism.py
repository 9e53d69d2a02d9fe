"""From growth to learning: what the linear recurrence says of a model, and what is measured, fresh or in training."""

from dataclasses import replace

import pandas as pd

from . import instruments, theory
from .cause import name
from .evaluation import evaluate, evaluation_problems, latest_accuracy
from .ladder import ARTRM, LADDER, DualNestedUT
from .language_model import INITIAL_STD, SCALES
from .runs import Run
from .streams import training_stream
from .studies import AR_TRM, CROSS, UNTIL_LEARNED
from .tasks import TASKS
from .training import Progress, dropout_from
from .truncation import truncation


def first_batch(run):
    """(tokens, targets) of the run's first training step."""
    return TASKS[run.task].problems(run.batch, run.length, training_stream(run.seed), reserved=False).batch()


def measured(model, tokens, targets, eps):
    """growth of y in the last cycle (nan with only one, or no y), and what `tarm.truncation` says; eps: AdamW's."""
    y = [row["size"] for row in instruments.sizes(model, tokens, halting=False) if row["stream"] == "y"]
    return {"growth": y[-1] / y[-2] if len(y) > 1 else float("nan")} | truncation(model, tokens, targets, eps)


def expected(run):
    """What the linear recurrence says: expected_growth of y in the last cycle (nan where there is only one),
    and expected_share of the gradient in the window (nan where the window ends within a cycle, or more than the last y
    is read, as by ACT in rung 6); both nan for another start, injection or sum, and where the recurrence is or may be
    another: for rungs 1 to 5 and rungs of one's own."""
    scale = SCALES[run.scale]
    size, start = 1.0 if scale.input else INITIAL_STD * 2**0.5, 1.0 if scale.states else INITIAL_STD
    of = run.steps * run.outer
    growth = (theory.size_of_y(run.inner, of, size, start) / theory.size_of_y(run.inner, of - 1, size, start)
              if run.norm == "pre" else 1.0)
    cycles = {"cycle": 1, "step": run.outer, "all": of}.get(run.window)
    if cycles is None and int(run.window) % (run.inner + 1) == 0:
        cycles = int(run.window) // (run.inner + 1)
    model = LADDER[run.rung].model
    plain = model in (DualNestedUT, ARTRM) and run.sum == "sum" and run.start == "y_init" and run.injection == "z"
    shared = plain and model is ARTRM and cycles is not None and not run.changes_what_is_read
    return {"expected_growth": growth if plain and of > 1 else float("nan"),
            "expected_share": theory.share(run.inner, of, cycles, run.norm, size) if shared else float("nan")}


def mechanism(changes=CROSS, seeds=(0,)):
    """Fresh models on copy, one row per cell (see `tarm.cause`) and seed: rung, change, norm, scale, window, seed,
    passes, cycles, and what `expected` and `measured` give on the first training batch."""
    rows = []
    for change in changes:
        for seed in seeds:
            run = Run(**UNTIL_LEARNED | AR_TRM | {"task": "copy", "seed": seed} | change)
            rows.append({"rung": run.rung, "change": name(run), "norm": run.norm, "scale": run.scale,
                         "window": run.window, "seed": seed, "passes": run.budget,
                         "cycles": run.steps * (run.outer if LADDER[run.rung].model.nested else 1)}
                        | expected(run) | measured(run.build(), *first_batch(run), run.eps))
    return pd.DataFrame(rows)


def watched(run, every, device="cpu", problems=100):
    """Train a run and look inside on the way: one row per look, before the first step and every so many.

    Columns: step, accuracy (greedy, unseen), and what `measured` gives on the first training batch, dropout off. A run
    whose gradient is whole is measured with the window "cycle": what it would lose. It goes on to `training_steps`,
    whatever `stop_at` is.
    """
    progress, rows = Progress(run, device), []
    held_out = evaluation_problems(run, run.length, problems, training_stream(run.seed))
    batch = [part.to(device) for part in first_batch(run)]
    window = "cycle" if run.window == "all" else run.window
    with dropout_from(run.seed, device):
        while True:
            if progress.step % every == 0:
                scores = evaluate(progress.model, held_out, run.length, progress.step, run.seed)
                model = replace(run, window=window, window_warmup=0).build().to(device)
                model.load_state_dict(progress.model.state_dict())
                rows.append({"step": progress.step, "accuracy": latest_accuracy(scores, run.length)}
                            | measured(model.eval(), *batch, run.eps))
            if progress.step == run.training_steps:
                return pd.DataFrame(rows)
            progress.train_step()

"""Does a model that learns gain anything from more passes? Accuracy over what it cost, on four axes.

A *cell* is a model with a number of passes: "Universal Transformer, 12 passes".
"""

import pandas as pd

from .evaluation import character_accuracy
from .ladder import LADDER
from .runs import run_from
from .store import scores

# what a training step costs on each axis, from a run's ledger
AXES = {
    "training steps": lambda ledger, steps: 1,
    "executed passes": lambda ledger, steps: ledger["executed_passes"],
    "trained passes": lambda ledger, steps: ledger["backward_passes"],
    "training FLOP": lambda ledger, steps: ledger["training_flop"] / steps,
}


def label(run):
    """The model of a run, as figures name it: "AR-TRM", "cured AR-TRM, window all"."""
    parts = [("cured " if (run.norm, run.scale) == ("post", "unit") else "") + LADDER[run.rung].short]
    if LADDER[run.rung].model.nested and run.window != "cycle":
        parts.append(f"window {run.window}")
    return ", ".join(parts + (["deep supervision"] if run.supervision == "steps" else []))


def trajectories(records, runs):
    """The evaluations at the training length of those records that belong to `runs` (hashes), greedy and unseen.

    One row per run and evaluation: model, rung, passes (nominal), seed, step, accuracy (of characters), and for each of
    AXES what had been spent by then (a mean over the run's training steps, times the steps).
    """
    rows = []
    for record in records:
        if record["run"] not in runs:
            continue
        run, ledger, found = run_from(record["configuration"]), record["ledger"], scores(record)
        for step in sorted({score.step for score in found}):
            accuracy = character_accuracy([score for score in found if score.step == step], run.length)
            spent = {axis: step * cost(ledger, len(record["losses"])) for axis, cost in AXES.items()}
            rows.append({"model": label(run), "rung": run.rung, "passes": run.budget, "seed": run.seed, "step": step,
                         "accuracy": accuracy} | spent)
    return pd.DataFrame(rows)


def at_the_end(trajectories):
    """Each run's last evaluation."""
    last = trajectories.groupby(["model", "passes", "seed"])["step"].transform("max")
    return trajectories[trajectories["step"] == last]


def at_equal_cost(trajectories, axis):
    """Each run at its last evaluation within what the cheapest run spent in all on this axis: `trajectories`' rows, one a run."""
    limit = trajectories.groupby(["model", "passes", "seed"])[axis].max().min()
    return at_the_end(trajectories[trajectories[axis] <= limit * (1 + 1e-9)])


def ranking(trajectories):
    """The cells from best to worst on each axis at equal cost: axis, model, passes, mean, values (one a seed), place (from 1)."""
    parts = []
    for axis in AXES:
        cells = at_equal_cost(trajectories, axis).groupby(["model", "rung", "passes"], sort=False)["accuracy"].agg(list)
        cells = cells.reset_index(name="values")
        cells = cells.assign(axis=axis, mean=cells["values"].map(lambda values: sum(values) / len(values)))
        cells = cells.sort_values("mean", ascending=False, kind="stable").reset_index(drop=True)
        parts.append(cells.assign(place=range(1, len(cells) + 1)))
    return pd.concat(parts, ignore_index=True)

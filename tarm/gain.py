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


def until(trajectories, threshold):
    """What each run had spent when its accuracy first reached `threshold`: model, rung, passes, seed, accuracy (at the end),
    reached (did it?) and a column for each of AXES, nan where it did not."""
    first = trajectories[trajectories["accuracy"] >= threshold].groupby(["model", "passes", "seed"], sort=False).first()
    ends = at_the_end(trajectories)[["model", "rung", "passes", "seed", "accuracy"]]
    found = ends.merge(first[list(AXES)].reset_index(), how="left", on=["model", "passes", "seed"])
    return found.assign(reached=found["training steps"].notna())


def ranking(trajectories, threshold):
    """The cells from cheapest to dearest on each axis: axis, model, rung, passes, reached (how many runs), runs, spent (the
    median until the threshold, infinite where half of the runs or more never reached it), accuracy (mean at the end), place.

    Cells that are equally dear, those that never got there included, follow by their accuracy. Places count from 1.
    """
    runs = until(trajectories, threshold)
    parts = []
    for axis in AXES:
        cells = runs.assign(spent=runs[axis].fillna(float("inf"))).groupby(["model", "rung", "passes"], sort=False).agg(
            reached=("reached", "sum"), runs=("reached", "size"), spent=("spent", "median"), accuracy=("accuracy", "mean"))
        cells = cells.reset_index().sort_values(["spent", "accuracy"], ascending=[True, False], kind="stable")
        parts.append(cells.assign(axis=axis, place=range(1, len(cells) + 1)))
    return pd.concat(parts, ignore_index=True)

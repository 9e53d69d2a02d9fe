"""Why the Autoregressive TRM stays at chance: what was predicted and asked before the runs, and what came out.

A *cell* is a change to rung 7, a dict of fields. A run has *learned* where its greedy character accuracy on unseen problems
reached `tarm.studies.LEARNED` at an evaluation; it ends there.
"""

from dataclasses import asdict
from typing import NamedTuple

import pandas as pd

from .evaluation import latest_accuracy
from .runs import Run, run_from
from .statistics import exact_test, holm, share_interval
from .store import scores
from .studies import ALL, LEARNED, SHARE, SLOWER, SMALL, TRM, jobs

STUDIES = ("cross", "controls", "slower", "scales")
SEEDS = range(10)        # of the cross
FRESH = range(10, 15)    # on which its contrasts are tried again
# Named before the runs, each against the published model, on copy and reverse, SEEDS; Holm-corrected.
CONTRASTS = {
    "gradient through all passes": ALL,
    "post-norm and unit scale": {"norm": "post", "scale": "unit"},
    "re-entry norm and unit scale": {"norm": "reentry", "scale": "unit"},
    "post-norm alone": {"norm": "post"},
    "re-entry norm alone": {"norm": "reentry"},
    "unit scale alone": {"scale": "unit"},
}


class Prediction(NamedTuple):
    """How large a share of the runs of a cell will learn, and from what that follows. Written down before the runs."""

    change: dict
    least: float
    most: float
    reason: str


LITTLE = "the window still holds a small share of the gradient"
PREDICTIONS = [
    Prediction({}, 0, 0, "the window holds 7.3e-5 of the gradient, by the linear recurrence"),
    Prediction(ALL, 1, 1, "nothing is cut"),
    Prediction({"norm": "post", "scale": "unit"}, 1, 1, "the states stay of size 1, so that the last cycle matters"),
    Prediction({"norm": "reentry", "scale": "unit"}, 0.8, 1, "the same, by another norm"),
    Prediction({"scale": "unit"}, 0.1, 0.9, "the states grow as before, but the first updates are small beside the input"),
    Prediction({"norm": "post"}, 0.1, 0.9, "the states stay of size 1, but the input is small beside them"),
    Prediction({"norm": "reentry"}, 0.1, 0.9, "the same"),
    *(Prediction(ALL | {"norm": norm} | scale, 1, 1, "nothing is cut") for norm in ("pre", "reentry", "post")
      for scale in ({}, {"scale": "unit"}) if norm != "pre" or scale),
    Prediction({"outer": 1, "steps": 1}, 1, 1, "one cycle, all of it trained"),
    Prediction({"outer": 1, "steps": 2}, 0.8, 1, "the last of 2 cycles holds 21 % of the gradient"),
    Prediction({"outer": 1, "steps": 4}, 0, 0.5, "the last of 4 cycles holds 1.4 %"),
    Prediction({"outer": 1, "inner": 1}, 0, 0, "the last of 12 cycles holds 1.6e-5"),
    Prediction({"outer": 1, "inner": 5}, 0, 0.5, "the last of 4 cycles holds 0.27 %"),
    Prediction({"outer": 1, "inner": 11}, 0.5, 1, "the last of 2 cycles holds 7 %"),
    Prediction({"outer": 1, "inner": 23}, 1, 1, "one cycle, all of it trained"),
    Prediction({"eps": 1e-16}, 0, 0, "AdamW's eps is not what hides the gradient"),
    *(Prediction({"learning_rate": rate}, 0, 0, "AdamW undoes the size of a gradient, not its direction")
      for rate in (1e-4, 3e-4, 3e-3)),
    Prediction({"training_steps": 3000}, 0, 0.2, "what is missing does not come with time"),
    Prediction(ALL | {"eps": 1e-8 / SHARE}, 0.8, 1, "the size of the gradient is not the point"),
    Prediction({"window": "24"}, 1, 1, "y_init and z_init need no training"),
    Prediction({"window": "step"}, 0, 0, f"{LITTLE}: 3.4e-4"),
    Prediction({"window": "4"}, 0, 0, LITTLE),
    Prediction({"window": "6"}, 0, 0, f"{LITTLE}: 3.4e-4"),
    Prediction({"window": "6", "window_warmup": 300}, 0, 0, LITTLE),
    Prediction({"readout": "mean"}, 0.6, 1, "the first steps are read, where the states are small"),
    Prediction({"supervision": "steps"}, 0.6, 1, "the same"),
    Prediction({"supervision": "steps-optimised"}, 0.2, 1, "the same, with updates that disturb each other"),
    Prediction({"start": "x"}, 0, 0, "the states grow as before"),
    Prediction({"injection": "both"}, 0, 0, "the states grow as before"),
    Prediction({"sum": "mean"}, 0, 0.5, "the states do not grow, but the input stays small"),
    Prediction({"residual": "1/sqrt"}, 0, 0, "it is the sums that grow, not the branches"),
    Prediction({"residual": "1/passes"}, 0, 0, "it is the sums that grow, not the branches"),
    Prediction({"halting_head": "trained"}, 0, 0.5, "a loss on halting teaches no answer"),
    Prediction({"supervision": "steps", "halting_head": "trained"}, 0.4, 1, "as deep supervision alone"),
]

# What was doubted once five seeds of the cross had run, and predicted before the runs of `slower` and `scales`
DOUBTS = [
    Prediction(SLOWER, 0, 0.2, "time and a smaller step do not bring back what the window lacks"),
    Prediction(SLOWER | {"scale": "unit"}, 0.6, 1, "at width 384 and this rate unit scale alone was enough"),
    Prediction(SLOWER | {"norm": "post"}, 0.6, 1, "so was post-norm alone"),
    Prediction(SLOWER | {"norm": "reentry"}, 0.6, 1, "the same"),
    *(Prediction(SLOWER | {"norm": norm, "scale": "unit"}, 1, 1, "enough at three times the rate") for norm in ("post", "reentry")),
    Prediction({"outer": 1, "budget": 6, "training_steps": 2000}, 0.5, 1, "one of two runs was still rising after 600 steps"),
    Prediction({"outer": 1, "budget": 6, "training_steps": 2000, "scale": "unit"}, 0.8, 1,
               "a fifth of the gradient, in the right direction: as much as the cured models have"),
    Prediction({"readout": "mean", "training_steps": 2000}, 0.8, 1, "one of two runs was still rising after 600 steps"),
    Prediction({"scale": "input"}, 0, 0, "unit scale as a whole is not enough"),
    Prediction({"scale": "states"}, 0, 0, "the same"),
    *(Prediction({"norm": norm, "scale": "input"}, 0.8, 1, "share and direction are those of the cured models")
      for norm in ("post", "reentry")),
    *(Prediction({"norm": norm, "scale": "states"}, 0, 0.5, "the direction is right, but the share stays that of the norm alone")
      for norm in ("post", "reentry")),
]


def name(run):
    """What a run changes about the small published one of its rung: "norm=post scale=unit", or "published"."""
    published = asdict(Run(**SMALL | {"rung": run.rung, "task": run.task, "seed": run.seed}))
    differs = [f"{field}={value:.3g}" if isinstance(value, float) else f"{field}={value}"
               for field, value in asdict(run).items() if field != "steps" and published[field] != value]
    return " ".join(differs) or "published"


def named(change):
    """The same of a change, a dict of fields of rung 7."""
    return name(Run(**SMALL | TRM | {"task": "copy"} | change))


def outcomes(records):
    """One row per run of the studies STUDIES among the records: rung, change, task, seed, learned,
    steps (at which it had learned, or its last), accuracy (the last: greedy, unseen)."""
    wanted = {job.run.hash for study in STUDIES for seed in {record["configuration"]["seed"] for record in records}
              for job in jobs("cpu", study, (seed,))}
    rows = []
    for record in records:
        if record["run"] in wanted:
            run, found = run_from(record["configuration"]), scores(record)
            accuracy, last = latest_accuracy(found, run.length), max(score.step for score in found)
            rows.append((run.rung, name(run), run.task, run.seed, accuracy >= LEARNED, last, accuracy))
    return pd.DataFrame(rows, columns=["rung", "change", "task", "seed", "learned", "steps", "accuracy"])


def cells(outcomes):
    """One row per cell: learned (how many), runs, low and high (an exact 95 % interval of the share), and steps: the
    median until learned, nan where fewer than half have learned within the time."""
    def collapse(group):
        learned, n = int(group["learned"].sum()), len(group)
        low, high = share_interval(learned, n)
        median = group["steps"].where(group["learned"], float("inf")).median()
        return pd.Series({"learned": learned, "runs": n, "low": low, "high": high,
                          "steps": median if median < float("inf") else float("nan")})

    return outcomes.groupby(["rung", "change", "task"], sort=False)[["learned", "steps"]].apply(collapse).reset_index().astype({"learned": int, "runs": int})


def contrasts(outcomes):
    """CONTRASTS, each against the published rung 7: counts of both, the exact p value stratified by task, and Holm's of all."""
    here = outcomes[outcomes["rung"] == "ar_trm"]
    rows = []
    for title, change in CONTRASTS.items():
        groups = [here[here["change"] == cell] for cell in (named(change), "published")]
        strata = [tuple(number for group in groups for number in counted(group[group["task"] == task]))
                  for task in here["task"].unique()]
        rows.append([title, *map(sum, zip(*strata)), exact_test(strata)])
    table = pd.DataFrame(rows, columns=["change", "learned", "runs", "published_learned", "published_runs", "p"])
    return table.assign(corrected=holm(table["p"].tolist()))


def counted(group):
    return int(group["learned"].sum()), len(group)


def against_predictions(outcomes, predictions=PREDICTIONS):
    """`predictions` beside what came out, over both tasks: change, least, most, learned, runs, held, reason; a cell that has
    not been run has no row."""
    rows, here = [], outcomes[outcomes["rung"] == "ar_trm"]
    for change, least, most, reason in predictions:
        learned, runs = counted(here[here["change"] == named(change)])
        if runs:
            rows.append([named(change), least, most, learned, runs, least <= learned / runs <= most, reason])
    return pd.DataFrame(rows, columns=["change", "least", "most", "learned", "runs", "held", "reason"])

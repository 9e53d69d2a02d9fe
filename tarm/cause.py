"""Why the Autoregressive TRM stays at chance: what was asked before the runs, and what came out.

A *cell* is a change to rung 7, a dict of fields (one that names another rung is a change to that). A run has *learned*
where its greedy character accuracy on unseen problems reached `tarm.studies.LEARNED` at an evaluation; it ends there.
"""

from dataclasses import asdict

import pandas as pd

from .cause_predictions import PREDICTIONS
from .runs import Run, run_from
from .statistics import exact_test, holm, share_interval
from .store import trajectory
from .studies import ALL, AR_TRM, CURE, LEARNED, POST, UNIT, UNTIL_LEARNED, jobs

STUDIES = ("cross", "controls", "slower", "scales", "small_eps", "one_stream", "widths", "windows")
SEEDS = range(10)        # of the cross
FRESH = range(10, 15)    # on which its contrasts are tried again
# Named before the runs, each against the published model, on copy and reverse, SEEDS; Holm-corrected.
CONTRASTS = {
    "gradient through all passes": ALL,
    "post-norm and unit scale": CURE,
    "re-entry norm and unit scale": {"norm": "reentry"} | UNIT,
    "post-norm alone": POST,
    "re-entry norm alone": {"norm": "reentry"},
    "unit scale alone": UNIT,
}

# How a change reads in a table: a field's value, or else the field with its value.
WORDS = {
    "published": "as published", "norm=post": "post-norm", "norm=reentry": "re-entry norm",
    "scale=unit": "unit scale", "scale=input": "x of size 1", "scale=states": "first states of size 1",
    "window=all": "whole gradient", "window=step": "window of one step",
    "window=24": "all passes trained, y_init and z_init not",
    "window": "window of {} passes", "window_warmup": "warmed up over {} steps",
    "budget": "{} passes", "outer": "H = {}", "inner": "L = {}", "learning_rate": "rate {}",
    "training_steps": "{} steps", "readout=mean": "mean logits of all steps",
    "supervision=steps": "a loss at every step", "supervision=steps-optimised": "a loss and an update at every step",
    "halting_head=trained": "trained halting head",
    "start=x": "y starts as x", "injection=both": "x in both updates", "injection=none": "x in neither update",
    "sum=mean": "mean instead of sum", "residual": "branches times {}",
}


def name(run):
    """What a run changes about the small published one of its rung: "norm=post scale=unit", or "published"."""
    published = asdict(Run(**UNTIL_LEARNED | {"rung": run.rung, "task": run.task, "seed": run.seed}))
    differs = [f"{field}={value:.3g}" if isinstance(value, float) else f"{field}={value}"
               for field, value in asdict(run).items() if field != "steps" and published[field] != value]
    return " ".join(differs) or "published"


def named(change):
    """The same of a cell."""
    return name(Run(**UNTIL_LEARNED | AR_TRM | {"task": "copy"} | change))


def in_words(name):
    """The same for a reader: "norm=post scale=unit" is "post-norm, unit scale". What WORDS lacks stays as it is: "eps
    1e-16". A model that is only trained otherwise is called as published."""
    def words(part):
        field, _, value = part.partition("=")
        return WORDS.get(part) or WORDS.get(field, f"{field.replace('_', ' ')} {{}}").format(value)

    parts = name.split()
    trained = all(part.startswith(("learning_rate=", "training_steps=")) for part in parts)
    return ", ".join(["as published"] * (trained and bool(parts)) + [words(part) for part in parts])


def outcomes(records, seeds=SEEDS):
    """One row per run of the studies STUDIES with these seeds among the records: rung, change, task, seed, learned,
    steps (at which it had learned, or its last), accuracy (the last: greedy, unseen; 0 of a run that diverged)."""
    wanted = {job.run.hash for study in STUDIES for job in jobs("cpu", study, seeds)}
    rows = []
    for record in records:
        if record["run"] in wanted:
            run = run_from(record["configuration"])
            last, accuracy = max(trajectory(record).items())
            rows.append((run.rung, name(run), run.task, run.seed, accuracy >= LEARNED, last, accuracy))
    return pd.DataFrame(rows, columns=["rung", "change", "task", "seed", "learned", "steps", "accuracy"])


def curves(records, runs):
    """The evaluations at the training length of those records that belong to `runs` (hashes), one row each: change,
    norm, scale, task, seed, step, accuracy (of characters: greedy, unseen; a run that diverged ends with 0)."""
    rows = []
    for record in records:
        if record["run"] in runs:
            run = run_from(record["configuration"])
            rows += [(name(run), run.norm, run.scale, run.task, run.seed, *point)
                     for point in trajectory(record).items()]
    return pd.DataFrame(rows, columns=["change", "norm", "scale", "task", "seed", "step", "accuracy"])


def cells(outcomes):
    """One row per cell: learned (how many), runs, low and high (an exact 95 % interval of the share), and steps: the
    median until learned, nan where half or more have not learned within the time."""
    def collapse(group):
        learned, n = int(group["learned"].sum()), len(group)
        low, high = share_interval(learned, n)
        median = group["steps"].where(group["learned"], float("inf")).median()
        return pd.Series({"learned": learned, "runs": n, "low": low, "high": high,
                          "steps": median if median < float("inf") else float("nan")})

    by_cell = outcomes.groupby(["rung", "change", "task"], sort=False)[["learned", "steps"]]
    return by_cell.apply(collapse).reset_index().astype({"learned": int, "runs": int})


def contrasts(outcomes):
    """CONTRASTS, each against the published rung 7: counts of both, the exact p value stratified by task, and Holm's
    of all. The test takes runs for independent, though those of a seed share their first weights and data (chapter 12
    counts by seed as well)."""
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
    """`predictions` beside what came out, over both tasks: rung, change, least, most, learned, runs, held, reason;
    a cell that has not been run has no row."""
    rows = []
    for change, least, most, reason in predictions:
        rung = (AR_TRM | change)["rung"]
        learned, runs = counted(outcomes[(outcomes["rung"] == rung) & (outcomes["change"] == named(change))])
        if runs:
            rows.append([rung, named(change), least, most, learned, runs, least <= learned / runs <= most, reason])
    return pd.DataFrame(rows, columns=["rung", "change", "least", "most", "learned", "runs", "held", "reason"])

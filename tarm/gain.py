"""Does a model that learns gain anything from more passes? Accuracy over what it cost, on four axes.

A *cell* is a model with a number of passes: "Universal Transformer, 12 passes".
"""

import pandas as pd

from .evaluation import Score, having, metrics
from .ladder import LADDER
from .runs import run_from
from .statistics import holm, interval, t_test
from .store import scores, trajectory
from .studies import hashes
from .table import lost

# what a training step costs on each axis, from a run's ledger; trained are the passes of the batch that backward goes
# through: the ledger's own trained_passes, by supervised character, are fewer where some have halted
AXES = {
    "training steps": lambda ledger, steps: 1,
    "executed passes": lambda ledger, steps: ledger["executed_passes"],
    "trained passes": lambda ledger, steps: ledger["backward_passes"],
    "training FLOP": lambda ledger, steps: ledger["training_flop"] / steps,
}

TUNED = ("norm", "scale", "learning rate")  # what `tarm.studies.tuning` chooses for each model
KEYS = ["run", "model", "passes", *TUNED, "seed"]  # a run, in tables of runs: its hash and how it is named


def wiring(run):
    """The model of a run, whatever its norm, its scale and its recipe: "AR-TRM", "AR-TRM, window all"."""
    nested = LADDER[run.rung].model.nested
    return ", ".join([LADDER[run.rung].short] + [words for words, changed in {
        f"H = {run.outer}, L = {run.inner}":  # (3 passes are made with N = H = 1)
            nested and (run.inner != 2 or run.outer != 2 and (run.outer, run.steps) != (1, 1)),
        f"window {run.window}": run.window != "cycle",
        "mean of all steps": run.readout == "mean",
        "deep supervision": run.supervision == "steps",
        "an update behind each step": run.supervision == "steps-optimised",
        "trained halting": run.halting_head == "trained",
        **{f"{field} {getattr(run, field)}": field in run.changes
           for field in ("start", "injection", "sum", "residual")},
    }.items() if changed])


FORM_NAMES = {("post", "unit"): "cured ", ("reentry", "unit"): "re-entry "}  # (norm, scale) that have a name


def label(run):
    """The model of a run as figures name it: its `wiring`, behind the name of its norm and scale where
    FORM_NAMES has one."""
    return FORM_NAMES.get((run.norm, run.scale), "") + wiring(run)


# The names of some models, as `label` gives them.
CURED, WHOLE = "cured AR-TRM", "AR-TRM, window all"
NESTED, UNNESTED, ONE_UPDATE = ("Dual Nested UT, window all", "AR-TRM, H = 1, L = 1, window all",
                                "AR-TRM, H = 2, L = 1, window all")
FLAT = ("Dense", "Iterative", "Iterative Step", "UT", "Dual UT")

THRESHOLD = 0.75  # of the characters: with it cells are ranked; chosen before the runs
FEW = (3, 4)      # passes; Dual UT takes 4 for 3


def trajectories(records, runs, name=label):
    """The evaluations at the training length of those records that belong to `runs` (hashes), greedy and unseen.

    One row per run and evaluation: run (its hash), model (`name` of it), rung, passes (nominal), norm, scale, learning
    rate, seed, step, accuracy (of characters), and for each of AXES what had been spent by then (a mean over the run's
    training steps, times the steps). A run that diverged ends with an accuracy of 0.
    """
    rows = []
    for record in records:
        if record["run"] not in runs:
            continue
        run, ledger = run_from(record["configuration"]), record["ledger"]
        for step, accuracy in trajectory(record).items():
            spent = {axis: step * cost(ledger, len(record["losses"])) for axis, cost in AXES.items()}
            rows.append({"run": run.hash, "model": name(run), "rung": run.rung, "passes": run.budget,
                         "norm": run.norm, "scale": run.scale, "learning rate": run.learning_rate,
                         "seed": run.seed, "step": step, "accuracy": accuracy} | spent)
    return pd.DataFrame(rows, columns=["run", "model", "rung", "passes", *TUNED, "seed", "step", "accuracy", *AXES])


def by_passes(record, run):
    """{block passes: Score} of a record in the end, greedy, unseen, at the training length: with the run's own passes,
    and with others where its schedule asks for them. A run that diverged has nothing right."""
    if record["diverged_at"]:
        own, = having(lost(record, run), run.length)
        return {steps * run.budget // run.steps: own
                for steps in sorted({run.steps, *record["schedule"].get("other_steps", ())})}
    by_steps = {run.steps: max(having(scores(record), run.length), key=lambda score: score.step)}
    for each in record.get("other_steps", []):
        for score in having([Score(**{name: value for name, value in each.items() if name != "steps"})], run.length):
            by_steps[each["steps"]] = score
    return {steps * run.budget // run.steps: score for steps, score in sorted(by_steps.items())}


def at_other_depths(records, runs):
    """What those records that belong to `runs` (hashes) got right in the end with other numbers of block passes than
    they were trained with, greedy and unseen, at the training length.

    One row per run and number of passes, its own among them: model, rung, trained (passes), passes, seed, accuracy.
    """
    rows = [(label(run), run.rung, run.budget, passes, run.seed, metrics(score)["character"][0])
            for record in records if record["run"] in runs
            and (record.get("other_steps") or record["diverged_at"] and record["schedule"].get("other_steps"))
            for run in [run_from(record["configuration"])] for passes, score in by_passes(record, run).items()]
    return pd.DataFrame(rows, columns=["model", "rung", "trained", "passes", "seed", "accuracy"])


def by_quarter(records, runs):
    """The same of all of these records, a row for each quarter (1 to 4) of the answer."""
    rows = [(label(run), run.rung, run.budget, passes, run.seed, quarter, metrics(score)[f"Q{quarter}"][0])
            for record in records if record["run"] in runs
            for run in [run_from(record["configuration"])] for passes, score in by_passes(record, run).items()
            for quarter in (1, 2, 3, 4)]
    return pd.DataFrame(rows, columns=["model", "rung", "trained", "passes", "seed", "quarter", "accuracy"])


def complete(records, study, seeds, **filters):
    """(seeds, runs): those of `seeds` with which every run of a study of the cpu profile is among the records, and
    these runs' hashes; with filters (budget=[12]), as in `tarm.studies.jobs`, of these runs alone."""
    recorded = {record["run"] for record in records}
    found = {seed: runs for seed in seeds
             if (runs := hashes("cpu", study, (seed,), **filters)) <= recorded}
    return list(found), set().union(*found.values())


def against_trained(depths):
    """How a model run with another number of passes than it was trained with does beside one trained with that
    number, same seed.

    depths: of `at_other_depths`. -> DataFrame by model, trained and passes: mean, min and max over seeds
    of the points by which the former is ahead. Raises ValueError where two models have one name, passes and seed:
    which of the two is meant?
    """
    own = depths[depths["trained"] == depths["passes"]].drop(columns="trained")
    if (again := own.duplicated(["model", "passes", "seed"])).any():
        raise ValueError(f"{own[again].iloc[0]['model']} with {own[again].iloc[0]['passes']} passes "
                         "was trained twice with one seed, in two forms of one name: choose the runs of one")
    both = depths[depths["trained"] != depths["passes"]].merge(own, on=["model", "rung", "passes", "seed"],
                                                               suffixes=("", "_own"))
    both["ahead"] = 100 * (both["accuracy"] - both["accuracy_own"])
    return both.groupby(["model", "trained", "passes"])["ahead"].agg(["mean", "min", "max"])


def at_the_end(trajectories):
    """Each run's last evaluation."""
    last = trajectories.groupby("run")["step"].transform("max")
    return trajectories[trajectories["step"] == last]


def best(ends, settings):
    """Which values of `settings` (some of TUNED) end highest, in the mean over seeds, for each model and number
    of passes; of equals the first in order of letters and numbers. ends: of `at_the_end`. -> DataFrame: model,
    passes, the settings.

    Raises ValueError where some were tried with more seeds than others.
    """
    cells = ends.groupby(["model", "passes", *settings])["accuracy"]
    if cells.size().nunique() > 1:
        raise ValueError(f"settings were tried {cells.size().min()} to {cells.size().max()} times each: "
                         "give each the same number of seeds")
    means = cells.mean().round(9)  # so that equals are equal
    return means.loc[means.groupby(["model", "passes"]).idxmax()].reset_index().drop(columns="accuracy")


def paired(ends, one, other):
    """How far the cell `one`, (model, passes), ends above the cell `other` with each seed: a Series
    of differences of accuracy.

    Raises ValueError where the two were not run with the same seeds, once each.
    """
    first, second = (ends[(ends["model"] == model)
                          & (ends["passes"] == passes)].set_index("seed")["accuracy"].sort_index()
                     for model, passes in (one, other))
    for cell, found in (one, first), (other, second):
        if found.empty:
            there = sorted(set(zip(ends["model"], ends["passes"])))
            raise ValueError(f"there is no run of {cell}: cells are {', '.join(map(str, there))}")
    if list(first.index) != list(second.index) or not first.index.is_unique:
        raise ValueError(f"{one} has the seeds {list(first.index)}, {other} has {list(second.index)}: "
                         "a pair needs both, each seed once")
    return first - second


def contrasts(ends, pairs, depth=None):
    """Pairs of models, each with its number of passes of `depth`, or of cells, (model, passes), seed by seed. One row
    each: contrast (in words), ahead (with how many seeds the first is), seeds, and in points the mean, low and high
    (95 % Student-t interval, for this pair alone); p (two-sided, of a mean of 0) and corrected, Holm's of all pairs;
    nan below five seeds. Raises ValueError for a model without passes, and as `paired` does."""
    if unknown := {each for pair in pairs for each in pair if isinstance(each, str) and each not in (depth or {})}:
        raise ValueError(f"{', '.join(sorted(unknown))}: no cell without its passes; write (model, passes), "
                         "or give depth={model: passes}")
    rows = []
    for pair in pairs:
        one, other = (each if isinstance(each, tuple) else (each, depth[each]) for each in pair)
        points = (100 * paired(ends, one, other)).tolist()
        rows.append((f"{one[0]} ({one[1]}) − {other[0]} ({other[1]})", sum(point > 0 for point in points), len(points),
                     sum(points) / len(points), *interval(points), t_test(points)))
    table = pd.DataFrame(rows, columns=["contrast", "ahead", "seeds", "mean", "low", "high", "p"])
    return table.assign(corrected=holm(table["p"].tolist()))


def in_short(contrasts, decimals=0):
    """The same to read: a row is named by its contrast, points are rounded, and p values have one digit that counts."""
    short = {name: contrasts[name].map("{:.1g}".format) for name in ("p", "corrected")}
    points = dict.fromkeys(("mean", "low", "high"), decimals)
    return contrasts.assign(**short).round(points).set_index("contrast")


def until(trajectories, threshold):
    """What each run had spent when its accuracy first reached `threshold`: rung, KEYS, accuracy (at the end),
    reached (did it?) and a column for each of AXES, nan where it did not."""
    first = trajectories[trajectories["accuracy"] >= threshold].groupby("run", sort=False).first()
    ends = at_the_end(trajectories)[["rung", *KEYS, "accuracy"]]
    found = ends.merge(first[list(AXES)].reset_index(), how="left", on="run")
    return found.assign(reached=found["training steps"].notna())


def ranking(trajectories, threshold):
    """The cells from cheapest to dearest on each axis: axis, model, rung, passes, reached (how many runs), runs,
    spent (the median until the threshold, infinite where half of the runs or more never reached it), accuracy (mean at
    the end), place.

    Cells that are equally dear share a place, and follow by their accuracy, passes and names. Places count from 1; a
    cell that is infinitely dear has none (nan). Raises ValueError where a cell has runs of several settings, or several
    with one seed, which are no repetitions of each other.
    """
    runs = until(trajectories, threshold)
    for (model, passes), cell in runs.groupby(["model", "passes"]):
        if several := {name: sorted(set(cell[name])) for name in TUNED if cell[name].nunique() > 1}:
            raise ValueError(f"{model} with {passes} passes has runs with {several}: "
                             "rank one setting of each cell, such as `best`")
        if cell["seed"].duplicated().any():
            raise ValueError(f"{model} with {passes} passes has several runs with one seed, of several tasks or sizes: "
                             "rank them one by one")
    parts = []
    for axis in AXES:
        cells = runs.assign(spent=runs[axis].fillna(float("inf"))).groupby(["model", "rung", "passes"], sort=False).agg(
            reached=("reached", "sum"), runs=("reached", "size"), spent=("spent", "median"),
            accuracy=("accuracy", "mean"))
        cells = cells.reset_index().sort_values(["spent", "accuracy", "passes", "model"],
                                                ascending=[True, False, True, True])
        place = cells["spent"].rank(method="min").where(cells["spent"] < float("inf"))
        parts.append(cells.assign(axis=axis, place=place))
    return pd.concat(parts, ignore_index=True)


def by_axis(ranking, share, column="place"):
    """A column of the ranking on each axis, a row per cell (model, passes, reached, runs) of which more than a share of
    the runs got to the threshold, the cheapest by FLOP first."""
    came = ranking[ranking["reached"] > share * ranking["runs"]]
    cells = ["model", "passes", "reached", "runs"]
    order = came[came["axis"] == "training FLOP"].set_index(cells).index
    return came.pivot(index=cells, columns="axis", values=column).reindex(index=order, columns=list(AXES))


def costs(ranking, share):
    """What the cells of `by_axis` had spent in the median, as texts; a dash where half of the runs or more did not get
    to the threshold."""
    def text(axis):
        return axis.map(("{:.2e}" if axis.name == "training FLOP" else "{:,.0f}").format)

    return by_axis(ranking, share, "spent").apply(text).replace("inf", "–")

"""The figures that `make figures` draws of its runs: which rows each one shows, and how it is kept."""

import functools
import io
from pathlib import Path

import matplotlib.style
import pandas as pd

from . import cause_figures, figures
from .architecture import choose
from .drawing import STYLE
from .ladder import LADDER
from .statistics import SEEDS_FOR_INTERVAL, over_seeds
from .store import written_whole
from .studies import LEARNED, MAIN_SEEDS, PART, STUDIES, jobs, members
from .table import write
from .tasks import TASKS


def select(table, profile, *, study="main", problems="unseen", decoding="greedy", **values):
    """Rows of the tidy table of one study, in the ladder's order. A run of several studies has the name of the first in
    its column `study`, and is among the rows of each.

    values: the value of a column, or a list of allowed ones. Raises ValueError for a column that is not there, and
    where no row is left, naming what was asked for and what there is.
    """
    for name, one in ("profile", profile), ("study", study):
        if not isinstance(one, str):
            raise ValueError(f"{name}={one!r} is not one name: select from one {name} at a time")
    wanted = {"problems": problems, "decoding": decoding, **values}
    for column in wanted:
        choose("column", column, list(table))
    seeds = table["seed"].dropna().unique() if study in STUDIES and profile in STUDIES[study].profiles else ()
    shared = set().union(*(members(profile, study, int(seed)) for seed in seeds))
    rows = table[table["run"].isin(shared) | (table["profile"] == profile) & (table["study"] == study)]
    asked = ", ".join(f"{k}={v}" for k, v in ({"profile": profile, "study": study} | wanted).items())
    if rows.empty:
        there = sorted({f"{one} ({size})" for one, size in zip(table["study"], table["profile"]) if one})
        way_out = (f"train it with `python -m tarm sweep --profile {profile}"
                   f"{'' if study == 'main' else f' --study {study}'}`"
                   if study in STUDIES and profile in STUDIES[study].profiles
                   else f"it has runs of {', '.join(there) or 'no study'}")
        raise ValueError(f"the table has no row with {asked}: {way_out}")
    rows = rows.assign(profile=profile, study=study)
    for column, value in wanted.items():
        there = rows[column].unique()
        rows = rows[rows[column].isin(value if isinstance(value, list) else [value])]
        if rows.empty:
            some = [*map(str, there[:12]), *["..."] * (len(there) > 12)]
            raise ValueError(f"the table has no row with {asked}: {column} is one of {', '.join(some)}")
    order = {key: i for i, key in enumerate([*TASKS, *LADDER])}
    return rows.sort_values(["task", "rung"], key=lambda keys: keys.map(order), kind="stable")


def as_trained(rows):
    """Of a selection, what was evaluated at the training length. Raises ValueError where nothing was."""
    found = rows[rows["length"] == rows["training_length"]]
    if found.empty:
        raise ValueError(f"these runs were trained on length {every(rows['training_length'])} and evaluated at "
                         f"{every(rows['length'])} only: give them a schedule whose lengths have the training length")
    return found


def at_the_end(rows):
    """Of a selection, each run's last evaluation at the training length; that of a run that had learned comes early."""
    rows = as_trained(rows)
    return rows[rows["step"] == rows.groupby(["run", "training_steps"])["step"].transform("max")]


def to_the_end(rows):
    """Of a selection of one metric and length, each run's last value at those of its training steps, too, at which
    others were evaluated: a run that had learned ended early."""
    steps = rows["step"].unique()

    def carried(run):
        last = run.loc[run["step"].idxmax()]
        later = [step for step in steps if last["step"] < step <= last["training_steps"]]
        return pd.concat([run, *(run.loc[[last.name]].assign(step=step) for step in later)])

    runs = rows.groupby(["rung", "run", "problems", "decoding"], sort=False)
    return pd.concat([carried(run) for _, run in runs], ignore_index=True)


def with_chance(points, rows, position=None):
    """Add the column chance: of the whole answer, or at one position of it.

    position: an index into the answer, or the name of the column of `points` that counts from 1.
    """
    def chance(point):
        task = point["task"] if "task" in point else rows["task"].iloc[0]
        length = rows[rows["task"] == task]["training_length"].iloc[0]
        levels = TASKS[task].chance(length)
        if position is None:
            return levels.mean().item()
        return levels[point[position] - 1 if isinstance(position, str) else position].item()

    return points.assign(chance=points.apply(chance, axis=1), family=points["rung"].map(lambda r: LADDER[r].family))


def of_main_seeds(table):
    """The committed table less the main study's runs with later seeds than MAIN_SEEDS, which are of single rungs."""
    return table[(table["study"] != "main") | table["seed"].isin(MAIN_SEEDS)]


ADDITION = {"task": "addition"}  # what most figures show, where no other task is asked for


def performance_across_tasks(table, profile, **values):
    rows = at_the_end(select(table, profile, metric="character", **values))
    return rows, with_chance(over_seeds(rows, ["task", "rung"]), rows)


def addition_by_architecture(table, profile, **values):
    rows = at_the_end(select(table, profile, metric=["character", "sequence"], **ADDITION | values))
    points = with_chance(over_seeds(rows, ["rung", "metric"]), rows)
    # chance is a character's, not a sum's
    return rows, points.assign(chance=points["chance"].where(points["metric"] == "character"))


def accuracy_by_position(table, profile, **values):
    positions = [metric for metric in table["metric"].unique() if metric.startswith("position")]
    rows = at_the_end(select(table, profile, metric=positions, **ADDITION | values))
    rows = rows.assign(position=rows["metric"].str.split().str[1].astype(int))
    return rows, with_chance(over_seeds(rows, ["rung", "position"]), rows, "position")


def learning_dynamics(table, profile, **values):
    rows = as_trained(select(table, profile, metric="character", **ADDITION | values))
    return rows, with_chance(over_seeds(to_the_end(rows), ["rung", "step"]), rows)


def last_character_bottleneck(table, profile, **values):
    rows = as_trained(select(table, profile, metric="last", **ADDITION | values))
    points = with_chance(over_seeds(to_the_end(rows), ["rung", "step"]), rows, -1)
    final = points[points["step"] == points["step"].max()].set_index("rung")["mean"]
    return rows, points.assign(overcome=points["rung"].map(final) > 0.5)


RESULTS = {selection.__name__: selection for selection in (
    performance_across_tasks, addition_by_architecture, accuracy_by_position, learning_dynamics,
    last_character_bottleneck)}


def what_it_takes(table, profile):
    """Of the study `cross_part`: (rows, points, Figure). Raises ValueError where a model of it has not been run."""
    models = {job.run.hash: model for seed in sorted(set(table[table["rung"] == "ar_trm"]["seed"]))
              for model, job in zip(PART, jobs(profile, "cross_part", (seed,)))}
    rows = table[table["run"].isin(models) & (table["problems"] == "unseen") & (table["decoding"] == "greedy")
                 & (table["metric"] == "character") & (table["length"] == table["training_length"])]
    points = rows.assign(
        model=pd.Categorical(rows["run"].map(models), list(PART))).sort_values(["model", "seed", "step"])
    if missing := set(PART) - set(points["model"]):
        raise ValueError(f"the table has no run of study=cross_part, profile={profile} of "
                         f"{', '.join(sorted(missing))}: train it with "
                         f"`python -m tarm sweep --profile {profile} --study cross_part`")
    first = rows.iloc[0]
    note = (f"{profile} profile: the Autoregressive TRM, copy of {first.training_length} digits; "
            f"width {first.width}, {first.budget} block passes\n"
            "careful protocol: greedy, unseen problems; a line a run (blue: learned); seeds: "
            f"{rows['seed'].nunique()}; dashed: chance")
    if diverged := points[points["value"].isna()]["run"].nunique():
        note += f"; {diverged} run{'s' * (diverged > 1)} diverged, not drawn"
    return rows, points, cause_figures.part(points, LEARNED,
                                            TASKS["copy"].chance(first.training_length).mean().item(), note)


DRAWN_BY_CHAPTERS = ("supervised_characters", "compute_placement")  # they show no results


def every(column):
    """The values of a column, in words: "64 and 128"."""
    return " and ".join(map(str, column.unique()))


# by problems and decoding, what has a name
PROTOCOLS = {("unseen", "greedy"): "careful protocol: ", ("seen", "sampled"): "published protocol: "}


def note(rows):
    """What a figure of results says of itself, from the rows behind it: two lines."""
    tasks = ", ".join(f"{task} of {every(here['training_length'])} digits ({every(here['training_steps'])} steps)"
                      for task, here in rows.groupby("task", sort=False))
    first = rows.iloc[0]
    seeds = rows["seed"].where(rows["value"].notna()).groupby([rows["task"], rows["rung"], rows["width"]],
                                                              sort=False).nunique()
    ran = seeds[seeds > 0]
    least, most = (ran.min(), ran.max()) if len(ran) else (0, 0)
    answers = {kind: TASKS[kind[0]].sizes(kind[1])[1] for kind in set(zip(rows["task"], rows["length"]))}
    each = pd.Series([answers[kind] for kind in zip(rows["task"], rows["length"])], index=rows.index)
    problems = every(rows["count"] // each.where(rows["metric"] == "character", 1))
    if least >= SEEDS_FOR_INTERVAL:
        spread = "95 % Student-t intervals over seeds"
    elif most < SEEDS_FOR_INTERVAL:
        spread = "fewer than five seeds: no intervals, no ranking"
    else:
        spread = "95 % Student-t intervals where there are five seeds or more"
    protocol = PROTOCOLS.get((first.problems, first.decoding), "")
    by_task = ran.groupby(level="task", sort=False)
    alike = (by_task.nunique() == 1).all() and len(ran) == len(seeds)  # every rung has as many
    count = f"{least}" if least == most else f"{least} to {most}"
    if least != most and alike:
        count = ", ".join(f"{number} ({task})" for task, number in by_task.first().items())
    repeats = f"{least} seed" if most == 1 else f"{count} seeds, each a dot or thin line beside their mean"
    if len(ran) < len(seeds):
        repeats = f"{len(ran)} of {len(seeds)} cells run" + (f", {repeats}" if len(ran) else "")
    if least != most and not alike:
        repeats += ", their number in brackets"
    in_bf16 = rows[rows["variant"].str.contains("precision=bf16")].groupby(["task", "rung", "width"]).ngroups
    precision = f"; {in_bf16 if in_bf16 < len(ran) else 'all'} in bf16" if in_bf16 else ""
    if diverged := rows[rows["value"].isna() & rows["seed"].notna()]["run"].nunique():
        repeats += f"; {diverged} run{'s' * (diverged > 1)} diverged, left out"
    return (f"{first.profile} profile: {tasks}; width {every(rows['width'])}, "
            f"{every(rows['budget'])} block passes{precision}\n"
            f"{protocol}{first.decoding}, {problems} {first.problems} problems; "
            f"{repeats}; {spread}; dashed: chance")


def result_figure(stem, table, profile, **values):
    """(rows of the table, points, Figure) of one figure of RESULTS.

    values: of further columns of the table, such as study="mine" (default: the main study). Raises ValueError for a
    metric, which each figure has of its own, where no row is left, and where several runs, tasks or evaluations would
    be drawn as seeds of one.
    """
    choose("figure", stem, RESULTS)
    if "metric" in values:
        raise ValueError(f"metric={values['metric']!r} cannot be asked of {stem}, which shows one of its own: "
                         f"leave it out, or choose another of {', '.join(RESULTS)}")
    rows, points = RESULTS[stem](table, profile, **values)
    return rows, points, getattr(figures, stem)(points, note(rows))


# What is committed: functions of a table and a profile, each to (rows, points, Figure)
FIGURES = {stem: functools.partial(result_figure, stem) for stem in RESULTS} | {"what_it_takes": what_it_takes}


def show(figure, alt):
    """The figure as a picture in a notebook, with its alternative text."""
    import IPython.display  # an extra: only notebooks need it

    with io.BytesIO() as png, matplotlib.style.context(["default", STYLE]):
        figure.savefig(png, format="png", metadata={"Software": None}, dpi=110)
        IPython.display.display({"image/png": fewer_colours(png), "text/plain": alt}, raw=True,
                                metadata={"image/png": {"alt": alt}})


def fewer_colours(png):
    """The bytes of a PNG with at most 128 colours: half the size, with no difference to be seen."""
    from PIL import Image  # comes with matplotlib

    with Image.open(png) as picture, io.BytesIO() as smaller:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(smaller, format="png", optimize=True)
        return smaller.getvalue()


def save(figure, rows, stem, folder):
    """Write STEM.svg, STEM.png and data/STEM.csv; the same bytes whenever the rows are the same.

    folder: None or "" writes nothing, so that a notebook only read draws no files.
    """
    if not folder:
        return
    folder = Path(folder)
    for kind, metadata in ("svg", {"Date": None}), ("png", {"Software": None}):
        with written_whole(folder / f"{stem}.{kind}") as part, matplotlib.style.context(["default", STYLE]):
            figure.savefig(part, format=kind, metadata=metadata, dpi=170)
    write(rows, folder / "data" / f"{stem}.csv")

"""The figures at published size, drawn from records: which rows each shows, with those cells that nobody has run yet.

A cell that has not been run has rows too, with the value nan and no seed, so that every figure can leave
its place empty.
"""

import math

import pandas as pd

from . import gain, gallery, paper_figures, table
from .cells import arithmetic, cell, cells
from .evaluation import Score, metrics
from .runs import run_from
from .statistics import over_seeds
from .store import COMMITTED, Store
from .studies import STUDIES, place
from .tasks import TASKS, quarters
from .verdict import compare

SPENT = ("compute", "refinement", "depth")  # studies whose accuracy is drawn over what it cost


def gather(store=None):
    """The committed records and, where a store is given, its own in place of those of the same run; a list."""
    found = {record["run"]: record for one in (Store(COMMITTED), store) if one for record in one.records()}
    return list(found.values())


def at_published_size(records):
    """Those of the runs of a study at published size, a list."""
    return [record for record in records if place(run_from(record["configuration"]))[0] == "paper"]


def progress(records):
    """How far each study at published size is: study, cells, run (how many of them), fewest and most (seeds of a cell
    that has been run), arithmetic. A cell may belong to several studies."""
    there, rows = cells(records), []
    for study, (_, profiles) in STUDIES.items():
        if "paper" in profiles:
            every = {cell(job.run) for job in listed(study)}
            seeds = [len(there[one]) for one in every if one in there]
            ways = sorted({arithmetic(there[one]) for one in every if one in there})
            rows.append([study, len(every), len(seeds), min(seeds, default=0),
                         max(seeds, default=0), " and ".join(ways)])
    return pd.DataFrame(rows, columns=["study", "cells", "run", "fewest", "most", "arithmetic"])


def listed(study):
    """The jobs of a study at published size, one a cell."""
    return STUDIES[study].jobs("paper", 0)


def gap(job):
    """Tidy rows for a cell that has not been run: its evaluations at the training length, greedy and unseen."""
    run, schedule = job
    head = ("paper", "", "", run.rung, run.task, None, table.variant(run), run.width, run.budget,
            run.length, run.training_steps)
    _, answer = TASKS[run.task].sizes(run.length)
    for step in range(schedule.every, run.training_steps + 1, schedule.every):
        score = Score(step, run.length, "unseen", "greedy", schedule.problems, [0] * answer, 0)
        for metric, (_, count) in metrics(score).items():
            yield (*head, step, run.length, "unseen", "greedy", metric, math.nan, count)


def tidy(study, records):
    """The tidy table of a study's cells, run or not, whatever the arithmetic of their runs (see `tarm.cells`)."""
    there, rows = cells(records), []
    for job in listed(study):
        seeds = there.get(cell(job.run))
        rows += [row for record in seeds.values() for row in table.rows(record)] if seeds else gap(job)
    return pd.DataFrame(rows, columns=table.COLUMNS).assign(profile="paper", study=study).astype({"seed": "Int64"})


def phase_transition(records):
    """(rows, points) of the study `compute`, 24 passes, both widths: Q1, Q2, Q3 and last character over training."""
    rows = gallery.select(tidy("compute", records), "paper", study="compute", budget=24,
                          metric=list(paper_figures.PHASES))
    rows = rows[rows["length"] == rows["training_length"]]
    levels = TASKS["addition"].chance(rows["length"].iloc[0])
    n, bounds = len(levels), quarters(len(levels))
    spans = {f"Q{q + 1}": bounds[q:q + 2] for q in range(3)} | {"last": (n - 1, n)}
    chance = {metric: levels[start:stop].mean().item() for metric, (start, stop) in spans.items()}
    points = over_seeds(rows, ["width", "metric", "rung", "step"])
    return rows, points.assign(chance=points["metric"].map(chance))


def spent(study, records):
    """Accuracy over what it cost, as `tarm.gain.trajectories` has it, for the cells of a study: with width, row (the
    passes that share a row of panels), and seeds; a cell that has not been run is one row without accuracy."""
    there, parts = cells(records), []
    for job in listed(study):
        run, seeds = job.run, there.get(cell(job.run), {})
        found = gain.trajectories(seeds.values(), {record["run"] for record in seeds.values()})
        if found.empty:
            found = pd.DataFrame([{"model": gain.label(run), "rung": run.rung,
                                   "passes": run.budget, "accuracy": math.nan}])
        parts.append(found.assign(width=run.width, row=run.budget - run.budget % 3, seeds=len(seeds),
                                  arithmetic=arithmetic(seeds)))
    return pd.concat(parts, ignore_index=True)


def first_characters(records):
    """Rows of `tarm.verdict.compare` on the published first-character table, with their width."""
    rows = compare(records)
    rows = rows[rows["group"].str.startswith("first")]
    return rows.assign(width=rows["group"].str.split().str[1].astype(int))


def how_many(rows, by):
    """"2 of 14 cells run, in float32": what a note says of the cells in a table, those that `by` tells apart."""
    seeds = rows.groupby(by, sort=False)["seeds"].max()
    ways = sorted({text for text in rows["arithmetic"] if text})
    return f"{(seeds > 0).sum()} of {len(seeds)} cells run" + (f", in {' and '.join(ways)}" if ways else "")


def spent_note(points, study):
    return (f"study {study}: addition of 10 digits; {how_many(points, ['width', 'model', 'passes'])}\n"
            "careful protocol: greedy, unseen problems; mean over the seeds of a cell (their number in brackets), "
            "each seed a thin line; block passes and their FLOP as the ledgers count them")


def first_note(rows):
    return ("study compute, 24 block passes, sums of L digits, trained on 10 (a guess gets half); "
            f"{how_many(rows, ['width', 'rung'])}\n"
            "published protocol: sampled, problems seen in training, "
            "mean of the evaluations at steps 3600, 3800 and 4000")


def figures(records):
    """{stem: (rows behind it, Figure, how many of its cells have been run)} of all figures at published size."""
    main, drawn = tidy("main", records), {}
    for stem in gallery.RESULTS:
        rows, points, figure = gallery.result_figure(stem, main, "paper")
        drawn[stem] = rows, figure, rows.dropna(subset="value").groupby(["task", "rung"]).ngroups
    first = first_characters(records)
    ran = first[first["seeds"] > 0].groupby(["width", "rung"]).ngroups
    drawn["first_character"] = first, paper_figures.first_character(first, first_note(first)), ran
    narrow = first[(first["width"] == 192) & (first["column"] != "L = 10")]
    drawn["scatter"] = (narrow, paper_figures.scatter(narrow, first_note(narrow)),
                        narrow[narrow["seeds"] > 0]["rung"].nunique())
    rows, points = phase_transition(records)
    drawn["phase_transition"] = (rows,
                                 paper_figures.phase_transition(points, gallery.note(rows[rows["metric"] == "last"])),
                                 rows.dropna(subset="value").groupby(["width", "rung"]).ngroups)
    for study in SPENT:
        points = spent(study, records)
        drawn[f"spent_{study}"] = (points, paper_figures.spent(points, spent_note(points, study)),
                                   points[points["seeds"] > 0].groupby(["width", "model", "passes"]).ngroups)
    return drawn


def draw(records, folder, empty=True):
    """Draw all figures at published size into a folder, those not run only if `empty`; yields (stem, cells run)."""
    for stem, (rows, figure, ran) in figures(records).items():
        if ran or empty:
            gallery.save(figure, rows, stem, folder)
            yield stem, ran

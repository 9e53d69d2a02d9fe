"""The tidy table of records: a row per run, step, length, problems, decoding, metric."""

import gzip
import math
from pathlib import Path

import pandas as pd

from .evaluation import DECODINGS, PROBLEMS, Score, metrics
from .runs import run_from
from .store import Store, scores, written_whole
from .studies import place
from .tasks import TASKS

COLUMNS = ["profile", "study", "run", "rung", "task", "seed", "variant", "width", "budget", "training_length",
           "training_steps", "step", "length", "problems", "decoding", "metric", "value", "count"]
EARLIER = ("character", "sequence", "first", "last")


def variant(run):
    """How a run differs from the published ones in what has no column of its own: "norm=post scale=unit"."""
    own = ("rung", "task", "seed", "width", "budget", "length", "training_steps")
    return " ".join(f"{k}={v}" for k, v in run.changes.items() if k not in own) or "published"


def rows(record, abridged=False):
    """The rows of one record, as tuples in the order of COLUMNS; a run that diverged has only those of the
    final evaluation that it did not reach, at the training length and without values: what it scored before is
    in its record.

    abridged: as committed, of evaluations before the last only the metrics EARLIER (the counts of all positions are
    in its record).
    """
    run = run_from(record["configuration"])
    head = (*place(run), run.hash, run.rung, run.task, run.seed, variant(run), run.width, run.budget, run.length,
            run.training_steps)
    found = lost(record, run) if record["diverged_at"] else scores(record)
    last = max((score.step for score in found), default=0)
    for score in found:
        for metric, (value, count) in metrics(score).items():
            if abridged and score.step < last and metric not in EARLIER:
                continue
            value = math.nan if record["diverged_at"] else round(value, 6)
            yield (*head, score.step, score.length, score.problems, score.decoding, metric, value, count)


def lost(record, run):
    """The last evaluation of a run that diverged before it, as Scores that count no more than problems."""
    _, answer = TASKS[run.task].sizes(run.length)
    return [Score(run.training_steps, run.length, problems, decoding, record["schedule"]["problems"], [0] * answer, 0)
            for problems in PROBLEMS for decoding in DECODINGS]


def tidy(records, abridged=False):
    """All records' `rows` as one DataFrame."""
    return pd.DataFrame([row for record in records for row in rows(record, abridged)], columns=COLUMNS)


def write(table, path):
    """Write a table as CSV (compressed where the name ends in .gz), with the same bytes every time."""
    text = table.to_csv(index=False, lineterminator="\n").encode()
    with written_whole(path) as part:
        part.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def write_by_study(table, root):
    """Write a table as it is committed: a file for each study in root/results, so that new runs change theirs alone."""
    folder = Path(root) / "results"
    folder.mkdir(exist_ok=True)
    earlier = set(folder.iterdir())
    for place_of_runs, part in table.groupby(["profile", "study"]):
        path = folder / f"{'-'.join(filter(None, place_of_runs)) or 'none'}.csv.gz"
        write(part, path)
        earlier.discard(path)
    for path in earlier:
        path.unlink()


def read(root):
    """The tidy table of the store at `root`, a path: of the files in results/ where `export` has made them, else of its
    records. Raises ValueError where there is neither, and as `Store.records` does.
    """
    if parts := sorted((Path(root) / "results").glob("*.csv.gz")):
        tables = [pd.read_csv(path, dtype={"run": str}, keep_default_na=False, na_values={"value": [""]})
                  for path in parts]
        return pd.concat(tables, ignore_index=True).sort_values("run", kind="stable", ignore_index=True)
    store = Store(root)
    if not (records := store.records()):
        raise ValueError(f"{root} holds no records that can be used here: {store.command('sweep')} makes them")
    return tidy(records)

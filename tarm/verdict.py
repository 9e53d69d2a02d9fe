"""Published numbers beside ours, a word on each: figures/verdict.md; its counts and one group are in the README."""

import math
import os

import pandas as pd

from .cells import arithmetic, cells
from .evaluation import having, metrics
from .ladder import LADDER
from .reported import GROUPS, numbers
from .statistics import SEEDS_FOR_VERDICT, prediction_interval
from .store import scores, written_whole

BEGIN, END = "<!-- verdict: from here on made by `python -m tarm verdict` -->", "<!-- verdict: until here -->"
RULE = """\
Evaluated as published (characters sampled, on problems seen in training), with n seeds of the same configuration:
*reproduced*, where n is 3 or more and the published number lies within mean ± t(0.975, n − 1) s √(1 + 1/n) of ours;
else *not reproduced*; *seen n times* with fewer seeds, whatever came out; *not run* without any. Greedy and unseen
stands beside it, without a verdict. Runs in bf16 count, though it was compared with float32 at three passes only, on
a CPU (the study `precision`); never both in one cell, and the column says which. All values are in %; the published
ones are of one seed each."""
IN_README = ("characters",)
REPRODUCED, NOT_REPRODUCED, NOT_RUN = "reproduced", "not reproduced", "not run"


def verdict(published, values):
    """The word on one published number, from the values of our seeds."""
    n = len(values)
    if n < SEEDS_FOR_VERDICT:
        return f"seen {n} time{'s' * (n > 1)}" if n else NOT_RUN
    low, high = prediction_interval(values)
    return REPRODUCED if low - 1e-9 <= published <= high + 1e-9 else NOT_REPRODUCED


def read(number, records, problems, decoding):
    """A published number as one seed of ours has it, from its runs' records; None where an evaluation is missing."""
    values = []
    for record in records:
        found = [metrics(score)[number.metric][0] for score in having(scores(record), number.length, problems, decoding)
                 if score.step in number.steps]
        if len(found) != len(number.steps):
            return None
        values.append(100 * sum(found) / len(found))
    return number.pick(values)


def compare(records):
    """One row per published number: group, rung, column, published, ours (a list, one a seed: sampled, seen), mean,
    low, high (the interval of the rule, nan below three seeds), careful (mean: greedy, unseen), seeds, without (seeds
    that lack one of the evaluations, as a run does that diverged), arithmetic, verdict."""
    there, rows = cells(records), []
    for number in numbers():
        cell = [there.get(run, {}) for run in number.runs]
        each = [[seeds[seed] for seeds in cell] for seed in cell[0] if all(seed in seeds for seeds in cell)]
        ours, careful = ([value for one in each if (value := read(number, one, *how)) is not None]
                         for how in (("seen", "sampled"), ("unseen", "greedy")))
        mean, mean_careful = (sum(values) / len(values) if values else math.nan for values in (ours, careful))
        rows.append([number.group, number.rung, number.column, number.value, ours, mean, *prediction_interval(ours),
                     mean_careful, len(ours), len(each) - len(ours),
                     " / ".join(dict.fromkeys(map(arithmetic, cell))) if ours else "", verdict(number.value, ours)])
    return pd.DataFrame(rows, columns=["group", "rung", "column", "published", "ours", "mean", "low", "high", "careful",
                                       "seeds", "without", "arithmetic", "verdict"])


def counts(table):
    """How many numbers of each group have which verdict, one row per group."""
    words = table["verdict"].where(~table["verdict"].str.startswith("seen"), "seen 1 or 2 times")
    order = [REPRODUCED, NOT_REPRODUCED, "seen 1 or 2 times", NOT_RUN]
    found = pd.crosstab(table["group"], words).reindex(index=list(GROUPS), columns=order, fill_value=0)
    return found.rename(index={key: group.title for key, group in GROUPS.items()}).assign(
        numbers=lambda t: t.sum(axis=1))


# As Markdown.


def joined(values):
    """The texts of one row, " / " between them; words that all are alike stand once, numbers never."""
    texts = list(values)
    return " / ".join(texts) if texts[0][0].isdecimal() else once(texts)


def once(values):
    """The same, numbers of seeds too."""
    texts = list(values)
    return texts[0] if len(set(texts)) == 1 else " / ".join(texts)


def columns_text(columns):
    """"L = 10", "L = 20" -> "L = 10 / 20"."""
    shared = os.path.commonprefix(columns)
    shared = shared[:shared.rfind(" ") + 1] if len(columns) > 1 else ""
    return shared + " / ".join(column.removeprefix(shared) for column in columns)


def row_text(part):
    """The cells of one row: the numbers of one rung in one group."""
    def shown(values):
        return joined("–" if math.isnan(value) else f"{value:.1f}" for value in values)

    few = part["seeds"] < SEEDS_FOR_VERDICT
    ours = joined("–" if not values else ", ".join(f"{value:.1f}" for value in values) if less else f"{mean:.1f}"
                  for values, mean, less in zip(part["ours"], part["mean"], few))
    interval = joined("–" if math.isnan(low) else f"{low:.1f} to {high:.1f}"
                      for low, high in zip(part["low"], part["high"]))
    seeds = once(f"{n} ({k} more without a value)" if k else str(n) for n, k in zip(part["seeds"], part["without"]))
    return [" / ".join(f"{value:g}" for value in part["published"]), ours, interval, shown(part["careful"]), seeds,
            joined(text or "–" for text in part["arithmetic"]), joined(part["verdict"])]


def lines(head, rows):
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def details(table):
    """A heading, a line and a table for each group in the table."""
    text = []
    for key, part in table.groupby("group", sort=False):
        rows = [[LADDER[rung].short, columns_text(here["column"].tolist()), *row_text(here)]
                for rung, here in part.groupby("rung", sort=False)]
        text += ["", f"### {GROUPS[key].title}", "", f"Study `{GROUPS[key].study}`; {GROUPS[key].reading}.", "",
                 *lines(["model", "of", "published", "ours, sampled and seen",
                         "95 % for one more run", "ours, greedy and unseen", "seeds", "precision", "verdict"], rows)]
    return text


def summary(table):
    """The table of counts, a row per group."""
    found = counts(table)
    found.loc["all"] = found.sum()
    return lines(["published numbers", *found.columns], [[title, *map(str, row)] for title, *row in found.itertuples()])


def whole_page(table, store=""):
    """The text of figures/verdict.md; of another store's records with its folder."""
    return "\n".join(["# Published numbers, and ours", "",
                      f"Made by `python -m tarm verdict --store {store}` from its records." if store else
                      "Made by `python -m tarm verdict` from the records in `figures/data`.",
                      "", RULE, "", *summary(table), *details(table), ""])


def for_readme(table):
    """What the README shows: the counts, and those rows of the groups IN_README of which something has been run."""
    run = table.groupby(["group", "rung"], sort=False)["seeds"].transform("sum") > 0
    return "\n".join([BEGIN, "", *summary(table), *details(table[run & table["group"].isin(IN_README)]), "", END])


def write(records, project):
    """Write figures/verdict.md and, between its two markers, the README of the project; -> the table."""
    table = compare(records)
    with written_whole(project / "figures" / "verdict.md") as part:
        part.write_text(whole_page(table), encoding="utf-8", newline="\n")
    readme = project / "README.md"
    if readme.exists():
        before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise ValueError(f"{readme} lacks the lines {BEGIN} and {END}, between which the table of verdicts belongs")
        with written_whole(readme) as part:
            part.write_text(before + for_readme(table) + after, encoding="utf-8", newline="\n")
    return table

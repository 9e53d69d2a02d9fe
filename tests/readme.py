"""The README, and how it writes what it states."""

import re
from pathlib import Path

from tarm.evaluation import metrics
from tarm.statistics import interval
from tarm.store import scores
from tarm.studies import jobs

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
TEXT = " ".join(README.split())


def says(text, *values):
    """The README says this, with these values in its braces, wherever its lines break."""
    sentence = text.format(*values) if values else text
    assert sentence in TEXT, f"README does not say: {sentence}"


def table(first):
    """The header and the rows of the one table whose header begins with this cell, each a list of cells."""
    found, = re.findall(rf"^(\| {re.escape(first)} \|.*\n)\|[-| ]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in "".join(found).splitlines()]


def span(points, digits=0):
    """Their mean, and its 95 % interval: "13 (3 to 22)"."""
    points = list(points)
    return re.sub(
        r"-(0(?:\.0)?)(?![.\d])",
        r"\1",
        f"{{:.{digits}f}} ({{:.{digits}f}} to {{:.{digits}f}})".format(sum(points) / len(points), *interval(points)),
    )


def at_published_size(committed, study, how=("unseen", "greedy"), seeds=(0,), **filters):
    """{run: (characters, whole answers)} of a study at published size, shares at length 10, at the last step."""
    chosen = {job.run.hash: job.run for job in jobs("paper", study, seeds, **filters)}
    found = {}
    for record in committed:
        if record["run"] in chosen:
            score, = (score for score in scores(record) if (score.step, score.length, score.problems, score.decoding)
                      == (len(record["losses"]), 10, *how))
            found[chosen[record["run"]]] = metrics(score)["character"][0], metrics(score)["sequence"][0]
    return found

"""The cells of a study: a configuration, whatever the seed, and the records that count for it.

Precision is not part of what the paper's studies vary. A run in bf16, or one whose dropout masks are drawn from
random bits, is a configuration of its own and is always named as one; it counts for the published configuration it is
otherwise equal to, because the bench and the study `precision` compare the two. Runs of two arithmetics are never
mixed: each cell shows the arithmetic with the most seeds, and where two have as many the one that comes
first in ARITHMETICS.
"""

from dataclasses import replace

from .runs import run_from

# the published first
ARITHMETICS = [(precision, stream) for precision in ("float32", "bf16") for stream in ("torch", "bits")]


def cell(run):
    """The configuration that a run is one seed of: a Run with seed 0 in the published arithmetic."""
    return replace(run, seed=0, precision="float32", dropout_stream="torch")


def cells(records):
    """{cell: {seed: record}} of those records that count, all of one cell in the same arithmetic."""
    found = {}
    for record in records:
        run = run_from(record["configuration"])
        arithmetic = ARITHMETICS.index((run.precision, run.dropout_stream))
        found.setdefault(cell(run), {}).setdefault(arithmetic, {})[run.seed] = record
    chosen = {one: min(by.items(), key=lambda item: (-len(item[1]), item[0]))[1] for one, by in found.items()}
    return {one: dict(sorted(seeds.items())) for one, seeds in chosen.items()}


def arithmetic(seeds):
    """How the runs of a cell were computed, in words: "float32", "bf16, dropout from bits"; "" where there is none."""
    for record in seeds.values():
        run = run_from(record["configuration"])
        return run.precision + (", dropout from bits" if run.dropout_stream == "bits" else "")
    return ""

"""The numbers that the paper and its published experiments report (arXiv 2603.08082), each with the run it belongs to.

All are in %, of one seed, characters sampled on problems seen in training. Left out is what cannot be tied to a
configuration and a reading: sequence accuracies of "the others", an older table at L = 20, curves read by eye.
"""

from typing import NamedTuple

from .studies import STUDIES


class Group(NamedTuple):
    """Numbers that are read in one way: a title, the study they come from, and how each is read."""

    title: str
    study: str
    reading: str


class Number(NamedTuple):
    """One published number.

    column: what distinguishes it within its group and rung. runs: the configurations it is read from (seed 0); where
    there are two, `pick` (max, min) says which value it is. steps: the evaluations whose mean it is.
    """

    group: str
    rung: str
    column: str
    value: float
    runs: tuple
    steps: tuple
    length: int
    metric: str
    pick: object = max


FIRST_STEPS = (3600, 3800, 4000)
GROUPS = {
    "characters": Group("Characters right", "main",
                        "the last evaluation, at step 5000; addition / copy / reverse of 10 digits"),
    "answers": Group("Whole answers right", "main", "the last evaluation, at step 5000"),
    "quarters": Group("Characters right on addition, by quarter of the sum", "main",
                      "the last evaluation, at step 5000; Q1 / Q2 / Q3 / Q4; the published "
                      "numbers are read off a plot"),
    "first 192": Group("First character of a sum, width 192", "compute",
                       "mean of the evaluations at steps 3600, 3800 and 4000; L = 10 / 20 / 30"),
    "first 384": Group("First character of a sum, width 384", "compute",
                       "mean of the evaluations at steps 3600, 3800 and 4000; L = 10 / 20 / 30"),
    "structure": Group("H x L structure, characters right on sums of 10 digits", "structure",
                       "the last evaluation, at step 2000; the higher and the lower of the runs "
                       "trained on 5 and on 10 digits, since the source does not say which is which"),
}
CHARACTERS = {"dense": (79.9, 100.0, 100.0), "iterative": (54,), "iterative_step": (56,),
              "universal": (65.8, 100.0, 100.0), "dual_ut": (83,), "dual_nested_ut": (14,),
              "ar_trm": (12.5, 11.0, 10.0)}  # addition, copy, reverse
ANSWERS = {"dense": (("addition", 10, 2), ("copy", 10, 100), ("copy", 20, 0)), "dual_ut": (("addition", 10, 3),),
           "iterative": (("copy", 10, 100), ("copy", 20, 0)), "iterative_step": (("copy", 10, 100), ("copy", 20, 0))}
QUARTERS = {"dense": (97, 64, 68, 96), "iterative": (99, 94, 29, 10), "iterative_step": (99, 64, 38, 37),
            "universal": (100, 100, 66, 10), "dual_ut": (97, 98, 74, 70), "dual_nested_ut": (33, 11, 9, 8),
            "ar_trm": (29, 11, 6, 10)}
FIRST = {192: {"dense": (99.3, 72.3, 63.3), "iterative": (99.7, 68.3, 64.0), "iterative_step": (99.7, 70.0, 61.0),
               "universal": (99.3, 71.7, 64.7), "dual_ut": (99.7, 71.0, 63.3), "dual_nested_ut": (88.0, 64.0, 63.7),
               "ar_trm": (27.0, 9.3, 13.3)},
         384: {"dense": (99.3, 14.0, 9.3), "iterative": (100.0, 71.0, 50.0), "iterative_step": (98.0, 29.3, 33.0),
               "universal": (100.0, 61.0, 61.0), "dual_ut": (99.3, 47.7, 38.7), "dual_nested_ut": (52.3, 26.0, 20.7),
               "ar_trm": (61.7, 54.7, 58.7)}}  # L = 10, 20, 30
STRUCTURE = (("dual_nested_ut", (1, 1), "higher", 23.2), ("dual_nested_ut", (1, 1), "lower", 14.7),
             ("ar_trm", (2, 2), "higher", 15.1))


def runs_of(study, **fields):
    """The runs of a study of the paper at published size, seed 0, that have these values."""
    return tuple(job.run for job in STUDIES[study].jobs("paper", 0)
                 if all(getattr(job.run, field) == value for field, value in fields.items()))


def numbers():
    """Every published number, in the order of GROUPS and of the ladder."""
    def main(group, rung, task, column, value, length, metric):
        run, = runs_of("main", rung=rung, task=task)
        return Number(group, rung, column, value, (run,), (run.training_steps,), length, metric)

    found = [main("characters", rung, task, task, value, 10, "character")
             for rung, values in CHARACTERS.items() for task, value in zip(("addition", "copy", "reverse"), values)]
    found += [main("answers", rung, task, f"{task}, L = {length}", value, length, "sequence")
              for rung, values in ANSWERS.items() for task, length, value in values]
    found += [main("quarters", rung, "addition", f"Q{q}", value, 10, f"Q{q}")
              for rung, values in QUARTERS.items() for q, value in enumerate(values, 1)]
    found += [Number(f"first {width}", rung, f"L = {length}", value,
                     runs_of("compute", rung=rung, width=width, budget=24), FIRST_STEPS, length, "first")
              for width, rungs in FIRST.items() for rung, values in rungs.items()
              for length, value in zip((10, 20, 30), values)]
    for rung, (outer, inner), which, value in STRUCTURE:
        runs = tuple(run for length in (5, 10)
                     for run in runs_of("structure", rung=rung, outer=outer, inner=inner, length=length))
        found.append(Number("structure", rung, f"H = {outer}, L = {inner}, {which}", value,
                            runs, (2000,), 10, "character", max if which == "higher" else min))
    return found

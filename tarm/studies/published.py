"""The paper's five studies, as published (arXiv 2603.08082). Each function makes the jobs of one seed."""

from ..ladder import LADDER
from ..profiles import PROFILES
from ..runs import Run, Schedule
from .lists import PUBLISHED_RUNGS, Job, listed, multiples, rungs


def main(profile, seed):
    """Length generalisation, the main results: seven rungs on three tasks, at every profile."""
    return [Job(Run(rung=rung, task=task, seed=seed, **setting.fields), setting.schedule)
            for task, setting in PROFILES[profile].items() for rung in LADDER]


COMPUTE = {"task": "addition", "training_steps": 4000, "context": 150}
COMPUTE_SCHEDULE = Schedule(200, (10, 20, 30))


def compute(seed):
    """Parameters and inference compute: two widths, two budgets, seven rungs."""
    return [job for width in (192, 384) for budget in (12, 24)
            for job in listed(rungs(*PUBLISHED_RUNGS), COMPUTE_SCHEDULE, width=width,
                              budget=budget, seed=seed, **COMPUTE)]


def width(seed):
    """Compute-optimal width: four widths, H = 1."""
    return [Job(Run(rung=rung, task="addition", width=w, heads=4, training_steps=15000, context=120, seed=seed,
                    **({"outer": 1} if LADDER[rung].model.nested else {})), Schedule(500, (10, 11, 15, 20)))
            for w in (128, 256, 384, 512) for rung in PUBLISHED_RUNGS]


LENGTHS = {"task": "addition", "width": 128, "heads": 4, "training_steps": 2000}


def training_length(seed):
    """Training length against budget: does training on longer sums need more passes?"""
    return [job for length in (2, 5, 10, 20, 40) for budget in (6, 12, 18, 24)
            for job in listed(rungs(*PUBLISHED_RUNGS), Schedule(200, multiples(length)), length=length, budget=budget,
                              context=400, seed=seed, **LENGTHS)]


STRUCTURES = ((1, 1), (2, 1), (2, 2), (4, 2), (6, 2), (8, 2), (8, 4))  # (H, L), with N = 4


def structure(seed):
    """H x L structure of rungs 6 and 7."""
    return [job for length in (2, 5, 10, 20) for outer, inner in STRUCTURES
            for job in listed(rungs("dual_nested_ut", "ar_trm"), Schedule(200, multiples(length)), length=length,
                              steps=4, outer=outer, inner=inner, context=200, seed=seed, **LENGTHS)]

"""What all lists of runs are made of: a job, the models that have a name, and variants that share their fields."""

from dataclasses import replace
from typing import NamedTuple

from ..ladder import LADDER
from ..runs import Run, Schedule
from ..variants import NAMED


class Job(NamedTuple):
    """A run, and when it is evaluated."""

    run: Run
    schedule: Schedule


PUBLISHED_RUNGS = ("dense", "iterative", "iterative_step", "universal", "dual_ut", "dual_nested_ut", "ar_trm")
NESTED_UT, AR_TRM = {"rung": "dual_nested_ut"}, {"rung": "ar_trm"}
POST, UNIT = {"norm": "post"}, {"scale": "unit"}
CURE = POST | UNIT                               # TRM's norm placement and unit scale, and no more
CURED = NAMED["ar_trm_cured"]                    # rung 7 with it
ALL = {"window": "all"}                          # the gradient through every pass
THREE_PASSES = {"steps": 1, "outer": 1}          # of rung 7: N = H = 1, all trained
MULTIPLES = (1, 1.1, 1.3, 1.5, 2, 2.5, 3)        # of the training length, at which two studies evaluate


def rungs(*keys):
    """[{"rung": key}, ...]: the rungs named, as published."""
    return [{"rung": key} for key in keys]


def listed(variants, schedule, **common):
    """Jobs that share a schedule and fields, one for each variant (a dict of fields)."""
    return [Job(Run(**common | variant), schedule) for variant in variants]


def evaluated_at(jobs, passes):
    """The same jobs; what each has learned is evaluated in the end with other numbers of block passes as well, where
    its weights are tied and whole steps make them."""
    return [job._replace(schedule=replace(job.schedule, other_steps=other_steps(job.run, passes))) for job in jobs]


def other_steps(run, passes):
    model, per_step = LADDER[run.rung].model, run.budget // run.steps
    return tuple(p // per_step for p in passes if p % per_step == 0 and p != run.budget) if model.tied else ()


def multiples(length):
    """MULTIPLES of a training length, rounded half to even, each once, as published."""
    return tuple(dict.fromkeys(round(length * multiple) for multiple in MULTIPLES))

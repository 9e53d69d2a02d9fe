"""Each experiment as a list of runs, at three sizes: the profiles."""

from dataclasses import asdict
from functools import cache
from typing import Callable, NamedTuple

from .architecture import choose
from .ladder import LADDER
from .runs import Run, Schedule
from .tasks import TASKS


class Job(NamedTuple):
    """A run, and when it is evaluated."""

    run: Run
    schedule: Schedule


class Setting(NamedTuple):
    """How a profile runs one task: fields of Run that differ from the published ones, schedule."""

    fields: dict
    schedule: Schedule


TINY = {"width": 16, "heads": 2, "budget": 12, "dropout": 0, "context": 32, "batch": 8, "learning_rate": 1e-3,
        "training_steps": 4}
SMALL = {"width": 64, "heads": 4, "dropout": 0, "context": 64, "batch": 32, "learning_rate": 1e-3}

# smoke runs in seconds and shows nothing; cpu is small and separates the rungs; paper is as published
PROFILES = {
    "smoke": {
        "copy": Setting(TINY | {"length": 4}, Schedule(2, (4,), (8,), problems=8)),
        "reverse": Setting(TINY | {"length": 4}, Schedule(2, (4,), (8,), problems=8)),
        "addition": Setting(TINY | {"length": 3}, Schedule(2, (3,), (6,), problems=8)),
    },
    "cpu": {
        "copy": Setting(SMALL | {"training_steps": 300}, Schedule(50, (10,), (20,))),
        "reverse": Setting(SMALL | {"training_steps": 300}, Schedule(50, (10,), (20,))),
        "addition": Setting(SMALL | {"length": 3, "training_steps": 800}, Schedule(100, (3,), (6,))),
    },
    "paper": {
        task: Setting({}, Schedule(250, (10, 20, 30, 40, 50))) for task in ("copy", "reverse", "addition")
    },
}


def main(profile, seeds):
    """The paper's first study: seven rungs on three tasks."""
    return [Job(Run(rung=rung, task=task, seed=seed, **setting.fields), setting.schedule)
            for seed in seeds for task, setting in PROFILES[profile].items() for rung in LADDER]


def cause(profile, seeds):
    """What the failure of the Autoregressive TRM needs, at the paper's width: copy, 500 steps."""
    variants = ({}, {"eps": 1e-16}, {"scale": "unit"}, {"norm": "post"}, {"norm": "post", "scale": "unit"},
                {"window": "all"}, {"steps": 1, "outer": 1})
    return [Job(Run(rung="ar_trm", task="copy", training_steps=500, precision="bf16", seed=seed, **variant),
                Schedule(50, (10,)))
            for seed in seeds for variant in variants]


class Study(NamedTuple):
    """A named list: jobs(profile, seeds) makes it, at the profiles it exists for."""

    jobs: Callable
    profiles: tuple


STUDIES = {"main": Study(main, ("smoke", "cpu", "paper")), "cause": Study(cause, ("paper",))}


def jobs(profile, study="main", seeds=(0,), **filters):
    """The jobs of a study at a profile, those whose run has one of the values of each filter.

    filters: rung=["ar_trm", ...], task=[...]. Raises ValueError for a name that does not exist,
    and where nothing is left.
    """
    choose("study", study, STUDIES)
    choose("profile", profile, STUDIES[study].profiles)
    for field, names in {"rung": LADDER, "task": TASKS}.items():
        for value in filters.get(field, ()):
            choose(field, value, names)
    chosen = [job for job in STUDIES[study].jobs(profile, seeds)
              if all(str(asdict(job.run)[field]) in values for field, values in filters.items())]
    if not chosen:
        raise ValueError(f"no run of study {study!r} at profile {profile!r} has " +
                         ", ".join(f"{field} in {{{', '.join(values)}}}" for field, values in filters.items()))
    return chosen


@cache
def members(profile, study, seed):
    """The hashes of a study's runs with this seed."""
    return {job.run.hash for job in STUDIES[study].jobs(profile, (seed,))}


def place(run):
    """(profile, study) that a run belongs to, whatever its seed; ("", "") for one of its own."""
    for study, (_, profiles) in STUDIES.items():
        for profile in profiles:
            if run.hash in members(profile, study, run.seed):
                return profile, study
    return "", ""

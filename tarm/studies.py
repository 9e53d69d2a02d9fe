"""Each experiment as a list of runs, at three sizes: the profiles."""

from dataclasses import asdict
from typing import NamedTuple

from .ladder import LADDER
from .runs import Run, Schedule


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
    if profile != "paper":
        raise ValueError(f"the study 'cause' has no runs at profile {profile!r}: use paper")
    variants = ({}, {"eps": 1e-16}, {"scale": "unit"}, {"norm": "post"}, {"norm": "post", "scale": "unit"},
                {"window": "all"}, {"steps": 1, "outer": 1})
    return [Job(Run(rung="ar_trm", task="copy", training_steps=500, precision="bf16", seed=seed, **variant),
                Schedule(50, (10,)))
            for seed in seeds for variant in variants]


STUDIES = {"main": main, "cause": cause}


def jobs(profile, study="main", seeds=(0,), **filters):
    """The jobs of a study at a profile, those whose run has one of the values of each filter.

    Raises ValueError for a profile or study that does not exist, and where nothing is left.
    """
    for field, value, allowed in ("profile", profile, PROFILES), ("study", study, STUDIES):
        if value not in allowed:
            raise ValueError(f"{field}={value!r} is not known: choose one of {', '.join(allowed)}")
    chosen = [job for job in STUDIES[study](profile, seeds)
              if all(str(asdict(job.run)[field]) in values for field, values in filters.items())]
    if not chosen:
        raise ValueError(f"no run of study {study!r} at profile {profile!r} has " +
                         ", ".join(f"{field} in {{{', '.join(values)}}}" for field, values in filters.items()))
    return chosen


def place(run):
    """(profile, study) that a run belongs to, whatever its seed; ("", "") for one of its own."""
    for profile in PROFILES:
        for study in STUDIES:
            if study == "cause" and profile != "paper":
                continue
            if any(job.run == run for job in STUDIES[study](profile, (run.seed,))):
                return profile, study
    return "", ""

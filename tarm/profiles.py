"""The sizes at which the main study is run: smoke, cpu, and paper, the published one."""

from typing import NamedTuple

from .architecture import choose
from .runs import Schedule


class Setting(NamedTuple):
    """How a profile runs one task: fields of Run that differ from the published ones, schedule."""

    fields: dict
    schedule: Schedule


TINY = {"width": 16, "heads": 2, "budget": 12, "dropout": 0, "context": 32, "batch": 8, "learning_rate": 1e-3,
        "training_steps": 4}
SMALL = {"width": 64, "heads": 4, "dropout": 0, "context": 64, "batch": 32, "learning_rate": 1e-3}

# Of each task that the main study has: smoke runs in seconds and shows nothing; cpu is small and separates the rungs;
# paper is as published
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


def setting(profile, task):
    """How a profile runs a task: one that it doesn't list, as it runs copy. Raises ValueError for another profile."""
    choose("profile", profile, PROFILES)
    return PROFILES[profile].get(task, PROFILES[profile]["copy"])

"""One's own tasks and rungs, from files outside the package."""

import hashlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path

import torch

from .architecture import build
from .ladder import LADDER
from .ledger import PassCounter
from .profiles import PROFILES
from .tasks import TASKS

VARIABLE = "TARM_PLUGINS"  # files, separated as in PATH; worker processes and notebooks inherit it


def register_task(task, like="copy"):
    """Add a task beside copy, reverse and addition; each profile runs it as it runs the task `like`.

    Raises ValueError for a key that is taken, or a `like` that does not exist.
    """
    if like not in PROFILES["cpu"]:
        raise ValueError(f"like={like!r} is not a task: choose one of {', '.join(PROFILES['cpu'])}")
    add(TASKS, task, "task")
    for settings in PROFILES.values():
        settings[task.key] = settings[like]


def register_rung(rung):
    """Add a rung after the seven published ones.

    Raises ValueError for a key that is taken, and where a call of the model does not execute as many
    block passes as its `passes_per_step` says: budgets would mean something else than for other rungs.
    """
    add(LADDER, rung, "rung")
    model = build(rung.key, steps=2, width=8, heads=1, context=2, dropout=0.0)
    with PassCounter(model) as passes:
        model(torch.zeros(1, 2, dtype=torch.long), halting=False)
    if passes.calls != model.architecture.budget:
        del LADDER[rung.key]
        raise ValueError(f"two steps of {rung.key!r} execute {passes.calls} block passes, not {model.architecture.budget}: "
                         f"let its passes_per_step say how many one step takes")


def add(registry, entry, kind):
    if entry.key in registry:
        raise ValueError(f"the {kind} {entry.key!r} exists already: give yours another key")
    registry[entry.key] = entry


def load_plugins():
    """Run the files that the variable names, each once; they register what they define.

    Raises ValueError for a file that is not there, cannot be read as Python, or fails.
    """
    for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(name).resolve()
        module = f"tarm_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
        if module in sys.modules:
            continue
        if not path.is_file():
            raise ValueError(f"plugin {path} does not exist: {VARIABLE} and --plugin take Python files")
        spec = importlib.util.spec_from_file_location(module, path)
        sys.modules[module] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[module])
        except Exception as error:  # whatever a user's file may do wrong
            del sys.modules[module]
            raise ValueError(f"plugin {path} {failure(error, path)}") from error


def failure(error, path):
    """One line on an error that a file raised, with the line of the file where that is known."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f" in line {lines[-1]}" if lines else ""
    return f"failed{place}: {type(error).__name__}: {' '.join(str(error).split())}"

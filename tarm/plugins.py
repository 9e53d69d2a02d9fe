"""One's own tasks and rungs, from files outside the package."""

import hashlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path

import torch

from .architecture import build
from .decoding import Past
from .ladder import LADDER
from .ledger import PassCounter
from .profiles import PROFILES, setting
from .streams import stream
from .studies import members
from .tasks import TASKS, VOCABULARY

VARIABLE = "TARM_PLUGINS"  # files, separated as in PATH; worker processes and notebooks inherit it


def register_task(task, like="copy"):
    """Add a task beside the built-in ones; each profile runs it as it runs the task `like`.

    Raises ValueError for a key that is taken, a `like` that does not exist, and for problems of other shapes, types or
    characters than those of the built-in tasks.
    """
    if like not in TASKS:
        raise ValueError(f"like={like!r} is not a task: choose one of {', '.join(TASKS)}")
    check_problems(task, setting("smoke", like).fields["length"])
    add(TASKS, task, "task")
    for profile, settings in PROFILES.items():
        settings[task.key] = setting(profile, like)
    members.cache_clear()


def check_problems(task, length, n=8):
    """Draw a few problems of a task and look at them."""
    problems = task.problems(n, length, stream(0, "room"))
    for name, ids in problems._asdict().items():
        if ids.dim() != 2 or len(ids) != n or ids.dtype != torch.int64:
            raise ValueError(f"{name} of {n} problems of {task.key!r} is {tuple(ids.shape)}, {ids.dtype}: it must be "
                             f"({n}, its length), torch.int64")
        if not ids.numel() or not 0 <= ids.min() <= ids.max() < len(VOCABULARY):
            raise ValueError(f"{name} of {task.key!r} must be ids of one or more of the characters {VOCABULARY!r}, "
                             f"0 to {len(VOCABULARY) - 1}: write them with tarm.tasks.symbol or encode")


def register_rung(rung):
    """Add a rung after the seven published ones.

    Raises ValueError for a key that is taken; where a call of the model does not execute as many block passes as its
    `passes_per_step` says: budgets would mean something else than for other rungs; and where a text read in two parts is
    not what it is when read at once: decoding would write something else than was trained.
    """
    add(LADDER, rung, "rung")
    try:
        check_rung(rung.key)
    except BaseException:
        del LADDER[rung.key]
        raise
    members.cache_clear()


@torch.no_grad()
def check_rung(key):
    """Two steps of a tiny model of the rung, its parameters random, in float64, so that only a mistake makes a difference."""
    model = build(key, steps=2, width=8, heads=1, context=6, dropout=0.0).double().eval()
    for name, p in model.named_parameters():
        p.copy_(torch.randn(p.shape, generator=stream(0, "initialisation", name)))
    tokens = torch.arange(6).unsqueeze(0)
    with PassCounter(model) as passes:
        whole = model(tokens, halting=False).logits
    if passes.calls != model.architecture.budget:
        raise ValueError(f"two steps of {key!r} execute {passes.calls} block passes, not {model.architecture.budget}: "
                         f"let its passes_per_step say how many one step takes")
    past = Past(rows=1, room=6)
    parts = [model(part, halting=False, past=past.at(start)).logits for start, part in ((0, tokens[:, :3]), (3, tokens[:, 3:]))]
    if not torch.cat(parts, dim=1).allclose(whole):
        raise ValueError(f"{key!r} gives other logits for a text read in two parts than for the same text read at once: let "
                         f"positions meet inside f only, which never looks ahead and remembers what it has read")


def add(registry, entry, kind):
    if entry.key in registry:
        raise ValueError(f"the {kind} {entry.key!r} exists already: give yours another key")
    registry[entry.key] = entry


def plugin_files():
    """The files that the variable names, as paths."""
    return [Path(name).resolve() for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]


def load_plugins():
    """Run the files that the variable names, each once; they register what they define.

    Raises ValueError for a file that is not there, cannot be read as Python, or fails.
    """
    for path in plugin_files():
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

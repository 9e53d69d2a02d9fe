"""One's own tasks and rungs, from files outside the package."""

import hashlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

import torch

from .architecture import build, choose
from .budget import passes_per_step
from .decoding import Past
from .instruments import trace
from .ladder import LADDER, Rung
from .profiles import PROFILES, Setting, setting
from .runs import Run
from .streams import stream
from .studies import STUDIES, Job, Study, members
from .tasks import RESERVE_BELOW, TASKS, VOCABULARY, Problems, Task
from .training import check_room
from .variants import NAMED

VARIABLE = "TARM_PLUGINS"  # files, separated as in PATH; worker processes and notebooks inherit it


def register_task(task, like="copy", **fields):
    """Add a task beside the built-in ones; each profile runs it as it runs the task `like`, but for these fields of
    `tarm.runs.Run`, such as context=256.

    Raises ValueError for a key that is taken, a `like` that does not exist, for problems of other shapes, types or
    characters than those of the built-in tasks, for problems that do not fit the context, and for a prompt that
    does not tell problems apart.
    """
    if not isinstance(task, Task):
        raise ValueError(f"{task!r} is not a task: register_task takes a tarm.tasks.Task")
    if fixed := sorted({"task", "rung", "seed", "length"} & set(fields)):
        raise ValueError(f"{', '.join(fixed)} cannot be given for a task: rungs and seeds vary, "
                         f"and the lengths are those of like={like!r}")
    if like not in TASKS:
        raise ValueError(f"like={like!r} is not a task: choose one of {', '.join(TASKS)}")
    settings = {profile: Setting(known.fields | fields, known.schedule) for profile in PROFILES
                for known in [setting(profile, like)]}
    check_problems(task, settings["smoke"].fields["length"])
    for schedule in dict.fromkeys(each.schedule for each in settings.values()):
        for length in schedule.lengths + schedule.final_lengths:
            check_ids(task, length)
    add(TASKS, task, "task")
    try:
        for profile, each in settings.items():
            for rung in LADDER:
                check_room(Run(**{"rung": rung} | each.fields | {"task": task.key}), each.schedule)
    except Exception as error:
        del TASKS[task.key]
        raise ValueError(f"the task {task.key!r} cannot be run at profile {profile!r}: {error}. What register_task "
                         "is given are fields of tarm.runs.Run, and hold at every profile") from error
    for profile, each in settings.items():
        PROFILES[profile][task.key] = each
    members.cache_clear()


def register_study(name, jobs, profiles=("cpu",)):
    """Add a study: a list of runs that `python -m tarm sweep --study NAME` trains and `tarm.studies.jobs` names.

    jobs(profile, seed) -> [tarm.studies.Job(Run, Schedule), ...], the same whenever it is called. Raises ValueError for
    a name that is taken, a profile that does not exist, for anything else than jobs, and for a run that its schedule
    does not evaluate at its own length.
    """
    if name in STUDIES:
        raise ValueError(f"the study {name!r} exists already: give yours another name")
    profiles = (profiles,) if isinstance(profiles, str) else profiles
    if not profiles:
        raise ValueError(f"the study {name!r} has no profile: choose from {', '.join(PROFILES)}")
    for profile in profiles:
        choose("profile", profile, PROFILES)
        for seed in 0, 1:
            made = jobs(profile, seed)
            unfit = not made or made != jobs(profile, seed)
            if unfit or not all(isinstance(job, Job) and job.run.seed == seed for job in made):
                raise ValueError(f"jobs of the study {name!r} gives no list of jobs at profile {profile!r}, "
                                 "another one each time, or jobs of another seed than it is given: "
                                 "it must return [tarm.studies.Job(Run(..., seed=seed), Schedule(...)), ...]")
            for run, schedule in made:
                evaluated = schedule.lengths + schedule.final_lengths
                if run.length not in evaluated:
                    raise ValueError(f"the study {name!r} trains on length={run.length} and evaluates at {evaluated}: "
                                     "let its schedule have that length too, as in "
                                     f"dataclasses.replace(schedule, lengths=(*schedule.lengths, {run.length}))")
    STUDIES[name] = Study(jobs, tuple(profiles))
    members.cache_clear()


def check_problems(task, length, n=8):
    """Draw a few problems of a task and look at them."""
    problems = check_ids(task, length, n)
    if any(not torch.equal(one, other) for one, other in zip(problems, task.problems(n, length, stream(0, "room")))):
        raise ValueError(f"{task.key!r} writes other problems when it is given the same digits again: "
                         "let write depend on them alone")
    if len(task.chance(length)) != problems.answer.shape[1]:
        raise ValueError(f"{task.key!r} has a distribution of {len(task.chance(length))} "
                         f"characters at length {length}, and answers of {problems.answer.shape[1]}")
    while length > 1 and task.count(length) >= RESERVE_BELOW:  # where nothing is reserved
        length -= 1
    trained, unseen = (set(map(tuple, task.problems(1000, length, stream(0, "prompts"), reserved).prompt.tolist()))
                       for reserved in (False, True))
    if task.count(length) < RESERVE_BELOW and trained & unseen:
        raise ValueError(f"{task.key!r} writes the same prompt for several problems of {length} digits, "
                         "so that problems kept from training would be met there all the same: "
                         "let each string of digits have its own prompt")


def check_ids(task, length, n=8):
    """A few problems of this length, -> Problems, their shapes, types and characters looked at."""
    problems = task.problems(n, length, stream(0, "room"))
    if not isinstance(problems, Problems):
        raise ValueError(f"write of {task.key!r} returns a {type(problems).__name__}: "
                         "let it return tarm.tasks.Problems(prompt, answer)")
    for name, ids in problems._asdict().items():
        if ids.dim() != 2 or len(ids) != n or ids.dtype != torch.int64:
            raise ValueError(f"{name} of {n} problems of {task.key!r} is {tuple(ids.shape)}, {ids.dtype}: it must be "
                             f"({n}, its length), torch.int64")
        if not ids.numel() or not 0 <= ids.min() <= ids.max() < len(VOCABULARY):
            raise ValueError(f"{name} of {task.key!r} at {length} digits must be ids of one or "
                             f"more of the characters {VOCABULARY!r}, 0 to {len(VOCABULARY) - 1}: "
                             "write them with tarm.tasks.symbol or encode")
    return problems


def register_rung(rung):
    """Add a rung after the seven published ones. (A field that a step of its own passes over, such as sum, still makes
    another run of the same model: leave it as published.)

    Raises ValueError for a key that is taken, and a colour that matplotlib does not know; where a step takes
    another number of block passes than 1, 2, 3 or 6: the budgets of profiles and chapters, 6, 12, 18 and 24,
    could not be spent; where a call of the model does not execute as many as its `passes_per_step` says: budgets would
    mean something else than for other rungs; where a text read in parts, with what was remembered of it, is not what it
    is when read at once: decoding would write something else than was trained; and where it depends on the other texts
    of its batch.
    """
    from matplotlib.colors import is_color_like, to_hex  # takes a while, and only whoever adds a rung needs it

    if not isinstance(rung, Rung):
        raise ValueError(f"{rung!r} is not a rung: register_rung takes a tarm.ladder.Rung, whose `model` is the class")
    if rung.colour == "none" or not is_color_like(rung.colour):
        raise ValueError(f"colour={rung.colour!r} of the rung {rung.key!r} is not known: "
                         "write it as matplotlib does, such as '#5aa02c'")
    if not hasattr(rung.model, "core"):
        raise ValueError(f"the model of the rung {rung.key!r} has no "
                         "core(x, f, steps, halting, generator, past), which says what a rung does "
                         "(see tarm.language_model.LanguageModel): write one, or inherit from a rung that has")
    add(LADDER, rung._replace(colour=to_hex(rung.colour)), "rung")  # which SVG and HTML know too
    try:
        check_rung(rung.key)
    except BaseException:
        del LADDER[rung.key]
        raise
    members.cache_clear()


@torch.no_grad()
def drawn(key, budget):
    """A tiny model of the rung, its parameters random, in float64, so that only a mistake makes a difference."""
    model = build(key, budget=budget, width=8, heads=1, context=6, dropout=0.0).double().eval()
    for name, p in model.named_parameters():
        p.copy_(torch.randn(p.shape, generator=stream(0, "initialisation", name)))
    return model


def unfilled(key, budget):
    """The names of parameters that nothing gives a value."""
    before = torch.get_deterministic_debug_mode()
    # then memory that is not filled holds nan (use_deterministic_algorithms does so too, and imports the compiler)
    torch.set_deterministic_debug_mode("error")
    try:
        model = build(key, budget=budget, width=8, heads=1, context=6)
    finally:
        torch.set_deterministic_debug_mode(before)
    return [name for name, p in model.named_parameters() if not p.isfinite().all()]


@torch.no_grad()
def check_rung(key):
    """A few steps of a tiny model of the rung."""
    per_step = passes_per_step(key, 2, 2)
    if per_step not in (1, 2, 3, 6):
        raise ValueError(f"a step of {key!r} takes {per_step} block passes, "
                         "which do not spend the budgets of profiles and chapters (6, 12, 18 and 24) exactly: "
                         "let it take 1, 2, 3 or 6")
    if left := unfilled(key, 2 * per_step):
        raise ValueError(f"{key!r} leaves {', '.join(left)} as torch.empty made it: give it values, "
                         "or name it in `initial_states`: only these, linear layers and embeddings are drawn for it")
    model = drawn(key, 2 * per_step)
    tokens = torch.arange(6).unsqueeze(0)
    passes, output = trace(model, tokens, halting=False)
    whole = output.logits
    if len(passes) != model.architecture.budget:
        raise ValueError(f"two steps of {key!r} execute {len(passes)} block passes, not {model.architecture.budget}: "
                         "let its passes_per_step say how many one step takes")
    if unknown := {one.stream for one in passes} - set(model.streams):
        raise ValueError(f"{key!r} updates the stream {', '.join(sorted(unknown))}, and has "
                         f"{', '.join(model.streams)}: name them all in its `streams`")
    past = Past(rows=1, room=6)
    parts = [model(part, halting=False, past=past.at(start)).logits
             for start, part in ((0, tokens[:, :3]), (3, tokens[:, 3:]))]
    if not torch.cat(parts, dim=1).allclose(whole):
        raise ValueError(f"{key!r} gives other logits for a text read in two parts than for the same text "
                         "read at once: let positions meet inside f only, which never looks ahead "
                         "and remembers what it has read")
    two = torch.cat([tokens, tokens.roll(1, 1)])
    together = model(two, halting=False).logits
    alone = torch.cat([model(row, halting=False).logits for row in two.split(1)])
    if not together.allclose(alone):
        raise ValueError(f"{key!r} gives other logits for a text beside another one than for the same text "
                         "alone: let rows of a batch not meet")
    model = drawn(key, 6 * per_step if model.tied else model.architecture.budget)
    for start in range(4):  # of several texts, since where each halts differs
        text, past = tokens.roll(start, 1), Past(rows=1, room=6)
        for t in range(6):
            alone = model(text[:, t:t + 1], past=past.at(t)).logits[:, -1]
            if not alone.allclose(model(text[:, :t + 1]).logits[:, -1]):
                raise ValueError(f"{key!r} gives other logits for a text read one character at a time "
                                 "than for the same text read at once, where its loop may end early: let `past` "
                                 "catch up on the steps that earlier characters did not take, as Universal does")


def add(registry, entry, kind):
    if not str(entry.key).isidentifier():
        raise ValueError(f"the {kind}'s key {entry.key!r} is no name: use letters, digits and _ only, as in my_{kind}")
    if entry.key in NAMED:
        raise ValueError(f"{entry.key!r} is the name of a variant: give your {kind} another key")
    if entry.key in registry:
        raise ValueError(f"the {kind} {entry.key!r} exists already: give yours another key; one that you have changed "
                         "is registered anew by a new process (in a notebook: restart the kernel)")
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
        files = [vars(one).get("__file__") for one in [*sys.modules.values()] if isinstance(one, ModuleType)]
        if any(file and Path(file).name == path.name and Path(file).resolve() == path for file in files):
            continue  # run already, or, where it is a script or was imported, and has imported tarm, running now
        if not path.is_file():
            raise ValueError(f"plugin {path} does not exist: {VARIABLE} and --plugin take Python files")
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # for what it imports from beside it
        spec = importlib.util.spec_from_file_location(module, path)
        registries, modules = (LADDER, TASKS, STUDIES, *PROFILES.values()), set(sys.modules)
        sys.modules[module] = importlib.util.module_from_spec(spec)
        if importable(path):
            # `import` of it gets this one, and registers nothing again
            sys.modules.setdefault(path.stem, sys.modules[module])
        before = [dict(registry) for registry in registries]
        try:
            spec.loader.exec_module(sys.modules[module])
        except Exception as error:  # whatever a user's file may do wrong
            for name in set(sys.modules) - modules:  # what it imported from beside it is to run again as well
                if Path(getattr(sys.modules[name], "__file__", None) or "").parent == path.parent:
                    del sys.modules[name]
            for registry, entries in zip(registries, before):
                registry.clear(), registry.update(entries)
            members.cache_clear()
            raise ValueError(f"plugin {path} {failure(error, path)}") from error


def importable(path):
    """Does `import` of the file's name find this file?"""
    try:
        found = importlib.util.find_spec(path.stem)
    except (ImportError, ValueError):  # a name with a dot or so
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == path


def failure(error, path):
    """One line on an error that a file raised, with the line of the file where that is known."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f" in line {lines[-1]}" if lines else ""
    return f"failed{place}: {type(error).__name__}: {' '.join(str(error).split())}"

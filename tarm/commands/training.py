"""Commands that train: one run, or the list of a study."""

import shlex
from dataclasses import fields, replace
from pathlib import Path

import torch

from ..architecture import at_least, choose
from ..estimate import decoding_rate, evaluation_flop, seconds_per_step
from ..profiles import setting
from ..runs import Run
from ..store import Store
from ..studies import STUDIES, Job, jobs
from ..sweep import sweep
from ..tasks import TASKS
from ..training import check_room
from ..variants import spelt_out
from .options import choose_device, complain, field_value, seed_list


def without_folders(word):
    """A word of a command line; of a path of this machine, which means nothing on another, its last part."""
    option, sign, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + sign + (Path(value).name if Path(value).is_absolute() else value)


def train_and_report(these, arguments):
    """Run jobs in the store given, and say what there is now."""
    store, device = Store(arguments.store), choose_device(arguments.device)
    command = "python -m tarm " + shlex.join(map(without_folders, arguments.words))
    print(f"device: {device}", flush=True)
    for job in these:
        check_room(job.run, job.schedule)
    store.root.mkdir(parents=True, exist_ok=True)  # an error now rather than after the first run
    there = sum(store.has(*job) for job in these)
    done = sweep(these, store, device, arguments.jobs, arguments.threads, command, arguments.minutes,
                 arguments.save_every, arguments.recompute, arguments.compile)
    print(f"{len(these)} runs: {there + done.elsewhere} there, {done.finished} finished now, {done.left} left, "
          f"{len(done.failed)} failed: {store.root}")
    if done.failed:
        raise RuntimeError(f"{len(done.failed)} runs failed, the first: {done.failed[0]}")
    complain(store.usable({job.run.hash for job in these})[1])
    return store, done.left


def command_train(arguments):
    given = {field.name: field_value(field, text) for field in fields(Run)
             if (text := getattr(arguments, field.name)) is not None}
    choose("task", arguments.task, TASKS)
    fields_of, schedule = setting(arguments.profile, arguments.task)
    base = fields_of if not {"budget", "steps"} & set(given) else {
        name: value for name, value in fields_of.items() if name != "budget"}
    run = Run(**base | spelt_out(given))
    if run.length not in schedule.lengths:
        schedule = replace(schedule, lengths=(run.length,), final_lengths=())
    train_and_report([Job(run, schedule)], arguments)


def command_sweep(arguments):
    filters = {field.name: [field_value(field, text) for text in given.split(",")] for field in fields(Run)
               if field.name != "seed" and (given := getattr(arguments, field.name)) is not None}
    profiles = STUDIES[arguments.study].profiles
    profile = arguments.profile or ("cpu" if "cpu" in profiles else profiles[0])
    these = jobs(profile, arguments.study, seed_list(arguments.seeds), **filters)
    if arguments.dry_run:
        return list_with_estimate(these, arguments)
    train_and_report(these, arguments)


COSTS_NOTHING = {"learning_rate": 1e-3, "eps": 1e-8, "weight_decay": 0.01, "warmup": 0, "decay": "none", "stop_at": 0.0}


def list_with_estimate(these, arguments):
    """Say what a sweep would train, and how long that takes going by a few steps of each kind."""
    store, device = Store(arguments.store), choose_device(arguments.device)
    at_least(1, "jobs", 1 if arguments.jobs is None else arguments.jobs)
    torch.set_num_threads(at_least(1, "threads", 1 if arguments.threads is None else arguments.threads))
    measured, total = {}, 0.0
    for job in these:
        if store.has(*job):
            print(f"{'there':>7}  {job.run}")
            continue
        kind = replace(job.run, seed=0, steps=None, **COSTS_NOTHING)
        if kind not in measured:
            measured[kind] = (seconds_per_step(kind, device, 2, arguments.recompute, arguments.compile),
                              decoding_rate(kind, device))
        per_step, rate = measured[kind]
        if store.has(job.run) and store.weights_path(job.run.hash).exists():
            # what is left are evaluations with other numbers of steps
            missing = set(job.schedule.other_steps) - store.other_steps(store.load(job.run.hash))
            seconds = evaluation_flop(job.run, replace(job.schedule, lengths=(), final_lengths=(),
                                                       other_steps=tuple(missing))) / rate
        else:
            seconds = per_step * job.run.training_steps + evaluation_flop(job.run, job.schedule) / rate
        total += seconds / 3600
        shown = f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds:.0f} s"
        print(f"{shown:>7}  {job.run}", flush=True)
    print(f"{total:.2f} hours, evaluation included, on one {device} process of {torch.get_num_threads()} threads, "
          "going by 2 steps of each kind of run and 16 problems")

"""How much arithmetic a run takes, and how long that is on this machine, going by a little of it."""

import time

import torch

from .budget import flop_per_pass
from .decoding import decodings, gumbel
from .ladder import LADDER
from .tasks import TASKS
from .training import Progress


def backward_passes(run):
    """Nominal passes through which autograd goes back, of `run.budget` (see the rungs' docstrings)."""
    cycle = run.inner + 1
    if run.window.isdecimal():
        return int(run.window)
    if not LADDER[run.rung].model.nested or run.window == "all":
        return run.budget
    reads_the_last = LADDER[run.rung].model.halting_head == "q_halt" and not run.changes_what_is_read  # as rung 7 does
    steps = 1 if reads_the_last else run.steps
    return steps * cycle * (run.outer if run.window == "step" else 1)


def positions(task, length):
    """Input positions of a training row, and characters of an answer."""
    prompt, answer = TASKS[task].sizes(length)
    return prompt + answer, answer


def step_flop(run):
    """FLOP of a training step's block passes when all of them run; backward costs two forward."""
    T, _ = positions(run.task, run.length)
    return run.batch * T * (run.budget + 2 * backward_passes(run)) * flop_per_pass(run.width, T)


def decoding_flop(run, length, problems):
    """FLOP of decoding problems twice, greedy and sampled, if no character of the draft is accepted."""
    T, A = positions(run.task, length)
    return problems * (T + 2 * (A - 1)) * run.budget * flop_per_pass(run.width, T)


def seconds_per_step(run, device, steps=2, recompute=False, compiled=False):
    """Measured seconds of a training step: the mean of a few after a first one."""
    progress = Progress(run, device, recompute, compiled)
    progress.train_step()
    progress.settle()  # waits for the device
    began = time.perf_counter()
    for _ in range(steps):
        progress.train_step()
    progress.settle()
    return (time.perf_counter() - began) / steps


def decoding_rate(run, device, problems=16):
    """Measured FLOP a second of decoding twice, at the training length, with an untrained model."""
    model = run.build().to(device).eval()
    prompt, answer = TASKS[run.task].problems(problems, run.length, torch.Generator().manual_seed(0))
    prompt, answer, noise = (part.to(device) for part in (
        prompt, answer, gumbel((*answer.shape, run.vocabulary), torch.Generator().manual_seed(0))))
    began = time.perf_counter()
    decodings(model, prompt, answer.shape[1], (None, noise), answer)[1].cpu()  # waits for the device
    return decoding_flop(run, run.length, problems) / (time.perf_counter() - began)


def evaluation_flop(run, schedule):
    """FLOP of all evaluations of a run, seen and unseen problems, where no draft helps."""
    lengths = [length for step in range(1, run.training_steps + 1)
               for length in schedule.lengths_at(step, run.training_steps)]
    others = decoding_flop(run, run.length, 2 * schedule.problems) * sum(schedule.other_steps) / run.steps
    return sum(decoding_flop(run, length, 2 * schedule.problems) for length in lengths) + others

"""Training: one flat loop for every rung and task, which can be left and taken up again."""

import contextlib
import math
import time
from functools import partial
from typing import NamedTuple

import torch
from torch.utils.checkpoint import checkpoint

from .evaluation import evaluate, evaluation_problems, latest_accuracy
from .ladder import LADDER
from .ledger import Ledger, PassCounter
from .memory import forget_peak, peak
from .runs import BETAS
from .streams import stream, stream_seed, training_stream
from .tasks import TASKS

REPORT_EVERY = 10  # training steps between two looks at the loss, each a wait for the device


class Stopped(Exception):
    """The time was up before the run was finished; what it had done is saved."""


class Result(NamedTuple):
    """A trained model and what was measured on the way; diverged_at: the first training step
    whose loss was not a finite number, or None. other_steps: {steps of the recurrence: Scores}, of the trained model
    run for another number of them than it was trained with."""

    model: torch.nn.Module
    losses: list
    scores: list
    ledger: dict
    diverged_at: int | None
    other_steps: dict


class Progress:
    """A run between two training steps: everything it needs to go on from there.

    recompute: keep of each block pass no more than its input, and run it again when its gradient
    is taken (activation checkpointing, Chen et al. 2016): the same numbers in less memory.
    compiled: training's block passes go through torch.compile, which joins many small operations into few: for GPUs,
    where starting them is what a step of a tiny model waits for. The sums are added up in another order, and dropout
    draws other numbers.
    """

    def __init__(self, run, device, recompute=False, compiled=False):
        self.run, self.device, self.compiled = run, device, compiled
        if compiled and run.dropout_stream == "bits":
            raise ValueError(f"dropout_stream={run.dropout_stream} cannot be compiled: leave out --compile, "
                             "or use dropout_stream=torch")
        self.model = run.build().to(device).train()
        for block in self.model.block if compiled else ():
            block.forward = compiled_in_training(block)
        for block in self.model.block if recompute else ():
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=run.learning_rate, betas=BETAS, eps=run.eps,
            weight_decay=run.weight_decay, fused=torch.device(device).type in ("cpu", "cuda"))
        self.problems = training_stream(run.seed)
        self.exploration = stream(run.seed, "exploration")
        self.ledger = Ledger(self.model)
        self.step, self.losses, self.scores = 0, [], []
        self.measured = {"training_seconds": 0.0, "evaluation_seconds": 0.0, "peak_memory": None}
        forget_peak(device)

    def train_step(self):
        """One step: draw a batch, forward, backward, update (one for each call that the rung makes); count it."""
        run = self.run
        for group in self.optimiser.param_groups:
            group["lr"] = run.learning_rate_at(self.step + 1)
        tokens, targets = TASKS[run.task].problems(run.batch, run.length, self.problems, reserved=False).batch()
        tokens, targets = tokens.to(self.device), targets.to(self.device)
        losses = []
        with PassCounter(self.model) as passes:
            for output in self.model.calls(tokens, generator=self.exploration, window=run.window_at(self.step + 1)):
                loss = self.model.loss(output, targets)
                self.optimiser.zero_grad()
                loss.backward()
                if run.clip:
                    torch.nn.utils.clip_grad_norm_(self.model.parameters(), run.clip)
                self.optimiser.step()
                losses.append(loss.detach())
        self.step += 1
        self.ledger.add(passes, output, targets)
        self.losses.append(sum(losses) / len(losses))

    def look_at_memory(self):
        """Note the peak so far, an interrupted call's included."""
        self.measured["peak_memory"] = max(filter(None, (self.measured["peak_memory"], peak(self.device))),
                                           default=None)

    def settle(self):
        """Turn losses still on the device into numbers; -> the first step with one that is not finite, or None."""
        recent = len(self.losses)
        while recent and torch.is_tensor(self.losses[recent - 1]):
            recent -= 1
        self.losses[recent:] = [float(loss) for loss in self.losses[recent:]]
        return next((step for step, loss in enumerate(self.losses, 1) if not math.isfinite(loss)), None)


def compiled_in_training(block):
    """A block's forward, compiled for training; its own in evaluation, where every call has another shape."""
    settings = torch._dynamo.config
    settings.recompile_limit, settings.fail_on_recompile_limit_hit = 64, True  # one process trains models of many sizes
    own, compiled = block.forward, torch.compile(block.forward, dynamic=False)

    def forward(*given, **named):
        return (compiled if block.training else own)(*given, **named)
    return forward


def train(run, schedule, device="cpu", report=lambda step, loss, accuracy: None, keeper=None,
          recompute=False, compiled=False):
    """Train one run and evaluate it on its schedule (arXiv 2603.08082); -> Result.

    `report(step, loss, accuracy)` is called as training goes on; accuracy is the last greedy
    character accuracy on unseen problems at the training length, None before there is one. A
    run whose loss is no longer finite stops at most ten steps later. keeper (see `tarm.checkpoint`) saves the
    progress now and then, and gives back what an interrupted call had saved; where its time is
    up, the progress is saved and Stopped raised. recompute, compiled: see Progress. Raises ValueError
    as `check_room` does.
    """
    check_room(run, schedule)
    now = Progress(run, device, recompute, compiled)
    problems = {length: evaluation_problems(run, length, schedule.problems, training_stream(run.seed))
                for length in schedule.lengths + schedule.final_lengths}
    accuracy, diverged_at = None, None

    with dropout_from(run.seed, device):
        if keeper:
            keeper.resume(now)
            accuracy = latest_accuracy(now.scores, run.length)
        while now.step < run.training_steps and not diverged_at and not learned(run, accuracy):
            began = time.perf_counter()
            now.train_step()
            lengths = schedule.lengths_at(now.step, run.training_steps)
            if now.step % REPORT_EVERY == 0 or lengths or now.step == run.training_steps:
                diverged_at = now.settle()
                report(now.step, now.losses[-1], accuracy)
            trained = time.perf_counter()
            now.measured["training_seconds"] += trained - began

            for length in () if diverged_at else lengths:
                now.scores += evaluate(now.model, problems[length], length, now.step, run.seed)
                accuracy = latest_accuracy(now.scores, run.length)
            now.measured["evaluation_seconds"] += time.perf_counter() - trained
            if keeper and not diverged_at and now.step < run.training_steps:
                keeper.visit(now)

    report(now.step, now.losses[-1], accuracy)
    began = time.perf_counter()
    for length in schedule.final_lengths if now.step < run.training_steps and not diverged_at else ():  # it has learned
        now.scores += evaluate(now.model, problems[length], length, now.step, run.seed)
    others = {} if diverged_at else {
        steps: evaluate(now.model, problems[run.length], run.length, now.step, run.seed, steps)
        for steps in schedule.other_steps}
    now.measured["evaluation_seconds"] += time.perf_counter() - began
    now.look_at_memory()
    for block in now.model.block:  # what was compiled, or is run again, was so for training
        vars(block).pop("forward", None)
    return Result(now.model.eval(), now.losses, now.scores, now.ledger.summary() | now.measured, diverged_at, others)


@contextlib.contextmanager
def dropout_from(seed, device):
    """The global random stream seeded for a run's dropout, then put back; in training nothing else draws from it."""
    kind = torch.device(device).type
    on_mps = torch.mps.get_rng_state() if kind == "mps" else None  # which fork_rng does not know
    with torch.random.fork_rng(devices=[device] if kind == "cuda" else []):
        torch.manual_seed(stream_seed(seed, "dropout"))
        try:
            yield
        finally:
            if on_mps is not None:
                torch.mps.set_rng_state(on_mps)


def learned(run, accuracy):
    """Is the last accuracy (None before there is one) that at which the run is to end?"""
    return bool(run.stop_at and accuracy is not None and accuracy >= run.stop_at)


def check_room(run, schedule):
    """Raise ValueError, before anything is trained, where an evaluated length does not fit the context, a run could not
    tell when to end, or a model cannot run the other numbers of steps that are to be evaluated."""
    if run.stop_at and run.length not in schedule.lengths:
        raise ValueError(f"stop_at={run.stop_at} asks for the accuracy at the training length, "
                         f"{run.length}, which is not among the lengths {schedule.lengths}: add it")
    if schedule.other_steps and run.length not in schedule.lengths_at(run.training_steps, run.training_steps):
        raise ValueError(f"other_steps={schedule.other_steps} are evaluated at the training length, {run.length}, "
                         f"which is not among the lengths {schedule.lengths}: add it")
    if set(schedule.other_steps) - {run.steps} and not LADDER[run.rung].model.tied:
        raise ValueError(f"other_steps={schedule.other_steps}: {run.rung} has a block for each "
                         f"of its {run.steps} steps and cannot run others; leave them out")
    for length in (run.length, *schedule.lengths, *schedule.final_lengths):
        tokens, _ = TASKS[run.task].problems(1, length, stream(0, "room")).batch()
        if tokens.shape[1] > run.context:
            raise ValueError(f"{run.task} of {length} digits takes {tokens.shape[1]} positions, context={run.context} "
                             "has fewer: raise the context or lower the length")

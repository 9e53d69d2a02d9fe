"""Training: one flat loop for every rung and task."""

import math
import time
from typing import NamedTuple

import torch

from .evaluation import character_accuracy, evaluate, evaluation_problems
from .ledger import Ledger, PassCounter
from .runs import BETAS
from .streams import stream, stream_seed, training_stream
from .tasks import TASKS

REPORT_EVERY = 10  # training steps between two looks at the loss, each a wait for the device


class Result(NamedTuple):
    """A trained model and what was measured on the way; diverged_at: the first training step
    whose loss was not a finite number, or None."""

    model: torch.nn.Module
    losses: list
    scores: list
    ledger: dict
    diverged_at: int | None


def train(run, schedule, device="cpu", report=lambda step, loss, accuracy: None):
    """Train one run and evaluate it on its schedule (arXiv 2603.08082); -> Result.

    `report(step, loss, accuracy)` is called as training goes on; accuracy is the last greedy
    character accuracy on unseen problems at the training length, None before there is one. A
    run whose loss is no longer finite stops there.
    """
    task = TASKS[run.task]
    model = run.build(run.seed).to(device).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.learning_rate, betas=BETAS, eps=run.eps,
                                  weight_decay=run.weight_decay, fused=True)
    problems = {length: evaluation_problems(run, length, schedule.problems, training_stream(run.seed))
                for length in schedule.lengths + schedule.final_lengths}
    training_problems = training_stream(run.seed)
    exploration = stream(run.seed, "exploration")
    ledger, losses, scores, accuracy, diverged_at = Ledger(model), [], [], None, None
    evaluation_seconds, start = 0.0, time.perf_counter()

    with torch.random.fork_rng(devices=[device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(stream_seed(run.seed, "dropout"))  # in training nothing else draws from the global stream
        for step in range(1, run.training_steps + 1):
            tokens, targets = task.problems(run.batch, run.length, training_problems, reserved=False).batch()
            tokens, targets = tokens.to(device), targets.to(device)
            with PassCounter(model) as passes:
                output = model(tokens, generator=exploration)
                loss = model.loss(output, targets)
                optimiser.zero_grad()
                loss.backward()
            optimiser.step()
            ledger.add(passes, output, targets)
            losses.append(loss.detach())

            if step % REPORT_EVERY == 0 or step == run.training_steps:
                losses[-REPORT_EVERY:] = [float(value) for value in losses[-REPORT_EVERY:]]
                diverged_at = next((i for i, value in enumerate(losses, 1) if not math.isfinite(value)), None)
                report(step, losses[-1], accuracy)
            if diverged_at:
                break
            began = time.perf_counter()
            for length in schedule.lengths_at(step, run.training_steps):
                scores += evaluate(model, problems[length], length, step, run.seed)
                if length == run.length:
                    accuracy = character_accuracy([score for score in scores if score.step == step], length)
            evaluation_seconds += time.perf_counter() - began

    report(len(losses), losses[-1], accuracy)
    seconds = {"training_seconds": time.perf_counter() - start - evaluation_seconds,
               "evaluation_seconds": evaluation_seconds}
    return Result(model.eval(), losses, scores, ledger.summary() | seconds, diverged_at)

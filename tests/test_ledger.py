"""The ledger: passes that ran, were read, and received a gradient, by hand."""

import subprocess
import sys

import pytest
import torch

from tarm import build, memory
from tarm.language_model import Output
from tarm.ledger import Ledger, PassCounter
from tarm.runs import Run, Schedule
from tarm.tasks import IGNORE, TASKS
from tarm.training import train


TINY = {"width": 16, "heads": 2, "budget": 24, "context": 24, "dropout": 0.0}


def entry(rung, **fields):
    """The ledger of one training step on four copies of 4 digits: 4 x 9 inputs, 4 x 5 supervised."""
    model = build(rung, **TINY | fields)
    tokens, targets = TASKS["copy"].problems(4, 4, torch.Generator().manual_seed(0)).batch()
    with PassCounter(model) as passes:
        output = model(tokens)
        model.loss(output, targets).backward()
    ledger = Ledger(model)
    ledger.add(passes, output, targets)
    return ledger.summary()


@pytest.mark.parametrize("rung, fields, backward, trained", [
    ("dense", {}, 24, 24),
    ("iterative_step", {}, 24, 24),
    ("iterative", {"window": 5}, 5, 5),
    # a step is 2 cycles of 3 passes; the last cycle of each of the 4 steps is differentiated, and ACT reads every y
    ("dual_nested_ut", {"halting_bias": -3.0}, 12, 12),
    # and here only the last y is read
    ("ar_trm", {}, 3, 3),
    ("ar_trm", {"window": "step"}, 6, 6),
    ("ar_trm", {"window": "all"}, 24, 24),
    ("ar_trm", {"steps": 1, "budget": None, "outer": 1}, 3, 3),
])
def test_passes_that_receive_a_gradient(rung, fields, backward, trained):
    summary = entry(rung, **fields)
    nominal = 3 if "steps" in fields else 24
    assert summary["nominal_passes"] == summary["executed_passes"] == summary["weighted_passes"] == nominal
    assert (summary["backward_passes"], summary["trained_passes"]) == (backward, trained)


def test_passes_of_weight_zero_are_executed_and_not_trained():
    """ACT that never halts reads the last y only: 12 passes are differentiated, 3 get a gradient that is not 0."""
    summary = entry("dual_nested_ut", halting_bias=-1e9)
    assert (summary["executed_passes"], summary["backward_passes"], summary["trained_passes"]) == (24, 12, 3)


def test_passes_that_ran_are_counted_and_not_inferred():
    """A halting bias of 0 makes p about a half, so that the Universal Transformer stops after 2 or 3 of 24 steps."""
    summary = entry("universal")
    assert summary["nominal_passes"] == 24
    assert 2 <= summary["weighted_passes"] <= summary["executed_passes"] <= 3


def test_counter_counts_block_calls_and_takes_its_hooks_off():
    model = build("ar_trm", **TINY)
    tokens = torch.zeros(1, 3, dtype=torch.long)
    with PassCounter(model) as passes:
        model(tokens)
        model(tokens, steps=2)
    model(tokens)
    assert passes.calls == 24 + 12


@pytest.mark.parametrize("rung, per_step", [("universal", 1), ("dual_ut", 2)])
def test_weighted_passes_of_act(rung, per_step):
    """Two supervised positions of four halt at steps 2 and 5 of the 6 that ran: 3.5 steps, of 1 or 2 passes."""
    model = build(rung, **TINY)
    targets = torch.tensor([[IGNORE, IGNORE, 1, 2]])
    output = Output(logits=None, ponder=None, halted_at=torch.tensor([[6, 6, 2, 5]]), steps=6)
    passes = PassCounter(model)
    passes.calls = 6 * per_step
    ledger = Ledger(model)
    ledger.add(passes, output, targets)
    assert ledger.summary()["weighted_passes"] == 3.5 * per_step


def test_counts_of_tokens_parameters_and_flop():
    """One step of ar_trm: 36 inputs, 20 supervised, forward through 24 passes, backward (twice the cost) through 3."""
    summary = entry("ar_trm")
    B, T, C = 4, 9, 16
    assert (summary["tokens"], summary["supervised_tokens"], summary["pass_tokens"]) == (36, 20, 24 * 36)
    assert summary["training_flop"] == B * T * (24 + 2 * 3) * (24 * C**2 + 4 * T * C)
    assert summary["parameters"] == sum(p.numel() for p in build("ar_trm", **TINY).parameters())


def test_a_run_has_one_ledger_over_all_its_steps():
    """Three steps of two copies of 2 digits (5 inputs, 3 supervised each); seconds come with it."""
    run = Run(rung="iterative", task="copy", length=2, batch=2, training_steps=3, **TINY)
    ledger = train(run, Schedule(3, (2,), problems=2)).ledger
    assert set(ledger) == {
        "nominal_passes", "executed_passes", "weighted_passes", "backward_passes", "trained_passes", "tokens",
        "supervised_tokens", "pass_tokens", "parameters", "training_flop", "training_seconds", "evaluation_seconds",
        "peak_memory"}
    assert (ledger["tokens"], ledger["supervised_tokens"], ledger["executed_passes"]) == (30, 18, 24)
    assert ledger["training_flop"] == 30 * 24 * 3 * (24 * 16**2 + 4 * 5 * 16)
    assert ledger["training_seconds"] > 0 and ledger["evaluation_seconds"] > 0
    assert sys.platform == "win32" or ledger["peak_memory"] > 2**20


PEAKS = """
import torch
from tarm.memory import forget_peak, peak
from tarm.runs import Run, Schedule
from tarm.training import train

run = Run(rung="iterative", task="copy", length=2, batch=2, training_steps=3, width=16, heads=2, budget=6,
          context=24, dropout=0)
train(run, Schedule(3, (2,), problems=2))  # loads what is loaded once
first = train(run, Schedule(3, (2,), problems=2)).ledger["peak_memory"]
pieces = [torch.ones(2**14) for _ in range(1600)]  # 100 MiB in pieces of 64 KiB, which malloc takes from its heap
last = torch.ones(2**10)                           # and keeps when they are freed, this one being above them
del pieces
print(first, train(run, Schedule(3, (2,), problems=2)).ledger["peak_memory"])
"""


def test_a_system_that_does_not_say_its_peak_has_none(monkeypatch):
    """As some containers."""
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.Path, "read_text", lambda *_, **options: "Name:\tpython\n")
    assert memory.peak() is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak is that of the whole process")
def test_the_peak_of_a_run_knows_nothing_of_what_was_freed_before_it():
    """Two equal runs in one process, 100 MiB allocated and freed between them:
    their peaks differ by less than 20 MiB."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert abs(second - first) < 20 * 2**20

"""What a GPU computes is what the CPU computes, compiled or not; and a seed gives the same run twice.

Passed over where there is no CUDA."""

import json
from dataclasses import replace

import pytest
import torch

from tarm import LADDER, build
from tarm.__main__ import main
from tarm.decoding import generate
from tarm.runs import Run, Schedule
from tarm.streams import stream
from tarm.studies import CURED
from tarm.tasks import TASKS
from tarm.training import Progress, dropout_from, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")

FIELDS = {"width": 48, "heads": 3, "budget": 12, "context": 32}
RUN = Run(rung="ar_trm", task="addition", length=3, batch=8, training_steps=6, learning_rate=1e-3, **FIELDS)
SCHEDULE = Schedule(3, (3,), problems=8)
MODELS = [{"rung": rung} for rung in LADDER] + [CURED]


def problems():
    return TASKS["addition"].problems(8, 3, stream(0, "gpu"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: " ".join(model.values()))
def test_logits_and_gradients_agree_with_the_cpus(model):
    """In float64, where nothing but the order of additions differs."""
    tokens, targets = problems().batch()
    found = []
    for device in "cpu", "cuda":
        here = build(dropout=0, **model, **FIELDS).double().to(device).train()
        output = here(tokens.to(device))
        here.loss(output, targets.to(device)).backward()
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in here.parameters()]
        found.append([output.logits.cpu(), *(gradient.cpu() for gradient in gradients)])
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: " ".join(model.values()))
def test_writes_the_same_characters(model):
    prompt, answer = problems()
    here = build(**model, **FIELDS).double().eval()
    written = generate(here, prompt, answer.shape[1])
    assert generate(here.cuda(), prompt.cuda(), answer.shape[1]).cpu().tolist() == written.tolist()


def losses(run, device, **how):
    now = Progress(run, device, **how)
    with dropout_from(run.seed, device):
        for _ in range(4):
            now.train_step()
    now.settle()
    return now.losses


@pytest.mark.parametrize("model", MODELS, ids=lambda model: " ".join(model.values()))
def test_training_agrees_with_the_cpus_compiled_or_not(model):
    """Without dropout, whose numbers differ; float32 products are not rounded to fewer bits unless one asks for it."""
    run = replace(RUN, dropout=0, steps=None, **model)
    expected = losses(run, "cpu")
    assert losses(run, "cuda") == pytest.approx(expected, rel=1e-4)
    assert losses(run, "cuda", compiled=True) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_same_seed_gives_the_same_run_with_dropout(precision, compiled):
    run = replace(RUN, precision=precision)
    first, again = (train(run, SCHEDULE, "cuda", compiled=compiled) for _ in range(2))
    assert first.losses == again.losses and first.scores == again.scores


def test_the_commands_train_compiled_and_check_what_they_kept(tmp_path, capsys):
    words = ["--store", str(tmp_path), "--device", "cuda"]
    assert main(["train", "--profile", "smoke", "--rung", "ar_trm", "--task", "copy", "--dropout", "0.1", "--compile",
                 *words]) == 0
    record = json.loads(next((tmp_path / "records").glob("*.json")).read_text())
    assert record["environment"]["device"] == torch.cuda.get_device_name() and record["environment"]["compiled"]
    assert record["ledger"]["peak_memory"] > 0
    assert main(["check-records", *words]) == 0
    assert "agree" in capsys.readouterr().out

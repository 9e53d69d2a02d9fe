"""The benchmark's opponent computes the very same thing, only slower; and FLOP are counted right."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tarm import LADDER, build
from tarm.decoding import generate
from tarm.estimate import backward_passes, decoding_flop, evaluation_flop, positions, step_flop
from tarm.ledger import PassCounter
from tarm.published import PublishedTraining, decode_one, padded_batch, published_form
from tarm.runs import Run, Schedule
from tarm.tasks import NEWLINE, TASKS
from tarm.training import Progress

SMALL = {"width": 16, "heads": 2, "context": 20, "dropout": 0.0}


def run_of(rung, **fields):
    return Run(rung=rung, task="addition", length=3, batch=4, **SMALL | fields)


@pytest.mark.parametrize("rung", LADDER)
def test_head_by_head_is_our_attention(rung):
    model = build(rung, **SMALL).double()
    tokens = torch.randint(14, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(published_form(model)(tokens).logits, model(tokens).logits, atol=1e-12, rtol=0)


def test_head_by_head_drops_out_in_training_alone():
    model = build("iterative", **SMALL | {"dropout": 0.5}).double().eval()
    tokens = torch.randint(14, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(published_form(model)(tokens).logits, model(tokens).logits, atol=1e-12, rtol=0)
    attention, h = published_form(model.train()).block[0].attention, torch.ones(1, 3, 16, dtype=torch.float64)
    assert not attention(h).equal(attention(h))


@pytest.mark.parametrize("rung", LADDER)
def test_padding_changes_no_gradient(rung):
    """The same problems, drawn one by one and padded: loss and gradient are those of ours. ACT's bias keeps it from
    halting, since its early stop counts padding."""
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **({"halting_bias": -20.0} if act else {}))
    padded = padded_batch(run, torch.Generator().manual_seed(0))
    T, _ = positions(run.task, run.length)
    assert padded[0].shape == padded[1].shape == (4, 20) and (padded[0][:, T:] == NEWLINE).all()
    gradients = []
    for tokens, targets in padded, tuple(part[:, :T] for part in padded):
        model = run.build().double()
        model.loss(model(tokens), targets).backward()
        gradients.append(model.block[0].mlp["in"].weight.grad)
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("rung", LADDER)
def test_a_published_step_is_ours(rung, monkeypatch):
    """From the same problems, unpadded for ours: the same loss, and the same parameters after the update. In float64,
    since AdamW's first update is the sign of a gradient almost, and of the rounding where the gradient is nothing."""
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **({"halting_bias": -20.0} if act else {}))
    T, _ = positions(run.task, run.length)
    batch = [part[:, :T] for part in padded_batch(run, torch.Generator().manual_seed(run.seed))]
    published, ours = PublishedTraining(run), Progress(run, "cpu")
    started = {name: p.detach().clone() for name, p in ours.model.named_parameters()}
    published.model.double(), ours.model.double()
    loss = published.train_step()
    drawn = SimpleNamespace(problems=lambda *_, **__: SimpleNamespace(batch=lambda: batch))
    monkeypatch.setitem(TASKS, run.task, drawn)
    ours.train_step()
    assert ours.losses[0].item() == pytest.approx(loss, abs=1e-5)
    theirs = dict(published.model.named_parameters())
    for name, p in ours.model.named_parameters():
        heads = [theirs.get(name.replace(".weight", f".{i}.weight"), theirs.get(name)) for i in range(2)]
        whole = torch.cat(heads) if name not in theirs else heads[0]
        torch.testing.assert_close(whole, p, atol=1e-6, rtol=0, msg=name)
    assert max((p - started[name]).abs().max().item() for name, p in ours.model.named_parameters()) > 1e-4


def test_published_training_learns_from_its_batch():
    training = PublishedTraining(run_of("dense", budget=3, learning_rate=1e-2))
    losses = [training.train_step() for _ in range(30)]
    assert losses[0] == pytest.approx(math.log(14), abs=0.3) and losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("rung", LADDER)
def test_one_problem_at_a_time_writes_what_we_write(rung):
    model, generator = build(rung, **SMALL | {"budget": 6}).double().eval(), torch.Generator().manual_seed(0)
    for name, p in model.named_parameters():
        if p.dim() == 2 and "halt" not in name:
            torch.nn.init.normal_(p, std=0.5, generator=generator)
    prompt, _ = TASKS["addition"].problems(5, 3, torch.Generator().manual_seed(0))
    alone = torch.stack([decode_one(model, row, 4) for row in prompt])
    assert alone.equal(generate(model, prompt, 4)) and len(alone.unique(dim=0)) > 1


@pytest.mark.parametrize("rung, fields", [(rung, {}) for rung in LADDER] + [
    (rung, {"window": window}) for rung in ("dual_nested_ut", "ar_trm") for window in ("step", "all")])
def test_backward_passes_are_those_that_the_ledger_counts(rung, fields):
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **fields | ({"halting_bias": -3.0} if act else {}))
    model, (tokens, targets) = run.build(), TASKS[run.task].problems(4, 3, torch.Generator().manual_seed(0)).batch()
    with PassCounter(model) as passes:
        model.loss(model(tokens, halting=False), targets).backward()
    assert (passes.calls, len(passes.with_gradient)) == (24, backward_passes(run))


def test_flop_by_hand():
    """Addition of 3 digits: 12 positions in, 4 characters out; a Dense step goes forward once and back twice."""
    assert positions("addition", 3) == (12, 4)
    per_pass = 24 * 16**2 + 4 * 12 * 16
    assert step_flop(run_of("dense")) == 4 * 12 * 24 * 3 * per_pass
    assert step_flop(run_of("ar_trm")) == 4 * 12 * (24 + 2 * 3) * per_pass
    assert decoding_flop(run_of("dense"), 3, 10) == 10 * (12 + 2 * 3) * 24 * per_pass
    twice_and_once_more = Schedule(100, (3,), problems=5)  # after 100, 200 and 250 steps; seen and unseen
    assert evaluation_flop(run_of("dense", training_steps=250), twice_and_once_more) == 3 * 10 * 18 * 24 * per_pass
    half_and_twice = replace(twice_and_once_more, other_steps=(12, 48))  # of 24 steps, once each in the end
    assert (evaluation_flop(run_of("iterative", training_steps=250), half_and_twice)
            == (3 + 2.5) * 10 * 18 * 24 * per_pass)

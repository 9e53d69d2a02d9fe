"""The truncated gradient beside the whole one, fixed-point residuals and the lens, on models a reader can compute."""

import pytest
import torch

from helpers import identity
from tarm import TASKS, build, theory
from tarm.placement import compute_placement
from tarm.runs import Run
from tarm.truncation import block_gradient, lens_accuracy, residuals, truncation

SMALL = {"width": 16, "heads": 2, "budget": 12, "context": 16, "dropout": 0.0}


def batch(n=4):
    return TASKS["copy"].problems(n, 4, torch.Generator().manual_seed(0)).batch()


@pytest.mark.parametrize("rung", ["dual_nested_ut", "ar_trm"])
def test_of_an_untruncated_gradient_the_window_holds_all(rung):
    found = truncation(build(rung, window="all", **SMALL).double(), *batch())
    assert {name: found[name] for name in found if name != "below_eps"} == {
        name: pytest.approx(1) for name in ("share", "cosine", "share_qk", "cosine_qk", "step_cosine")}


def test_the_share_is_the_ratio_of_norms_that_two_models_give():
    """With the same weights under two windows, taken by hand from .grad; the models keep no gradient."""
    model, (tokens, targets) = build("ar_trm", **SMALL).double(), batch()
    norms = {}
    for window in "cycle", "all":
        other = build("ar_trm", window=window, **SMALL).double()
        other.loss(other(tokens), targets).backward()
        norms[window] = torch.cat([p.grad.flatten() for p in other.block.parameters()]).norm()
    assert truncation(model, tokens, targets)["share"] == pytest.approx((norms["cycle"] / norms["all"]).item())
    assert all(p.grad is None for p in model.parameters())


def test_dropout_is_left_out():
    """Two models would draw different masks: of a gradient that is whole in either, the window would not hold all."""
    model = build("iterative", **SMALL | {"dropout": 0.5})
    found = truncation(model, *batch())
    assert found["share"] == pytest.approx(1) and found["step_cosine"] == pytest.approx(1) and model.training


def test_what_is_done_in_training_alone_is_done():
    """A trained halting head has its loss then, and every step is read; in evaluation the first at which it says so."""
    model = build("ar_trm", window="step", norm="post", halting_head="trained", **SMALL | {"steps": 2}).double()
    with torch.no_grad():
        model.q_halt.bias.fill_(5)
    assert truncation(model, *batch())["share"] < 0.9


@pytest.mark.parametrize("fields", [{"window": "4", "window_warmup": 300}, {"supervision": "steps-optimised"}])
def test_the_whole_gradient_of_any_run_can_be_taken(fields):
    """Whose fields have no meaning for a gradient through every pass."""
    run = Run(rung="ar_trm", task="copy", length=4, **SMALL | {"steps": 2}, **fields)
    assert 0 < truncation(run.build(), *batch())["share"] < 1
    assert set(compute_placement(rungs=["ar_trm"], task="copy", length=4, batch=2, **SMALL | {"steps": 2},
                                 **fields)["gradient"]) == {True, False}


def test_of_one_stream_the_whole_is_the_model_without_a_window():
    """Dense of 12 blocks: the last three have their own gradient whole, so that the share is the cosine."""
    found = truncation(build("dense", window="3", **SMALL).double(), *batch())
    assert 0.1 < found["share"] < 0.9 and found["share"] == pytest.approx(found["cosine"])
    model, (tokens, targets) = build("iterative", window="3", **SMALL).double(), batch()
    whole = build("iterative", **SMALL).double()
    norms = [torch.cat([g.flatten() for g in block_gradient(each, tokens, targets).values()]).norm()
             for each in (model, whole)]
    assert (norms[0] < 0.9 * norms[1]
            and truncation(model, tokens, targets)["share"] == pytest.approx((norms[0] / norms[1]).item()))


@pytest.mark.parametrize("eps", [1e-8, 1e-4])
def test_the_step_is_the_first_that_adamw_takes(eps):
    """Two models of the same weights, one step each: the angle between what their blocks' weights moved."""
    model, (tokens, targets) = build("ar_trm", **SMALL).double(), batch()
    moved = {}
    for window in "cycle", "all":
        other = build("ar_trm", window=window, **SMALL).double()
        other.loss(other(tokens), targets).backward()
        torch.optim.AdamW(other.parameters(), eps=eps, weight_decay=0).step()
        moved[window] = torch.cat([(after - before).flatten() for after, before
                                   in zip(other.block.parameters(), model.block.parameters())])
    found = truncation(model, tokens, targets, eps)
    assert (found["step_cosine"] == pytest.approx(torch.cosine_similarity(*moved.values(), dim=0).item())
            and found["step_cosine"] < 0.95)
    # a gradient of eps moves a weight by half of the learning rate, 0.001
    small = (moved["cycle"].abs() < 0.5e-3).double().mean().item()
    assert found["below_eps"] == pytest.approx(small, abs=1e-3) and (eps == 1e-8 or small > 0.1)


def test_a_block_without_gradient_is_zeros():
    """A Dense Transformer's last block, all zero, hands on what it reads: nothing asks what it attends to."""
    model, (tokens, targets) = build("dense", **SMALL).double(), batch()
    with torch.no_grad():
        for p in model.block[-1].parameters():
            p.zero_()
    gradient = block_gradient(model, tokens, targets)
    assert set(gradient) == {name for name, _ in model.block.named_parameters()}
    assert gradient["11.attention.query.weight"].abs().max() == 0


@pytest.mark.parametrize("budget", [12, 24])
def test_at_initialisation_the_share_is_that_of_the_recurrence(budget):
    """Within a factor of two: the block's own updates are left out of the theory."""
    model, (tokens, targets) = build("ar_trm", **SMALL | {"width": 64, "heads": 4, "budget": budget}), batch(16)
    expected = theory.share(2, budget // 3)
    assert 0.5 < truncation(model, tokens, targets)["share"] / expected < 2


def test_the_residual_of_a_growing_stream_is_its_growth():
    """y = z = 1 and x = 0, two cycles of L = 1 a step: y is 3, 8, 21, 55, so a step takes 8 to 55."""
    model = identity(build("ar_trm", **SMALL | {"inner": 1, "budget": 8, "step_embeddings": False}).double())
    with torch.no_grad():
        for table in model.token_embedding, model.position_embedding:
            table.weight.zero_()
        model.y_init.fill_(1)
        model.z_init.fill_(1)
    found, = residuals(model, batch()[0])
    assert found == {"step": 2, "y": pytest.approx(55 / 8 - 1), "z": pytest.approx(34 / 5 - 1)}


def test_residuals_go_on_beyond_the_trained_steps_and_fall_where_a_norm_holds_the_streams():
    """post-norm, a block that adds nothing, x of size 1:
    a step of two cycles shrinks the distance by the contraction squared."""
    model = identity(build("ar_trm", norm="post", **SMALL | {"step_embeddings": False}).double())
    with torch.no_grad():
        model.token_embedding.weight.copy_(torch.tensor([1.0, -1.0] * 8))  # mean 0, variance 1
        model.position_embedding.weight.zero_()
    found = residuals(model, batch()[0], steps=30)
    assert [row["step"] for row in found] == list(range(2, 31))
    late = [row["y"] for row in found[8:12]]
    assert all(after / before == pytest.approx(theory.growth(2, "post") ** 2, rel=1e-3)
               for before, after in zip(late, late[1:]))


def test_the_lens_counts_what_the_head_would_get_right():
    """A head that always says one character is right where the answer has it, at every pass."""
    model, (tokens, targets) = build("ar_trm", **SMALL).double(), batch(50)
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
        model.head.bias[7] = 1
    supervised = targets[targets >= 0]
    found = lens_accuracy(model, tokens, targets)
    assert [row["stream"] for row in found] == list("zzy" * 4)
    assert [row["pass"] for row in found] == list(range(1, 13))
    assert [row["accuracy"] for row in found] == [pytest.approx((supervised == 7).double().mean().item())] * 12


def test_a_window_in_passes_is_refused_where_the_models_is_none():
    tokens = torch.zeros(1, 4, dtype=torch.long)
    with pytest.raises(ValueError, match="window=1 has no meaning for a model with window=cycle"):
        build("universal", budget=3, width=16, heads=2, context=24)(tokens, window=1)
    with pytest.raises(ValueError, match="window=0 trains no block pass"):
        build("iterative", budget=3, width=16, heads=2, context=24, window="2")(tokens, window=0)

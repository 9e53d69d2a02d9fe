"""Adaptive computation time on numbers a reader can add up, and binary halting."""

import math

import pytest
import torch

from tarm import build
from tarm.halting import ACT, earliest_exit


# p_1, p_2, p_3 of one position -> the weight of each state, updates, remainder
CASES = {
    "halts at the third step": ((0.3, 0.5, 0.4), (0.3, 0.5, 0.2), 3, 0.2),
    "halts at the second": ((0.3, 0.9, 0.4), (0.3, 0.7, 0), 2, 0.7),
    "halts at the first": ((1 - 1e-7, 0.5, 0.5), (1, 0, 0), 1, 1),
    "reaches 1 within the margin": ((0.5, 0.5 - 1e-7, 0.5), (0.5, 0.5, 0), 2, 0.5),
    "misses 1 by more than the margin": ((0.5, 0.5 - 1e-5, 0.5), (0.5, 0.5 - 1e-5, 1e-5), 3, 1e-5),
    "never halts": ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3 + 0.4), 3, 0.4),
}


def run_act(states, p):
    """ACT over states (N, B, T, C) with probabilities p (N, B, T)."""
    act = ACT.begin(states[0])
    for state, probability in zip(states, p):
        act = act.add(state, probability)
    return act


@pytest.mark.parametrize("p, weights, updates, remainder", CASES.values(), ids=CASES)
def test_act_of_one_position(p, weights, updates, remainder):
    """The states are unit vectors, so that the readout is the list of weights."""
    states = torch.eye(3, dtype=torch.float64).view(3, 1, 1, 3)
    act = run_act(states, torch.tensor(p, dtype=torch.float64).view(3, 1, 1))
    assert act.finish(states[-1]).flatten().tolist() == pytest.approx(weights, abs=1e-12)
    assert act.updates.item() == updates
    assert act.ponder_cost().item() == pytest.approx(updates + remainder, abs=1e-12)


def test_ponder_cost_is_the_mean_over_positions():
    """All cases at once, as a batch of two sequences of three positions."""
    p = torch.tensor([case[0] for case in CASES.values()], dtype=torch.float64).view(2, 3, 3).permute(2, 0, 1)
    act = run_act(torch.zeros(3, 2, 3, 1, dtype=torch.float64), p)
    expected = sum(updates + remainder for _, _, updates, remainder in CASES.values()) / 6
    assert act.ponder_cost().item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("p, by_readout, by_ponder", [
    # readout = p1 h1 + p2 h2 + (1 - p1 - p2) h3, remainder = 1 - p1 - p2
    ((0.3, 0.5, 0.4), (1 - 100, 10 - 100, 0), (-1, -1, 0)),
    # readout = p1 h1 + p2 h2 + p3 h3 + (1 - p1 - p2 - p3) h3, remainder = 1 - p1 - p2 - p3
    ((0.1, 0.2, 0.3), (1 - 100, 10 - 100, 0), (-1, -1, -1)),
    # readout = p1 h1 + (1 - p1) h2, remainder = 1 - p1
    ((0.3, 0.9, 0.4), (1 - 10, 0, 0), (-1, 0, 0)),
], ids=["halts at the third step", "never halts", "halts at the second"])
def test_gradient_of_act_flows_through_p_and_remainder(p, by_readout, by_ponder):
    """With states h = 1, 10, 100; each state's own gradient is its weight, since it is not detached."""
    p = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    states = torch.tensor([1, 10, 100], dtype=torch.float64).view(3, 1, 1, 1).requires_grad_()
    act = run_act(states, p.view(3, 1, 1))
    readout = act.finish(states[-1])
    gradient, weights = torch.autograd.grad(readout.sum(), [p, states], retain_graph=True)
    assert gradient.tolist() == pytest.approx(by_readout)
    assert (weights.flatten() @ states.detach().flatten()).item() == pytest.approx(readout.item())
    assert torch.autograd.grad(act.ponder_cost(), p)[0].tolist() == pytest.approx(by_ponder)


def test_universal_reads_the_weighted_states():
    """p = 0.3 at every position (logit of the halting head's bias): weights 0.3, 0.3, 0.3, 0.1 and no step more."""
    model = build("universal", width=16, heads=2, budget=6, context=8, dropout=0.0).double()
    torch.nn.init.zeros_(model.act_halt.weight)
    torch.nn.init.constant_(model.act_halt.bias, math.log(0.3 / 0.7))
    states = []
    model.block[0].register_forward_hook(lambda block, inputs, output: states.append(output))
    output = model(torch.arange(5).unsqueeze(0))
    readout = sum(w * h for w, h in zip((0.3, 0.3, 0.3, 0.1), states, strict=True))
    torch.testing.assert_close(output.logits, model.head(model.final_norm(readout)))
    assert output.halted_at.unique().tolist() == [4] and output.ponder.item() == pytest.approx(4.1)


def test_earliest_exit_explores_as_published():
    """A quarter of the sequences draw a step from 1 to 4, so 1 - 0.25 * 3/4 = 81.25 % may halt at once and
    6.25 % at each other step; 1 % is five standard errors of 40,000 draws at most."""
    first = earliest_exit(40_000, 4, torch.Generator().manual_seed(0))
    shares = [(first == step).double().mean().item() for step in range(1, 5)]
    assert shares == pytest.approx([0.8125, 0.0625, 0.0625, 0.0625], abs=0.01)
    assert earliest_exit(3, 4, None).tolist() == [1, 1, 1]


def eager_ar_trm():
    """Every sequence wants to halt at step 1."""
    model = build("ar_trm", width=16, heads=2, budget=24, context=8, dropout=0.0)
    torch.nn.init.constant_(model.q_halt.bias, 1)
    return model


def test_exploration_delays_halting_and_changes_nothing_else():
    """With halting off the logits are the same; the sequences halt where `earliest_exit` lets them."""
    model, tokens = eager_ar_trm(), torch.arange(8).repeat(50, 1)
    exploring = model(tokens, halting=False, generator=torch.Generator().manual_seed(0))
    calm = model(tokens, halting=False)
    assert exploring.logits.equal(calm.logits)
    assert calm.halted_at.unique().tolist() == [1]
    assert exploring.halted_at[:, 0].equal(earliest_exit(50, 4, torch.Generator().manual_seed(0)))
    assert exploring.halted_at.unique().tolist() == [1, 2, 3, 4]


def test_exploration_draws_from_its_own_stream_only():
    model, generator = eager_ar_trm(), torch.Generator().manual_seed(0)
    everyone, before = torch.get_rng_state(), generator.get_state()
    model(torch.arange(8).unsqueeze(0), generator=generator)
    assert torch.get_rng_state().equal(everyone)
    assert not generator.get_state().equal(before)

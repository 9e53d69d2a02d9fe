"""What every rung must do, and that each rung is the one below once its change is switched off."""

import pytest
import torch

from tarm import LADDER, TASKS, build


def small(rung, **fields):
    """A rung of 12 passes unless said otherwise, at width 16, in float64, so that equal means equal."""
    return build(rung, **{"width": 16, "heads": 2, "budget": 12, "context": 16, "dropout": 0.0} | fields).double()


def random_tokens(B=1, T=9):
    return torch.randint(14, (B, T), generator=torch.Generator().manual_seed(0))


def copy_batch():
    return TASKS["copy"].problems(3, 4, torch.Generator().manual_seed(0)).batch()


@torch.no_grad()
def make_halting_uneven(model):
    """Give the halting head, if there is one, weights that stop positions (sequences) at different steps."""
    if model.halting_head:
        head = getattr(model, model.halting_head)
        head.weight.copy_(torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(0)))
        head.bias.fill_(-0.5)
    return model


@pytest.mark.parametrize("rung", LADDER)
def test_no_position_sees_the_future(rung):
    """Another token at position 5 changes no logit and no halting decision before it, and every logit from there on."""
    model, votes = make_halting_uneven(small(rung, budget=24)), []
    if model.halting_head:  # what it says of each position, or, of the whole sequence, at position 0
        getattr(model, model.halting_head).register_forward_hook(lambda head, inputs, vote: votes.append(vote[:, :5]))
    tokens = random_tokens()
    changed = tokens.clone()
    changed[0, 5] = (tokens[0, 5] + 1) % 14
    before, after = model(tokens, halting=False), model(changed, halting=False)
    torch.testing.assert_close(after.logits[:, :5], before.logits[:, :5], atol=1e-12, rtol=0)
    assert after.halted_at[:, :5].equal(before.halted_at[:, :5])
    half = len(votes) // 2
    torch.testing.assert_close(votes[half:], votes[:half], atol=1e-12, rtol=0)
    assert ((after.logits - before.logits)[0, 5:].abs().amax(dim=-1) > 1e-6).all()
    if model.halting_head:  # else the decisions above would be trivially the same
        assert half == model.architecture.steps > before.halted_at.min()


@pytest.mark.parametrize("rung", LADDER)
def test_no_sequence_depends_on_its_batch(rung):
    """As initialised, and so as trained and evaluated: a row alone gives what it gives among others."""
    model, tokens = small(rung), random_tokens(B=5)
    together = model(tokens)
    for b in range(5):
        alone = model(tokens[b:b + 1])
        torch.testing.assert_close(alone.logits, together.logits[b:b + 1], atol=1e-12, rtol=0)
        assert alone.halted_at.equal(together.halted_at[b:b + 1])


def test_published_binary_halting_that_acts_depends_on_the_batch():
    """A sequence that halts at step 1 is refined on while its neighbour runs, and is read only then.

    Harmless as published, where q is -5 and nothing halts; the bias is moved here so that one row of two does.
    """
    model, tokens = small("ar_trm"), random_tokens(B=2)
    q = []
    model.q_halt.register_forward_hook(lambda head, inputs, output: q.append(output.detach()))
    with torch.no_grad():
        model.q_halt.weight.fill_(1)
        model(tokens, steps=1)
        model.q_halt.bias.sub_(q[0].mean())  # so that q of step 1 is above 0 for one row, below it for the other
    early = int(q[0].argmax())
    together, alone = model(tokens), model(tokens[early:early + 1])
    assert together.halted_at[:, 0].sort().values.tolist() == [1, 2]
    assert (together.steps, alone.steps) == (2, 1)
    assert (together.logits[early] - alone.logits[0]).abs().max() > 1e-3
    everything = model(tokens, halting=False)
    torch.testing.assert_close(everything.logits[early], model(tokens[early:early + 1], halting=False).logits[0])


NO_GRADIENT = {("dual_nested_ut", "cycle"): {"y_init", "z_init"}, ("dual_nested_ut", "step"): {"y_init", "z_init"},
               ("ar_trm", "cycle"): {"y_init", "z_init", "q_halt.weight", "q_halt.bias"},
               ("ar_trm", "step"): {"y_init", "z_init", "q_halt.weight", "q_halt.bias"},
               ("ar_trm", "all"): {"q_halt.weight", "q_halt.bias"},
               # x enters once, at the start
               ("iterative", "3"): {"token_embedding.weight", "position_embedding.weight"}}
NO_GRADIENT["iterative_step", "3"] = NO_GRADIENT["iterative", "3"]


@pytest.mark.parametrize("rung, window", [
    (rung, window) for rung, entry in LADDER.items()
    for window in (("cycle", "step", "all") if entry.model.nested else
                   ("cycle", "3") if "iterative" in rung else ("cycle",))])
def test_which_parameters_get_a_gradient(rung, window):
    """All, but for y_init and z_init, detached at the first step, and the binary halting head, which has no loss."""
    model = small(rung, window=window)
    tokens, targets = copy_batch()
    model.loss(model(tokens), targets).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert {name for name, g in gradients.items() if g is None} == NO_GRADIENT.get((rung, window), set())
    assert all(g.any() for g in gradients.values() if g is not None)


@pytest.mark.parametrize("rung", LADDER)
def test_without_halting_every_pass_of_the_budget_runs(rung):
    """24 block calls, counted by hooks; ACT, whose bias here stops every position at step 1, included."""
    model = small(rung, budget=24)
    if model.halting_head:
        torch.nn.init.constant_(getattr(model, model.halting_head).bias, 100)
    calls = []
    for block in model.block:
        block.register_forward_hook(lambda *_: calls.append(1))
    assert model(random_tokens(), halting=False).steps == model.architecture.steps
    assert len(calls) == 24


@pytest.mark.parametrize("rung", [rung for rung, entry in LADDER.items() if entry.model.with_step_embeddings])
def test_each_step_reads_its_own_embedding_and_further_ones_the_last(rung):
    """Another last vector changes a call of N steps but not one of N - 1; a call of N + 1 reads it twice."""
    model = small(rung, budget=24)
    if model.halting_head == "act_halt":
        never_halting(model)
    N, tokens = model.architecture.steps, random_tokens()
    longer = small(rung, steps=N + 1, budget=None)
    table = model.step_embedding.weight.detach()
    longer.load_state_dict(model.state_dict() | {"step_embedding.weight": torch.cat([table, table[-1:]])})
    torch.testing.assert_close(model(tokens, steps=N + 1).logits, longer(tokens).logits, atol=1e-12, rtol=0)
    shorter, whole = model(tokens, steps=N - 1).logits, model(tokens).logits
    table[-1] = torch.arange(16)
    assert model(tokens, steps=N - 1).logits.equal(shorter)
    assert (model(tokens).logits - whole).abs().max() > 1e-6


@pytest.mark.parametrize("steps", [0, -1])
def test_a_call_of_no_steps_is_an_error(steps):
    """Not silently a call of all of them, or of none."""
    with pytest.raises(ValueError, match=f"steps={steps}"):
        small("iterative")(random_tokens(), steps=steps)


def test_dense_runs_its_own_number_of_steps_only():
    """Its blocks differ, so there is no block for a step more."""
    with pytest.raises(ValueError, match="12 blocks cannot run 13 steps"):
        small("dense")(random_tokens(), steps=13)


# Each rung is the one below with its change switched off.


def outcome(model):
    """Logits, and the gradient of every parameter (zero where there is none), on one batch."""
    tokens, targets = copy_batch()
    output = model(tokens)
    model.loss(output, targets).backward()
    return output.logits, {name: torch.zeros_like(p) if p.grad is None else p.grad
                           for name, p in model.named_parameters()}


def assert_same(one, other):
    """The same logits, and the same gradient of every parameter that both have, when these are equal."""
    shared = dict(one.named_parameters()).keys() & dict(other.named_parameters()).keys()
    assert len(shared) > 15  # the two tables, the block and the readout
    other.load_state_dict(one.state_dict(), strict=False)
    (logits, gradients), (other_logits, other_gradients) = outcome(one), outcome(other)
    torch.testing.assert_close(other_logits, logits, atol=1e-12, rtol=0)
    for name in shared:
        torch.testing.assert_close(other_gradients[name], gradients[name], atol=1e-12, rtol=0, msg=name)


def never_halting(model):
    """ACT whose halting probability is 0 exactly."""
    torch.nn.init.constant_(model.act_halt.bias, -torch.inf)
    return model


def test_iterative_is_dense_with_tied_blocks():
    """The same logits, and the tied block's gradient is the sum of the separate ones."""
    iterative, dense = small("iterative"), small("dense")
    for block in dense.block:
        block.load_state_dict(iterative.block[0].state_dict())
    (logits, tied), (dense_logits, separate) = outcome(iterative), outcome(dense)
    torch.testing.assert_close(dense_logits, logits, atol=1e-12, rtol=0)
    for name, gradient in tied.items():
        of_dense = [separate[name.replace("block.0", f"block.{i}")] for i in range(12 if "block" in name else 1)]
        torch.testing.assert_close(sum(of_dense), gradient, atol=1e-12, rtol=0, msg=name)


def test_iterative_step_without_step_embeddings_is_iterative():
    step = small("iterative_step")
    torch.nn.init.zeros_(step.step_embedding.weight)
    assert_same(step, small("iterative"))


def test_universal_that_never_halts_is_iterative_step():
    assert_same(never_halting(small("universal")), small("iterative_step"))


def test_dual_nested_of_one_cycle_untruncated_is_dual_ut():
    """H = L = 1 with window="all" has the parameters of Dual UT and spends the budget alike, ACT acting in both."""
    nested, dual = small("dual_nested_ut", outer=1, inner=1, window="all"), small("dual_ut")
    assert nested.state_dict().keys() == dual.state_dict().keys()
    assert_same(make_halting_uneven(nested), dual)


@pytest.mark.parametrize("window", ["cycle", "step", "all"])
def test_ar_trm_is_dual_nested_that_never_halts(window):
    assert_same(never_halting(small("dual_nested_ut", window=window)), small("ar_trm", window=window))

"""The instruments measure what a reader can compute, and leave the model as it was."""

import pytest
import torch

from helpers import identity
from tarm import LADDER, TASKS, build, instruments


def small(rung, **fields):
    """A rung of 12 passes at width 16, in float64."""
    return build(rung, **{"width": 16, "heads": 2, "budget": 12, "context": 16, "dropout": 0.0} | fields).double()


def copy_batch(n=4):
    return TASKS["copy"].problems(n, 4, torch.Generator().manual_seed(0)).batch()


@pytest.mark.parametrize("rung", LADDER)
def test_a_trace_holds_every_pass_of_the_budget_and_its_stream(rung):
    model, (tokens, _) = small(rung), copy_batch()
    with torch.no_grad():
        passes, output = instruments.trace(model, tokens, halting=False)
    pattern = {("h",): "h", ("y", "z"): "zzy" if LADDER[rung].model.nested else "zy"}[model.streams]
    assert "".join(one.stream for one in passes) == pattern * (12 // len(pattern))
    assert all(one.input.shape == one.output.shape == (*tokens.shape, 16) for one in passes)
    assert output.logits.equal(model(tokens, halting=False).logits)
    assert not any(block._forward_hooks for block in model.block)


def test_sizes_of_a_dual_ut_whose_block_adds_nothing_are_fibonacci_numbers():
    """y = z = 1 and x = s = 0: z, y, z, y ... are 2, 3, 5, 8, 13, 21, and no pass changes what it reads."""
    model = identity(small("dual_ut", budget=6))
    with torch.no_grad():
        for table in (model.token_embedding, model.position_embedding, model.step_embedding):
            table.weight.zero_()
        model.y_init.fill_(1)
        model.z_init.fill_(1)
    table = instruments.sizes(model, copy_batch()[0], halting=False)
    assert [row["size"] for row in table] == pytest.approx([2, 3, 5, 8, 13, 21])
    assert [row["update"] for row in table] == [0] * 6
    assert [row["pass"] for row in table] == [1, 2, 3, 4, 5, 6]


def test_the_update_is_relative_to_what_the_pass_reads():
    """A block whose MLP adds 3 to a state of ones changes it by 3."""
    model = identity(small("iterative", budget=2))
    with torch.no_grad():
        model.token_embedding.weight.fill_(1)
        model.position_embedding.weight.zero_()
        model.block[0].mlp["out"].bias.fill_(3)
    first, second = instruments.sizes(model, copy_batch()[0])
    assert (first["size"], first["update"]) == pytest.approx((4, 3))
    assert (second["size"], second["update"]) == pytest.approx((7, 3 / 4))


@pytest.mark.parametrize("rung, window, reached", [
    ("dual_nested_ut", "cycle", [0, 0, 0, 1, 1, 1] * 2), ("ar_trm", "cycle", [0] * 9 + [1] * 3),
    ("ar_trm", "step", [0] * 6 + [1] * 6), ("ar_trm", "all", [1] * 12)])
def test_the_gradient_reaches_the_passes_that_the_window_says(rung, window, reached):
    model = small(rung, window=window)
    assert [int(g > 0) for g in instruments.gradients(model, *copy_batch(), halting=False)] == reached
    assert all(p.grad is None for p in model.parameters())


def test_a_block_that_adds_nothing_hands_the_gradient_on_unchanged():
    """And its size is that of the loss's gradient at the readout, which autograd gives directly."""
    model, (tokens, targets) = identity(small("iterative")), copy_batch()
    found = instruments.gradients(model, tokens, targets)
    x = model.embed(tokens).detach().requires_grad_()
    loss = torch.nn.functional.cross_entropy(model.head(model.final_norm(x)).flatten(0, 1), targets.flatten())
    expected = torch.autograd.grad(loss, x)[0].square().mean().sqrt().item()
    assert found == pytest.approx([expected] * 12)


def test_the_lens_on_a_loop_is_the_model_that_stops_there():
    model, (tokens, _) = small("iterative"), copy_batch()
    with torch.no_grad():
        passes, _ = instruments.trace(model, tokens)
        read = instruments.lens(model, [one.output for one in passes])
        for n in (1, 5, 12):
            torch.testing.assert_close(read[n - 1], model(tokens, steps=n).logits)


def test_act_weights_by_hand():
    """0.3, 0.5, 0.6: the third goes over 1 and gets the rest. 0.2 three times: the last takes what is missing."""
    p = torch.tensor([[0.3, 0.2, 1.0], [0.5, 0.2, 0.9], [0.6, 0.2, 0.9]]).view(3, 1, 3)
    expected = torch.tensor([[0.3, 0.2, 1.0], [0.5, 0.2, 0.0], [0.2, 0.6, 0.0]]).view(3, 1, 3)
    torch.testing.assert_close(instruments.act_weights(p), expected)


@pytest.mark.parametrize("rung", [rung for rung, entry in LADDER.items() if entry.model.halting_head == "act_halt"])
def test_the_weights_make_the_readout_that_the_model_reads(rung):
    model, (tokens, _) = small(rung, halting_bias=-1.0, budget=24), copy_batch()
    with torch.no_grad():
        model.act_halt.weight.copy_(torch.randn(1, 16, generator=torch.Generator().manual_seed(0)))
        passes, output = instruments.trace(model, tokens, halting=False)
        p = instruments.halting_probabilities(model, tokens, halting=False)
        weights = instruments.act_weights(p)
        every = model.architecture.outer if model.nested else 1  # of the updates of h or y in a step the last is read
        states = [one.output for one in passes if one.stream == model.streams[0]][every - 1::every]
        readout = sum(w.unsqueeze(-1) * state for w, state in zip(weights, states, strict=True))
        torch.testing.assert_close(model.head(model.final_norm(readout)), output.logits)
    torch.testing.assert_close(weights.sum(0), torch.ones_like(weights[0]))
    last_weighed = (weights > 1e-9).cumsum(0).argmax(0) + 1
    assert last_weighed.equal(output.halted_at)


def test_a_rung_without_act_has_no_halting_probabilities():
    with pytest.raises(ValueError, match="dense has no ACT"):
        instruments.halting_probabilities(small("dense"), copy_batch()[0])


def test_attention_is_causal_and_uniform_where_all_scores_are_equal():
    """With all queries zero position i takes 1 / (i + 1) from each of the positions up to itself."""
    model, (tokens, _) = small("dense", budget=2), copy_batch()
    maps = instruments.attention(model, tokens)
    assert [weights.shape for weights in maps] == [(4, 2, 9, 9)] * 2
    for weights in maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2, 9, dtype=torch.float64))
        assert not weights.triu(1).any()
    with torch.no_grad():
        model.block[0].norm1.weight.zero_()  # the block then reads zeros
    rows = torch.ones(9, 9, dtype=torch.float64).tril()
    torch.testing.assert_close(instruments.attention(model, tokens)[0][0, 0], rows / rows.sum(-1, keepdim=True))


def test_attention_of_a_model_in_bf16_adds_up_to_one():
    maps = instruments.attention(build("dense", width=16, heads=2, budget=3, context=16, precision="bf16"),
                                 copy_batch()[0])
    for weights in maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2, 9))


def test_attention_weights_are_those_the_module_uses():
    """With the value and output projections the identity, the module returns the weighted mean of what it reads."""
    model, (tokens, _) = small("iterative", budget=1, heads=1), copy_batch()
    module, read = model.block[0].attention, []
    with torch.no_grad(), instruments.hooked([module], lambda _, inputs, output: read.append((inputs[0], output))):
        for layer in values_and_output(module):
            layer.copy_(torch.eye(16))
        weights, = instruments.attention(model, tokens)
    (h, mixed), = read
    torch.testing.assert_close(weights[:, 0] @ h, mixed)


def values_and_output(attention):
    """The two weight matrices (C, C) of an attention module that follow the weights."""
    return attention.value.weight, attention.out.weight

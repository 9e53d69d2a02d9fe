"""The variants norm, scale, window and precision: each changes what it says, and nothing else."""

import math

import pytest
import torch
from torch import nn

from tarm import LADDER, build
from tarm.block import DROPOUT_STREAMS, Attention, Block, Dropout


SMALL = {"width": 16, "heads": 2, "budget": 24, "context": 16, "dropout": 0.0}
NESTED = [rung for rung, entry in LADDER.items() if entry.model.nested]
TOKENS = torch.randint(14, (2, 9), generator=torch.Generator().manual_seed(0))


def block_outputs(model):
    """What every block pass of a call on TOKENS returns, in order."""
    outputs = []
    for block in model.block:
        block.register_forward_hook(lambda block, inputs, output: outputs.append(output.detach()))
    model(TOKENS, halting=False)
    return outputs


def dtypes(model):
    """{name: dtype} of what every module below the model returns in a call on TOKENS; logits included."""
    seen = {}
    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(lambda m, inputs, output, name=name: seen.update({name: output.dtype}))
    return seen | {"logits": model(TOKENS).logits.dtype}


@pytest.mark.parametrize("norm, formula", [
    ("pre", lambda b, h: (h := h + b.attention(b.norm1(h))) + b.mlp(b.norm2(h))),
    ("post", lambda b, h: b.norm2((h := b.norm1(h + b.attention(h))) + b.mlp(h))),
    ("reentry", lambda b, h: b.reentry["h"]((h := h + b.attention(b.norm1(h))) + b.mlp(b.norm2(h)))),
])
def test_block_is_the_formula_of_its_norm(norm, formula):
    """With gains and biases that are not 1 and 0, so that none can be left out."""
    block = Block(16, 2, 0.0, norm).double()
    for p in block.parameters():
        nn.init.normal_(p, generator=torch.Generator().manual_seed(p.numel()))
    h = torch.randn(2, 5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(h), formula(block, h))


@pytest.mark.parametrize("rung", [rung for rung, entry in LADDER.items() if entry.model.tied])
def test_reentry_normalises_what_is_carried_per_stream(rung):
    """Every state that a pass returns has RMS 1 (less where LayerNorm's eps of 1e-5 shows: at most 10 %);
    as published it grows, in the dual streams more than a hundredfold."""
    model = build(rung, norm="reentry", **SMALL)
    assert set(model.block[0].reentry) == set(LADDER[rung].model.streams)
    assert all(0.9 < h.pow(2).mean(dim=-1).sqrt().min() and h.pow(2).mean(dim=-1).sqrt().max() < 1.001
               for h in block_outputs(model))
    published = block_outputs(build(rung, **SMALL))
    assert published[-1].norm() / published[0].norm() > (100 if LADDER[rung].family == "dual stream" else 2)


@pytest.mark.parametrize("rung", LADDER)
def test_unit_scale_is_published_with_larger_tables(rung):
    """x / (0.02 sqrt 2) is what tables of that size sum to; the step embeddings stay."""
    unit, published = build(rung, scale="unit", **SMALL).double(), build(rung, **SMALL).double()
    published.load_state_dict(unit.state_dict())
    assert (published(TOKENS).logits - unit(TOKENS).logits).abs().max() > 1e-3
    with torch.no_grad():
        published.token_embedding.weight.div_(0.02 * math.sqrt(2))
        published.position_embedding.weight.div_(0.02 * math.sqrt(2))
    torch.testing.assert_close(published(TOKENS).logits, unit(TOKENS).logits)


@pytest.mark.parametrize("rung", LADDER)
def test_post_norm_changes_the_logits(rung):
    one, other = build(rung, **SMALL), build(rung, norm="post", **SMALL)
    assert (one(TOKENS).logits - other(TOKENS).logits).abs().max() > 1e-3


@pytest.mark.parametrize("rung", NESTED)
def test_window_changes_the_gradient_and_nothing_else(rung):
    """The same logits, three gradients of the block."""
    models = [build(rung, window=window, **SMALL).double() for window in ("cycle", "step", "all")]
    logits = [model(TOKENS).logits for model in models]
    assert logits[0].equal(logits[1]) and logits[0].equal(logits[2])
    for model, values in zip(models, logits):
        values[0, -1, 3].backward()
    a, b, c = (model.block[0].mlp["in"].weight.grad for model in models)
    assert min((a - b).norm() / a.norm(), (b - c).norm() / b.norm(), (a - c).norm() / a.norm()) > 1e-3


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("stream", DROPOUT_STREAMS)
def test_dropout_drops_its_share_and_keeps_the_mean(stream, p):
    """Of a million ones: five standard errors of the share dropped, 0.0025 at most; what is kept is scaled by
    1 / (1 - p), to 2^-16. Backward passes through the same mask, and in evaluation nothing happens."""
    torch.manual_seed(0)
    ones, dropout = torch.ones(1000, 1001, requires_grad=True), Dropout(p, stream)
    out = dropout(ones)
    kept = out != 0
    assert kept.double().mean().item() == pytest.approx(1 - p, abs=0.0025)
    assert out[kept].unique().item() == pytest.approx(1 / (1 - p), rel=2**-15)
    out.sum().backward()
    assert ones.grad.equal(out)
    assert dropout.eval()(ones) is ones or dropout.eval()(ones).equal(ones)


def test_dropout_that_16_bits_cannot_tell_from_all_keeps_one_in_65536():
    """Of four million ones 64 are expected to stay, each as 2^16: five standard errors are 40."""
    torch.manual_seed(0)
    out = Dropout(1 - 1e-9, "bits")(torch.ones(4, 2**20))
    assert out.unique().tolist() == [0, 2**16]
    assert (out != 0).sum().item() == pytest.approx(64, abs=40)


def test_dropout_in_bf16_scales_by_a_rounded_number():
    """1 / (1 - p) at p = 0.1 is 1.1111; the nearest of bf16, whose steps from 1 to 2 are 2^-7, is 142 / 128."""
    torch.manual_seed(0)
    assert Dropout(0.1, "bits")(torch.ones(1000, dtype=torch.bfloat16)).unique().tolist() == [0, 142 / 128]


def test_dropout_masks_are_independent_between_neighbours():
    """Four neighbours share one 64-bit draw: each pair of them is dropped together in p^2 of the cases (0.01, within
    five standard errors of 250,000)."""
    torch.manual_seed(0)
    dropped = (Dropout(0.1, "bits")(torch.ones(250_000, 4)) == 0).double()
    together = dropped.T @ dropped / 250_000
    assert together[~torch.eye(4, dtype=torch.bool)].tolist() == pytest.approx([0.01] * 12, abs=0.001)


@pytest.mark.parametrize("T", [1, 9])
def test_attention_with_dropout_is_attention_without_where_nothing_is_dropped(T):
    """16 bits cannot tell a probability of 1e-6 from 0, but the form that draws a mask is the one that runs."""
    attention = Attention(16, 2, Dropout(1e-6, "bits")).double()
    h = torch.randn(3, T, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attention(h), attention.eval()(h))


@pytest.mark.parametrize("training, stream, given", [
    (True, "torch", [0.5]), (False, "torch", [0.0]), (True, "bits", []), (False, "bits", [0.0])])
def test_elsewhere_than_on_a_cpu_pytorchs_own_attention_drops_out(training, stream, given, monkeypatch):
    """Which probability it is called with; on the device "meta", which computes nothing. Where its masks are to come
    from 16 bits it is not called."""
    own, seen = nn.functional.scaled_dot_product_attention, []
    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention",
                        lambda q, k, v, mask, p, **options: (seen.append(p), own(q, k, v, mask, p, **options))[1])
    attention = Attention(16, 2, Dropout(0.5, stream)).to("meta").train(training)
    assert attention(torch.zeros(3, 9, 16, device="meta")).shape == (3, 9, 16)
    assert seen == given


@pytest.mark.parametrize("rung", LADDER)
def test_bf16_agrees_with_float32(rung):
    """To 2^-5 of the largest logit, over 24 passes: bf16 rounds to 2^-9, and each pass rounds a few times
    what it adds to a float32 stream."""
    single, mixed = build(rung, **SMALL)(TOKENS), build(rung, precision="bf16", **SMALL)(TOKENS)
    error = (single.logits - mixed.logits).abs().max()
    assert 0 < error < 2**-5 * single.logits.abs().max()


@pytest.mark.parametrize("rung", LADDER)
def test_bf16_multiplies_matrices_and_keeps_the_rest_in_float32(rung):
    """The residual stream, the states, the halting heads and the readout stay in float32: the last
    passes of the nested rungs change their input by less than bf16 resolves."""
    model = build(rung, precision="bf16", **SMALL)
    seen = dtypes(model)
    branches = {"attention", "attention.out", "attention.dropout", "mlp", "mlp.in", "mlp.out"}
    low = {f"block.{i}.{branch}" for i in range(len(model.block)) for branch in branches}
    assert {name for name, dtype in seen.items() if dtype == torch.bfloat16} == low
    assert {dtype for name, dtype in seen.items() if name not in low} == {torch.float32}


@pytest.mark.parametrize("rung", LADDER)
def test_a_float64_model_casts_nothing(rung):
    """precision="float32" leaves what is given alone, so that the reference can be checked in float64."""
    assert set(dtypes(build(rung, **SMALL).double()).values()) == {torch.float64}

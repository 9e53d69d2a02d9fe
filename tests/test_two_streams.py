"""The variants of the dual-stream rungs: each is what its formula says, written out here once more by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from tarm import LADDER, TASKS, build
from tarm.__main__ import main
from tarm.architecture import Architecture
from tarm.decoding import generate
from tarm.runs import Run, Schedule
from tarm.store import Store
from tarm.training import Progress, train
from tarm.variants import FIELDS

SMALL = {"width": 16, "heads": 2, "budget": 12, "context": 20, "dropout": 0.0}
RUN = SMALL | {"rung": "ar_trm", "task": "copy", "length": 4, "batch": 4, "learning_rate": 1e-2}
DUAL = ["dual_ut", "dual_nested_ut", "ar_trm"]


def small(rung="ar_trm", **fields):
    return build(rung, **SMALL | fields).double()


def batch(n=4):
    return TASKS["copy"].problems(n, 4, torch.Generator().manual_seed(0)).batch()


def states(model, tokens):
    """[(y, z) after each step], from the formulas and the model's block alone."""
    a, f, x = model.architecture, model.block[0], model.embed(tokens)
    y, z = x if a.start == "x" else model.y_init.expand_as(x), model.z_init.expand_as(x)
    cycles, updates = (a.outer, a.inner) if model.nested else (1, 1)
    found = []
    for n in range(a.steps):
        def read(*parts):
            parts = [*parts, model.step_embedding.weight[n].expand_as(x)]
            return sum(parts) / (len(parts) if a.sum == "mean" else 1)

        for _ in range(cycles):
            for _ in range(updates):
                z = f(read(y, z) if a.injection == "none" else read(x, y, z), "z")
            y = f(read(x, y, z) if a.injection == "both" else read(y, z), "y")
        found.append((y, z))
    return found


@pytest.mark.parametrize("change", [
    {"start": "x"}, {"injection": "both"}, {"injection": "none", "start": "x"}, {"sum": "mean"},
    {"sum": "mean", "injection": "both", "start": "x", "norm": "post", "scale": "unit"}])
@pytest.mark.parametrize("rung", DUAL)
def test_start_injection_and_sum_are_their_formulas(rung, change):
    """A halting bias of -1e9 lets ACT read the last y alone, as rung 7 does."""
    model, (tokens, _) = small(rung, **change | ({} if rung == "ar_trm" else {"halting_bias": -1e9})), batch()
    expected = model.head(model.final_norm(states(model, tokens)[-1][0]))
    torch.testing.assert_close(model(tokens).logits, expected, rtol=1e-9, atol=1e-9)
    assert (expected - small(rung)(tokens).logits).abs().max() > 1e-3


@pytest.mark.parametrize("rung", DUAL)
def test_mean_readout_is_the_mean_of_all_steps_logits(rung):
    """As the head is linear: the head on the mean of the normalised y."""
    model, (tokens, _) = small(rung, readout="mean"), batch()
    mean = torch.stack([model.final_norm(y) for y, _ in states(model, tokens)]).mean(0)
    output = model(tokens)
    torch.testing.assert_close(output.logits, model.head(mean), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(output.each[0], model.head(model.final_norm(states(model, tokens)[0][0])),
                               rtol=1e-9, atol=1e-9)
    assert output.steps == model.architecture.steps and output.ponder is None


@pytest.mark.parametrize("rung, bias", [
    ("dual_ut", 0.0), ("dual_nested_ut", 0.0), ("dual_nested_ut", -2.0), ("ar_trm", None)])
def test_deep_supervision_is_the_mean_of_the_losses_of_shorter_calls(rung, bias):
    """After every step that runs: what a call of that many steps would have said. The logits stay the rung's own."""
    fields = {} if bias is None else {"halting_bias": bias}
    deep, plain, (tokens, targets) = small(rung, supervision="steps", **fields), small(rung, **fields), batch()
    output = deep(tokens)
    assert output.logits.equal(plain(tokens).logits)
    shorter = [plain(tokens, steps=n) for n in range(1, output.steps + 1)]
    for each, one in zip(output.each, shorter, strict=True):
        torch.testing.assert_close(each, one.logits, rtol=1e-9, atol=1e-9)
    expected = torch.stack([plain.loss(one, targets) for one in shorter]).mean()
    assert deep.loss(output, targets).item() == pytest.approx(expected.item())


def one_step(**fields):
    """The ledger of a single training step."""
    progress = Progress(Run(**RUN | {"training_steps": 1} | fields), "cpu")
    progress.train_step()
    return progress.ledger.summary()


def test_deep_supervision_trains_the_last_cycle_of_every_step():
    """Of two steps of two cycles, 3 passes without it and 6 with it."""
    assert [one_step(supervision=s)["trained_passes"] for s in ("end", "steps", "steps-optimised")] == [3, 6, 6]


def test_an_optimiser_step_behind_every_step_is_that_loop_by_hand():
    run = Run(**RUN | {"training_steps": 1, "supervision": "steps-optimised", "window": "step"})
    progress = Progress(run, "cpu")
    progress.train_step()
    model = run.build().train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=run.learning_rate, fused=True)
    tokens, targets = TASKS["copy"].problems(run.batch, run.length, torch.Generator().manual_seed(run.seed),
                                             reserved=False).batch()
    y, z, losses = model.y_init.detach(), model.z_init.detach(), []
    for n in range(run.steps):
        x, s = model.embed(tokens), model.step_embedding.weight[n]
        for _ in range(2):
            for _ in range(2):
                z = model.block[0](x + y + z + s, "z")
            y = model.block[0](y + z + s, "y")
        loss = F.cross_entropy(model.head(model.final_norm(y)).flatten(0, 1), targets.flatten(), ignore_index=-100)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        y, z = y.detach(), z.detach()
    assert progress.losses[0].item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    for (name, ours), theirs in zip(progress.model.named_parameters(), model.parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=name)


@torch.no_grad()
def decisive(model, tokens):
    """Let the trained head look for what changes from step to step,
    so that positions halt at different ones; -> votes."""
    y = torch.stack([y for y, _ in states(model, tokens)])  # (N, B, T, C)
    model.q_halt.weight.copy_((y[-1] - y[0]).mean(dim=(0, 1)))
    model.q_halt.bias.zero_()
    votes = model.q_halt(y).squeeze(-1)
    model.q_halt.bias.sub_(votes.median())
    return votes + model.q_halt.bias


def test_a_trained_head_fixes_each_positions_readout_where_its_vote_is_first_above_zero():
    model, (tokens, _) = small(halting_head="trained", norm="post", budget=24).eval(), batch()
    votes = decisive(model, tokens)
    said = torch.stack([model.head(model.final_norm(y)) for y, _ in states(model, tokens)])
    first = torch.where((votes > 0).any(0), (votes > 0).int().argmax(0), len(votes) - 1)  # (B, T)
    output = model(tokens)
    assert len(first.unique()) > 2
    assert output.halted_at.equal(first + 1)
    expected = said.gather(0, first[None, ..., None].expand(1, *said.shape[1:]))[0]
    torch.testing.assert_close(output.logits, expected, rtol=1e-9, atol=1e-9)


def test_the_loss_of_a_trained_head_is_binary_cross_entropy_on_being_right():
    """Weight one half, mean over steps and supervised positions, in training; all steps run whatever it votes."""
    model, (tokens, targets) = small(halting_head="trained", norm="post").train(), batch()
    votes = decisive(model, tokens)
    said = torch.stack([model.head(model.final_norm(y)) for y, _ in states(model, tokens)])
    supervised = targets >= 0
    right = (said.argmax(-1) == targets)[:, supervised].double()
    p = votes[:, supervised].sigmoid()
    entropy = -(right * p.log() + (1 - right) * (1 - p).log()).mean()
    answer = F.cross_entropy(said[-1].flatten(0, 1), targets.flatten(), ignore_index=-100)
    output = model(tokens)
    assert output.steps == model.architecture.steps
    assert model.loss(output, targets).item() == pytest.approx((answer + 0.5 * entropy).item())
    model.loss(output, targets).backward()
    assert model.q_halt.weight.grad.abs().max() > 0


VARIED = [{"start": "x", "injection": "none"}, {"sum": "mean"}, {"readout": "mean"}, {"supervision": "steps"},
          {"halting_head": "trained", "norm": "post"},
          {"halting_head": "trained", "supervision": "steps", "norm": "post"}]


@pytest.mark.parametrize("change", VARIED)
@pytest.mark.parametrize("steps", [None, 6])
def test_variants_decode_with_a_cache_as_without(change, steps):
    """Character by character on a growing text; halting at different steps, and more steps than trained, included."""
    model, (tokens, _) = small(budget=24, **change).eval(), batch(6)
    if "halting_head" in change:
        decisive(model, tokens)
    text = prompt = tokens[:, :5]
    for _ in range(6):
        with torch.no_grad():
            text = torch.cat([text, model(text, steps=steps).logits[:, -1:].argmax(-1)], dim=1)
    assert generate(model, prompt, 6, steps=steps).equal(text[:, 5:])
    draft = text[:, 5:].clone()
    draft[::2, 3] = (draft[::2, 3] + 1) % 10
    assert generate(model, prompt, 6, draft=draft, steps=steps).equal(text[:, 5:])


@pytest.mark.parametrize("change", VARIED)
def test_variants_are_causal_and_blind_to_the_rest_of_the_batch(change):
    model, (tokens, _) = small(**change).eval(), batch(6)
    if "halting_head" in change:
        decisive(model, tokens)
    other = tokens.clone()
    other[:, 6:] = (other[:, 6:] + 1) % 10
    a, b, alone = model(tokens), model(other), model(tokens[:1])
    torch.testing.assert_close(a.logits[:, :6], b.logits[:, :6], rtol=1e-9, atol=1e-9)
    assert a.halted_at[:, :6].equal(b.halted_at[:, :6])
    torch.testing.assert_close(a.logits[:1], alone.logits, rtol=1e-9, atol=1e-9)


# The window as a number of passes.


def gradients(model, tokens, targets):
    model.loss(model(tokens), targets).backward()
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("passes, window", [(3, "cycle"), (6, "step")])
def test_a_window_of_a_cycles_or_a_steps_passes_is_that_window(passes, window):
    a, b = (gradients(small(budget=24, window=w), *batch()) for w in (passes, window))
    for name in a:
        assert (a[name] is None and b[name] is None) or a[name].equal(b[name]), name


def test_a_window_of_all_passes_lacks_the_initial_states_only():
    a, b = (gradients(small(budget=24, window=w), *batch()) for w in (24, "all"))
    assert {name for name in a if a[name] is None} == {"y_init", "z_init", "q_halt.weight", "q_halt.bias"}
    for name in set(a) - {"y_init", "z_init", "q_halt.weight", "q_halt.bias"}:
        torch.testing.assert_close(a[name], b[name], msg=name)


def test_a_window_of_four_passes_begins_in_the_middle_of_a_step():
    """The y update before the last cycle, by hand: what comes before is detached, x is not."""
    model, (tokens, targets) = small(window=4), batch()
    gradient = gradients(model, tokens, targets)["block.0.mlp.in.weight"].clone()
    model.zero_grad()
    x, f, s = model.embed(tokens), model.block[0], model.step_embedding.weight
    with torch.no_grad():
        y, z = states(small(budget=6), tokens)[0]  # the step before
        z = f(x + y + z + s[1], "z")
        z = f(x + y + z + s[1], "z")
    y = f(y.detach() + z.detach() + s[1], "y")
    for _ in range(2):
        z = f(x + y + z + s[1], "z")
    y = f(y + z + s[1], "y")
    F.cross_entropy(model.head(model.final_norm(y)).flatten(0, 1), targets.flatten(), ignore_index=-100).backward()
    torch.testing.assert_close(gradient, f.mlp["in"].weight.grad)


def test_a_window_of_one_stream_trains_its_last_passes():
    """Dense of 12 blocks: the last four get the gradient that they have without a window, all others none; of Iterative
    the gradient is that of four passes behind a state that is given."""
    (tokens, targets), dense = batch(), [gradients(small("dense", window=window), *batch())
                                         for window in ("4", "cycle")]
    for name, gradient in dense[0].items():
        expected = name.startswith(("block.8.", "block.9.", "block.10.", "block.11.", "final_norm", "head"))
        assert gradient.equal(dense[1][name]) if expected else gradient is None, name
    model = small("iterative", window="4")
    gradient = gradients(model, tokens, targets)["block.0.mlp.in.weight"].clone()
    model.zero_grad()
    with torch.no_grad():
        h = model.embed(tokens)
        for _ in range(8):
            h = model.block[0](h)
    for _ in range(4):
        h = model.block[0](h)
    F.cross_entropy(model.head(model.final_norm(h)).flatten(0, 1), targets.flatten(), ignore_index=-100).backward()
    torch.testing.assert_close(gradient, model.block[0].mlp["in"].weight.grad)


def test_a_window_is_warmed_up_from_two_passes():
    run = Run(**RUN | {"window": "6", "window_warmup": 40, "training_steps": 1000})
    assert [run.window_at(step) for step in (1, 10, 11, 21, 31, 40, 41, 1000)] == [2, 2, 3, 4, 5, 5, 6, 6]
    assert Run(**RUN | {"window": "6"}).window_at(1) is None
    assert one_step(window="6", window_warmup=1)["trained_passes"] == 2
    assert one_step(rung="iterative", window="6", window_warmup=1)["trained_passes"] == 2


# The recipe.


def test_the_learning_rate_rises_and_falls():
    run = Run(**RUN | {"training_steps": 110, "warmup": 10, "decay": "cosine", "learning_rate": 1.0})
    assert [run.learning_rate_at(step) for step in (1, 5, 10)] == pytest.approx([0.1, 0.5, 1])
    assert run.learning_rate_at(60) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 2)) / 2)
    assert run.learning_rate_at(110) == pytest.approx(0.1)
    assert {Run(**RUN).learning_rate_at(step) for step in (1, 100, 5000)} == {1e-2}


def test_a_training_step_uses_the_learning_rate_of_its_number():
    progress = Progress(Run(**RUN | {"warmup": 4}), "cpu")
    for expected in (0.25e-2, 0.5e-2, 0.75e-2, 1e-2, 1e-2):
        progress.train_step()
        assert progress.optimiser.param_groups[0]["lr"] == pytest.approx(expected)


def test_clipping_bounds_the_norm_of_the_whole_gradient():
    """AdamW undoes any factor but for its eps, so the gradients are what is looked at."""
    norms = []
    for clip in 0.0, 1e-3:
        progress = Progress(Run(**RUN | {"clip": clip}), "cpu")
        progress.train_step()
        norms.append(torch.cat([p.grad.flatten() for p in progress.model.parameters()
                                if p.grad is not None]).norm().item())
    assert norms[0] > 1e-2 and norms[1] == pytest.approx(1e-3, rel=1e-3)


def test_a_run_stops_where_it_has_learned():
    """Of 200 characters at least one is right by chance, so a tiny share is reached at the first evaluation."""
    fields = RUN | {"training_steps": 8, "stop_at": 1e-9}
    result = train(Run(**fields), Schedule(2, (4,), problems=50))
    assert len(result.losses) == max(score.step for score in result.scores) == 2
    assert len(train(Run(**fields | {"stop_at": 1.0}), Schedule(2, (4,), problems=50)).losses) == 8


# What has no meaning.


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"rung": "universal", "start": "x"}, "no meaning for universal"),
        ({"rung": "dual_ut", "halting_head": "trained"}, "no meaning for dual_ut"),
        ({"halting_head": "trained", "readout": "mean"}, "no meaning for readout=mean"),
        ({"rung": "dual_ut", "readout": "mean", "halting_bias": -3.0}, "no meaning for readout=mean"),
        ({"injection": "none"}, "use it with start=x"),
        ({"supervision": "steps-optimised", "window": "all"}, "no gradient crosses"),
        ({"rung": "dual_nested_ut", "supervision": "steps-optimised"}, "for rung 7"),
        ({"window": "0"}, "window='0' is not known"),
        ({"window": "13"}, "from 1 to the budget, 12"),
        ({"window": "far"}, "cycle, step, all"),
        ({"rung": "iterative", "window": "far"}, "choose cycle, or a number"),
        ({"rung": "dual_nested_ut", "window": "4"}, "rungs 1 to 3 and 7"),
        ({"rung": "universal", "window": "4"}, "rungs 1 to 3 and 7"),
        ({"window": "4", "supervision": "steps"}, "rungs 1 to 3 and 7"),
        ({"rung": "iterative", "window": "all"}, "no meaning for iterative"),
        ({"rung": "iterative", "window": "12"}, "all there is of iterative"),
        ({"residual": "2"}, "1, 1/sqrt, 1/passes"),
    ],
)
def test_what_has_no_meaning_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Architecture(**{"rung": "ar_trm"} | SMALL | fields)


@pytest.mark.parametrize("fields, message", [
    ({"window_warmup": 10}, "window=cycle"), ({"decay": "linear"}, "none, cosine"), ({"clip": "a"}, "clip='a'"),
    ({"stop_at": 99}, "stop_at=99"), ({"warmup": 9999}, "training_steps=5000"), ({"clip": True}, "clip=True"),
    ({"warmup": -1}, "warmup=-1"), ({"clip": -1.0}, "clip=-1.0")])
def test_a_recipe_that_does_not_exist_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Run(**RUN | fields)


def test_numbers_may_stand_for_the_words_of_window_and_residual():
    assert Architecture(rung="ar_trm", residual=1, window=4) == Architecture(rung="ar_trm", residual="1", window="4")


def test_a_model_as_published_is_the_rung_itself():
    assert all(type(build(rung, **SMALL)) is LADDER[rung].model for rung in LADDER)
    assert {field: values[0] for field, values in FIELDS.items()} == {
        field: Architecture.__dataclass_fields__[field].default for field in FIELDS}


@pytest.mark.parametrize("residual, factor", [("1/sqrt", 12**-0.5), ("1/passes", 1 / 12)])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_residual_factor_is_on_both_branches(residual, factor, norm):
    """As if the last layers of the branches were as much smaller."""
    model, plain, (tokens, _) = small(residual=residual, norm=norm), small(norm=norm), batch()
    with torch.no_grad():
        for layer in plain.block[0].attention.out, plain.block[0].mlp["out"]:
            layer.weight.mul_(factor)
    torch.testing.assert_close(model(tokens).logits, plain(tokens).logits, rtol=1e-9, atol=1e-9)


def test_the_cured_model_has_a_name_and_is_recorded_as_what_it_is():
    cured = {"rung": "ar_trm", "norm": "post", "scale": "unit"}
    model = build("ar_trm_cured", **SMALL)
    assert model.architecture == Architecture(**cured, **SMALL)
    assert "rung=ar_trm" in model.extra_repr() and "norm=post scale=unit" in model.extra_repr()
    assert build("ar_trm_cured", norm="pre", **SMALL).architecture == Architecture(**cured | {"norm": "pre"}, **SMALL)
    assert "ar_trm_cured" not in LADDER


def test_training_knows_the_cured_model_by_its_name(tmp_path):
    assert main(["train", "--profile", "smoke", "--task", "copy", "--rung", "ar_trm_cured",
                 "--store", str(tmp_path)]) == 0
    record, = Store(tmp_path).records()
    assert [record["configuration"][field] for field in ("rung", "norm", "scale")] == ["ar_trm", "post", "unit"]

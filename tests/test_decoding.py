"""Decoding writes what one would write character by character, and evaluation counts it right."""

import math

import pytest
import torch

from tarm import LADDER, build
from tarm.decoding import Past, complete, generate, gumbel
from tarm.evaluation import Score, character_accuracy, evaluate, evaluation_problems, metrics, rows_at_once
from tarm.runs import Run, Schedule
from tarm.streams import training_stream
from tarm.tasks import NEWLINE, VOCABULARY, encode
from tarm.training import train


TINY = {"width": 16, "heads": 2, "budget": 6, "context": 16}


def opinionated(rung, **fields):
    """A float64 model whose choices depend on all that it has read: every matrix but the halting head is large."""
    model, generator = build(rung, dropout=0.0, **TINY | fields).double().eval(), torch.Generator().manual_seed(0)
    for name, p in model.named_parameters():
        if p.dim() == 2 and "halt" not in name:
            torch.nn.init.normal_(p, std=0.5, generator=generator)
    return model


def noise_of(*shape):
    return gumbel((*shape, len(VOCABULARY)), torch.Generator().manual_seed(0))


@torch.no_grad()
def one_by_one(model, prompt, n, noise=None):
    """The plain loop: read everything, take the best character, append it."""
    tokens = prompt
    for i in range(n):
        logits = model(tokens).logits[:, -1]
        chosen = (logits if noise is None else logits + noise[:, i]).argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, chosen], dim=1)
    return tokens[:, prompt.shape[1]:]


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("noise", [None, noise_of(6, 8)], ids=["greedy", "sampled"])
def test_generate_is_decoding_one_by_one(rung, noise):
    """From no draft, a wrong one, one that goes wrong at another character in each row, and the
    right one, which a single forward call confirms."""
    model = opinionated(rung)
    prompt = torch.randint(10, (6, 4), generator=torch.Generator().manual_seed(1))
    expected = one_by_one(model, prompt, 8, noise)
    assert len({tuple(row) for row in expected.tolist()}) >= 3
    uneven = torch.where(torch.arange(8) < torch.tensor([[3], [0], [8], [7], [5], [3]]), expected, (expected + 1) % 14)
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    for draft in None, (expected + 1) % 14, uneven, expected:
        calls.clear()
        assert generate(model, prompt, 8, noise, draft).equal(expected)
        assert len(calls) == (1 if draft is expected else 8)


def uneven_halting(rung, **fields):
    """A model whose positions halt at different steps, some not at all: its cache has to be caught up."""
    model = opinionated(rung, budget=24, **fields)
    if model.halting_head:
        head = getattr(model, model.halting_head)
        torch.nn.init.normal_(head.weight, std=1.0, generator=torch.Generator().manual_seed(0))
        torch.nn.init.constant_(head.bias, -1.0)
    return model


OPTIONS = {"halting": {}, "halting off": {"halting": False}, "more steps": {"more": 3}}


@pytest.mark.parametrize("rung, options", [
    pytest.param(rung, options, id=f"{rung}-{name}") for rung in LADDER for name, options in OPTIONS.items()
    if not (rung == "dense" and name == "more steps")])  # its blocks are as many as its steps
def test_remembered_positions_give_the_same_logits(rung, options):
    """Read in pieces of 3, 1, 4 and 1 positions, on fewer and fewer rows, as in one call; float64 within 1e-9."""
    model = uneven_halting(rung, norm="post")
    if "more" in options:
        options = {"steps": model.architecture.steps + options["more"]}
    tokens = torch.randint(14, (5, 9), generator=torch.Generator().manual_seed(2))
    whole = model(tokens, **options)
    if model.halting_head == "act_halt" and "halting" not in options:
        assert len(whole.halted_at.unique()) >= 3
    past = Past(rows=5, room=9)
    with torch.no_grad():
        for start, stop, rows in (0, 3, 5), (3, 4, 5), (4, 8, 4), (8, 9, 2):
            part = model(tokens[:rows, start:stop], past=past.at(start, rows), **options)
            torch.testing.assert_close(part.logits, whole.logits[:rows, start:stop], atol=1e-9, rtol=0)
            assert part.halted_at.equal(whole.halted_at[:rows, start:stop])
            assert part.steps <= whole.steps


def test_positions_halted_early_catch_up():
    """The first three positions halt after fewer steps than the last, whose call takes them further."""
    model = uneven_halting("universal", norm="post")
    tokens = torch.randint(14, (1, 9), generator=torch.Generator().manual_seed(2))
    halted_at = model(tokens).halted_at[0]
    late = int(halted_at.argmax())
    assert late > 0 and halted_at[:late].max() < halted_at[late]
    past = Past(rows=1, room=9)
    with torch.no_grad():
        early = model(tokens[:, :late], past=past.at(0)).steps
        assert early == past.steps < model(tokens[:, late:late + 1], past=past.at(late)).steps == past.steps


def test_with_binary_halting_a_batch_goes_the_steps_of_its_slowest_row():
    """Rows that halt at step 1, 2 or not at all are read after 4 steps in one batch, as where nothing halts; alone, or
    among rows that halt when they do, each is read where it halts."""
    model = uneven_halting("ar_trm", norm="post", scale="unit")
    torch.nn.init.zeros_(model.q_halt.bias)
    prompt = torch.randint(10, (6, 4), generator=torch.Generator().manual_seed(1))
    halted_at = model(prompt, halting=False).halted_at[:, 0]
    assert halted_at.tolist() == [2, 1, 2, 1, 2, 4]
    together, alone = generate(model, prompt, 12), torch.cat([generate(model, row.unsqueeze(0), 12) for row in prompt])
    assert together.equal(one_by_one(model, prompt, 12))
    assert alone.equal(torch.cat([one_by_one(model, row.unsqueeze(0), 12) for row in prompt]))
    assert (together == alone).all(dim=1).tolist() == (halted_at == 4).tolist()
    for step in 1, 2:
        assert generate(model, prompt[halted_at == step], 12).equal(alone[halted_at == step])
    torch.nn.init.constant_(model.q_halt.bias, -1e3)
    assert together.equal(generate(model, prompt, 12))


def test_what_is_sampled_differs_between_seeds_and_steps_and_is_the_same_again():
    run = Run(rung="iterative", task="copy", length=3, width=16, heads=2, budget=6, context=8, dropout=0)
    model, problems = run.build(0).eval(), evaluation_problems(run, 3, 50, training_stream(0))
    found = [[score.correct for score in evaluate(model, problems, 3, step, seed)]
             for step, seed in ((1, 0), (1, 0), (2, 0), (1, 1))]
    assert found[0] == found[1]
    for other in found[2:]:  # seen greedy, seen sampled, unseen greedy, unseen sampled
        assert [one == two for one, two in zip(found[0], other)] == [True, False, True, False]
    assert found[0][1] != found[0][3]


def test_samples_follow_the_softmax():
    """40,000 draws from probabilities 0.5, 0.3, 0.2: shares within five standard errors (0.0125 at most)."""
    noise = gumbel((40_000, 3), torch.Generator().manual_seed(0))
    chosen = (torch.tensor([0.5, 0.3, 0.2]).log() + noise).argmax(dim=1)
    assert (chosen.bincount() / 40_000).tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.0125)


# Completing a text.


def dictated(text, length):
    """Noise that leaves the model no choice but to write this text, then zeros."""
    noise = torch.zeros(1, length, len(VOCABULARY))
    noise[0, torch.arange(length), encode(text.ljust(length, "0")[:length])] = 1e6
    return noise


def test_complete_stops_before_the_newline():
    model = opinionated("iterative")
    assert complete(model, "12|", 8, dictated("345\n77", 8)) == "345"
    assert complete(model, "12|", 2, dictated("345\n77", 2)) == "34"
    assert complete(model, "12|", 8, dictated("\n", 8)) == ""


def test_complete_writes_what_generate_writes():
    model = opinionated("iterative")
    torch.nn.init.constant_(model.head.bias[NEWLINE:], -100)
    prompt = encode("12|").unsqueeze(0)
    assert encode(complete(model, "12|", 6)).equal(generate(model, prompt, 6)[0])


def test_complete_fills_the_context_and_no_more():
    """16 rows hold 10 characters of prompt and 6 read back: 7 are written, whatever the limit, sampled or not."""
    model = opinionated("iterative")
    assert len(complete(model, "012345678|", 64, dictated("", 64))) == 7


@pytest.mark.parametrize("text, words", [
    ("12a", "'a' is not in the vocabulary"), ("", "prompt is empty"),
    ("1" * 17, "17 characters does not fit a context of 16")])
def test_complete_refuses_what_it_cannot_read(text, words):
    with pytest.raises(ValueError, match=words):
        complete(opinionated("iterative"), text, 8)


# Counting.


@pytest.mark.parametrize("correct, quarters", [
    ([9, 8, 7, 6], [9, 8, 7, 6]),                              # bounds 0, 1, 2, 3, 4
    ([9, 8, 7, 6, 4], [9, 8, 7, 5]),                           # bounds 0, 1, 2, 3, 5
    ([10, 8, 9, 9, 6, 5, 5, 2, 3, 1, 2], [9, 8, 4, 2]),        # bounds 0, 2, 5, 8, 11
    ([9, 8, 7], []),                                           # fewer than 4 characters have no quarters
])
def test_metrics(correct, quarters):
    """Ten problems, three of them right throughout: means of `correct` over each span, in tenths."""
    n = len(correct)
    expected = {"character": (sum(correct) / n / 10, 10 * n), "sequence": (0.3, 10),
                "first": (correct[0] / 10, 10), "last": (correct[-1] / 10, 10)}
    bounds = [0, n // 4, n // 2, 3 * n // 4, n]
    expected |= {f"Q{q + 1}": (value / 10, 10 * (bounds[q + 1] - bounds[q])) for q, value in enumerate(quarters)}
    expected |= {f"position {k + 1}": (value / 10, 10) for k, value in enumerate(correct)}
    result = metrics(Score(1, n, "unseen", "greedy", 10, correct, 3))
    assert result.keys() == expected.keys()
    for name, (value, count) in expected.items():
        assert result[name] == (pytest.approx(value), count), name


RUN = Run(rung="universal", task="copy", length=3, batch=4, training_steps=4, dropout=0.1, learning_rate=1e-2, **TINY)


def test_evaluate_counts_what_the_plain_loop_gets_right():
    """Greedy, on unseen problems, position by position; the four scores come in a fixed order."""
    model = opinionated("universal")
    problems = evaluation_problems(RUN, 3, 50, training_stream(0))
    scores = evaluate(model, problems, 3, step=7, seed=0)
    assert [(s.problems, s.decoding) for s in scores] == [
        ("seen", "greedy"), ("seen", "sampled"), ("unseen", "greedy"), ("unseen", "sampled")]
    right = one_by_one(model, problems["unseen"].prompt, 3) == problems["unseen"].answer
    assert scores[2] == Score(7, 3, "unseen", "greedy", 50, right.sum(dim=0).tolist(), int(right.all(dim=1).sum()))
    assert character_accuracy(scores, 3) == pytest.approx(right.double().mean().item())
    assert 0 < right.sum() < right.numel()
    with pytest.raises(ValueError, match=r"0 of these evaluations have length=4, .* at one of the lengths \[3\]"):
        character_accuracy(scores, 4)
    with pytest.raises(ValueError, match="2 of these evaluations have length=3"):
        character_accuracy(2 * scores, 3)


def test_there_is_nothing_to_go_on_from_in_an_empty_prompt():
    with pytest.raises(ValueError, match=r"prompts of the shape \(1, 0\)"):
        generate(build("dense", **TINY), torch.zeros(1, 0, dtype=torch.int64), 2)


def test_evaluation_that_cannot_be_is_refused_before_training():
    """Decoding 9 digits reads 10 + 8 characters, the context has 16: found before the first step, not at the last."""
    reports = []
    with pytest.raises(ValueError, match="9 digits.*context=16"):
        train(RUN, Schedule(4, (3,), (9,), problems=5), report=lambda *report: reports.append(report))
    assert not reports


@pytest.mark.parametrize("rung", LADDER)
def test_what_is_remembered_stays_below_a_gigabyte(rung):
    """Keys and values in float32, counted in a Past, which is held twice: as many rows as fit, and one more would not;
    with twice the steps, where the rung can run them, half as many."""
    model = build(rung, dropout=0.0, **TINY)
    for more in (1, 2)[:1 if rung == "dense" else 2]:
        past, steps = Past(1, 8), more * model.architecture.steps
        with torch.no_grad():
            model(torch.zeros(1, 8, dtype=torch.long), steps, halting=False, past=past.at(0))
        row = 2 * sum(kept.nbytes for pair in past.passes for kept in pair)
        rows = rows_at_once(model, 8, steps)
        assert rows * row <= 2**30 < (rows + 1) * row
    assert rows_at_once(model, 8) == rows_at_once(model, 8, 1) == rows_at_once(model, 8, model.architecture.steps)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_is_repeatable_and_leaves_no_trace(training):
    """The same scores twice, dropout off whatever the mode, the mode and the global random stream as before."""
    model = build("universal", dropout=0.5, **TINY).train(training)
    problems, everyone = evaluation_problems(RUN, 3, 20, training_stream(0)), torch.get_rng_state()
    assert evaluate(model, problems, 3, 1, 0) == evaluate(model, problems, 3, 1, 0)
    assert model.training is training
    assert torch.get_rng_state().equal(everyone)


def test_evaluating_does_not_change_the_training_that_follows():
    """With dropout and every step evaluated, the losses and the last scores are those of a run evaluated at its end,
    whatever the global random stream."""
    torch.manual_seed(1)
    often = train(RUN, Schedule(1, (3,), problems=5))
    torch.manual_seed(2)
    once = train(RUN, Schedule(4, (3,), problems=5))
    assert often.losses == once.losses
    assert [s.step for s in often.scores] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert often.scores[-4:] == once.scores
    assert all(math.isfinite(loss) for loss in once.losses) and len(set(once.losses)) == 4


def test_decoding_is_without_dropout_and_leaves_the_model_as_it_came():
    """A model that was built is in training mode."""
    model, prompt = build("universal", width=16, heads=2, budget=3, context=24, dropout=0.5), torch.arange(8).view(2, 4)
    one, two = generate(model, prompt, 6), generate(model, prompt, 6)
    assert model.training and one.equal(two) and one.equal(generate(model.eval(), prompt, 6)) and not model.training
    with pytest.raises(ValueError, match="n=0 leaves nothing to write"):
        generate(model, prompt, 0)
    with pytest.raises(ValueError, match="do not fit a context of 24"):
        generate(model.train(), prompt, 40)
    assert model.training

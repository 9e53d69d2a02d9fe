"""Training: options that cost or save, and change no number."""

import contextlib
from functools import partial

import pytest
import torch
from torch._dynamo.utils import counters

from tarm import LADDER
from tarm.checkpoint import Keeper
from tarm.evaluation import evaluate, evaluation_problems
from tarm.runs import Run, Schedule
from tarm.streams import training_stream
from tarm.training import Progress, Stopped, check_room, dropout_from, train


def run_of(rung, **fields):
    """Five steps at width 16, 24 passes, dropout included."""
    return Run(**{"rung": rung, "task": "copy", "length": 3, "width": 16, "heads": 2, "context": 8, "batch": 4,
                  "training_steps": 5} | fields)


def bytes_kept(run, recompute):
    """Bytes that autograd keeps of one forward call for its backward, each tensor once."""
    kept = {}
    progress = Progress(run, "cpu", recompute)

    def keep(tensor):
        kept[tensor.data_ptr(), tensor.numel()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        progress.train_step()
    return sum(kept.values())


@pytest.mark.parametrize("rung, stream", list(zip(LADDER, ["torch", "bits"] * 4)))
def test_recomputing_changes_no_number(rung, stream):
    """Losses, scores, weights and passes counted, bit by bit, dropout of both kinds included."""
    run = run_of(rung, dropout_stream=stream)
    plain, again = (train(run, Schedule(5, (3,), problems=4), recompute=recompute) for recompute in (False, True))
    assert plain.losses == again.losses and plain.scores == again.scores
    assert all(again.model.state_dict()[name].equal(value) for name, value in plain.model.state_dict().items())
    assert plain.ledger["trained_passes"] == again.ledger["trained_passes"]
    assert plain.ledger["executed_passes"] == again.ledger["executed_passes"]


@pytest.mark.parametrize("change", [{"eps": 1e-2}, {"weight_decay": 0.5}, {"learning_rate": 1e-2}, {"clip": 1e-3},
                                    {"warmup": 5}])
def test_what_the_optimiser_is_given_changes_the_weights(change):
    plain, other = (train(run_of("iterative", dropout=0, **fields), Schedule(5, ())).model for fields in ({}, change))
    assert not plain.head.weight.equal(other.head.weight)


def test_each_seed_explores_in_its_own_way():
    """How early a trained halting head may end a training batch is drawn anew with each seed."""
    drawn = [Progress(run_of("ar_trm", seed=seed), "cpu").exploration.get_state() for seed in (0, 0, 1)]
    assert drawn[0].equal(drawn[1]) and not drawn[0].equal(drawn[2])


def test_recomputing_keeps_one_input_a_pass():
    """24 passes of a Dense Transformer: beside weights, what is kept falls to less than a quarter."""
    run = run_of("dense", length=10, context=24, batch=16)
    weights = 4 * run.count_parameters()
    assert bytes_kept(run, True) - weights < (bytes_kept(run, False) - weights) / 4


def test_the_truncated_rungs_build_no_graph_that_is_cut_away():
    """As published the last cycle of the last step alone is differentiated: what is kept does not grow with N,
    apart from a stream or two a step."""
    short, long = (bytes_kept(run_of("ar_trm", steps=n, length=10, context=24, batch=16), False) for n in (2, 8))
    assert long < 1.2 * short


def test_the_trained_model_is_evaluated_with_other_numbers_of_steps():
    """Once, in the end, on the problems and with the noise of the last evaluation:
    its own number gives the same scores."""
    run = run_of("ar_trm", steps=2, norm="post", scale="unit", learning_rate=1e-2)
    plain = train(run, Schedule(2, (3,), problems=4))
    result = train(run, Schedule(2, (3,), problems=4, other_steps=(1, 2, 3)))
    assert result.losses == plain.losses and result.scores == plain.scores and not plain.other_steps
    last = [score for score in result.scores if score.step == 5]
    assert set(result.other_steps) == {1, 2, 3} and result.other_steps[2] == last
    problems = evaluation_problems(run, 3, 4, training_stream(run.seed))
    assert result.other_steps[1] == evaluate(result.model, problems, 3, 5, run.seed, steps=1)
    tokens, _ = problems["unseen"].batch()
    assert not result.model(tokens, steps=1).logits.equal(result.model(tokens).logits)


def test_where_a_run_diverged_does_not_depend_on_when_it_was_saved(tmp_path):
    """Loss 2 is not a number any more. Saved and left behind every step,
    it is found where it is found without saving."""
    run, schedule = run_of("iterative", learning_rate=1e30, training_steps=12), Schedule(12, (3,), problems=4)
    whole = train(run, schedule)
    for _ in range(12):
        with contextlib.suppress(Stopped):
            again = train(run, schedule, keeper=Keeper(tmp_path / "it", run, schedule, deadline=0))
            break
    assert whole.diverged_at == again.diverged_at == 2 and len(whole.losses) == len(again.losses) == 10


def test_a_run_that_diverges_in_its_last_steps_and_is_not_evaluated_says_so():
    assert train(run_of("iterative", learning_rate=1e30, training_steps=4), Schedule(2, ())).diverged_at == 2


def test_a_diverged_model_is_not_evaluated():
    result = train(run_of("iterative", learning_rate=1e30), Schedule(2, (3,), problems=4))
    assert result.diverged_at == 2 and result.scores == []


def test_a_run_that_ends_early_is_evaluated_at_its_final_lengths():
    """The first evaluation, after 2 of 40 steps, ends it."""
    run = run_of("iterative", training_steps=40, stop_at=1e-9, context=16, dropout=0.0)
    result = train(run, Schedule(2, (3,), (5,), problems=20))
    assert len(result.losses) == 2 and all(isinstance(loss, float) for loss in result.losses)
    assert {(score.length, score.step) for score in result.scores} == {(3, 2), (5, 2)}


def test_the_stream_of_an_apple_gpu_is_put_back(monkeypatch):
    state = {"mps": "as it was"}
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state["mps"])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda before: state.update(mps=before))
    with dropout_from(0, "mps"):
        state["mps"] = "drawn from"
    assert state["mps"] == "as it was"


def test_a_run_that_could_not_tell_when_to_end_is_refused_before_training():
    with pytest.raises(ValueError, match="stop_at=0.9 asks for the accuracy at the training length, 3, .* add it"):
        check_room(run_of("iterative", stop_at=0.9), Schedule(2, (2,), (3,)))


def test_other_steps_that_cannot_be_run_are_refused_before_training():
    with pytest.raises(ValueError, match="dense has a block for each of its 24 steps .* leave them out"):
        check_room(run_of("dense"), Schedule(2, (3,), other_steps=(12,)))
    with pytest.raises(ValueError, match="at the training length, 3, which is not among the lengths"):
        check_room(run_of("iterative"), Schedule(2, (2,), other_steps=(12,)))


def test_compiled_is_training_alone(monkeypatch):
    """By PyTorch's tracing, without a compiler behind it: one graph for passes with a gradient and one for those
    without, and nothing left on the model. Evaluation, whose calls have many shapes,
    goes through the block as it is."""
    settings = torch._dynamo.config
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    # puts back what training sets
    with settings.patch(recompile_limit=settings.recompile_limit, fail_on_recompile_limit_hit=False):
        plain, compiled = (train(run_of("ar_trm", dropout=0), Schedule(5, (3,), problems=4), compiled=compiled)
                           for compiled in (False, True))
    assert counters["stats"]["unique_graphs"] == 2 and not counters["graph_break"]
    assert plain.losses == compiled.losses and plain.scores == compiled.scores
    assert not any("forward" in vars(block) for block in compiled.model.block)


def test_random_bits_are_not_compiled():
    with pytest.raises(ValueError, match="dropout_stream=bits cannot be compiled: "
                                         "leave out --compile, or use dropout_stream=torch"):
        Progress(run_of("dense", dropout_stream="bits"), "cpu", compiled=True)

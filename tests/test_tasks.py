"""The tasks: right answers, their layout, who may see which problem, and the chance level."""

import re
from itertools import product

import pytest
import torch

from tarm import TASKS
from tarm.evaluation import evaluation_problems
from tarm.runs import Run
from tarm.streams import stream, training_stream
from tarm.tasks import (IGNORE, NEWLINE, RESERVE_BELOW, VOCABULARY, decode, encode, is_reserved, seen_problems,
                        unseen_problems)

SOLUTIONS = {  # by Python's own strings and integers, independent of the tensors
    "copy": lambda prompt: prompt[:-1],
    "reverse": lambda prompt: prompt[-2::-1],
    "addition": lambda prompt: str(sum(map(int, prompt[:-1].split("+")))).zfill(prompt.index("+") + 1),
}


def follow_pointers(prompt):
    """The quarters of the answer follow four, three, two pointers, and one."""
    x, answer = prompt[:-1], ""
    for i in range(len(x)):
        here = i
        for _ in range(4 - sum(i >= len(x) * quarter // 4 for quarter in (1, 2, 3))):
            here = int(x[here % len(x)])
        answer += str(here)
    return answer


SOLUTIONS["pointers"] = follow_pointers


def generator():
    return torch.Generator().manual_seed(0)


def test_vocabulary():
    """Ids 0 to 13 in the paper's order."""
    assert VOCABULARY == "0123456789|+=\n" and NEWLINE == 13
    assert encode("90|+=\n").tolist() == [9, 0, 10, 11, 12, 13]
    assert decode(encode("12+34=046\n")) == "12+34=046\n"


def test_no_characters_are_no_ids():
    assert encode("").dtype == torch.int64 and encode("").shape == (0,)


def test_a_character_outside_the_vocabulary_is_an_error():
    with pytest.raises(ValueError, match="'a' is not in the vocabulary"):
        encode("12a")


@pytest.mark.parametrize("key, length", [*product(TASKS, (1, 2, 10, 50))])
def test_answers_are_right(key, length):
    problems = TASKS[key].problems(200, length, generator())
    for prompt, answer in zip(problems.prompt, problems.answer):
        assert decode(answer) == SOLUTIONS[key](decode(prompt))


@pytest.mark.parametrize("key, length, expected", [
    ("copy", 3, "[0-9]{3}[|]"), ("pointers", 3, "[0-9]{3}[|]"), ("reverse", 3, "[0-9]{3}[|]"),
    ("addition", 3, "[0-9]{3}[+][0-9]{3}=")])
def test_form_of_the_prompts(key, length, expected):
    prompts = [decode(prompt) for prompt in TASKS[key].problems(300, length, generator()).prompt]
    assert all(re.fullmatch(expected, prompt) for prompt in prompts)
    assert {prompt[0] for prompt in prompts} == set("0123456789")  # leading zeros allowed


@pytest.mark.parametrize("key, inputs, supervised", [
    ("copy", 21, 11), ("pointers", 21, 11), ("reverse", 21, 11), ("addition", 33, 12)])
def test_a_batch_supervises_the_answer_and_its_newline(key, inputs, supervised):
    """At L = 10: 10 + 1 + 10 inputs and 10 + 1 targets, addition 10 + 1 + 10 + 1 + 11 and 11 + 1.

    targets[t] is the character after tokens[t].
    """
    problems = TASKS[key].problems(4, 10, generator())
    tokens, targets = problems.batch()
    assert tokens.shape == targets.shape == (4, inputs)
    for row in range(4):
        text = decode(problems.prompt[row]) + decode(problems.answer[row]) + "\n"
        assert decode(tokens[row]) == text[:-1]
        assert targets[row, :-supervised].eq(IGNORE).all()
        assert decode(targets[row, -supervised:]) == text[-supervised:] == decode(problems.answer[row]) + "\n"


@pytest.mark.parametrize("key", TASKS)
def test_a_stream_gives_the_same_problems_again(key):
    one, again, other = (TASKS[key].problems(20, 5, stream(seed, "unseen", key)).prompt for seed in (0, 0, 1))
    assert one.equal(again) and not one.equal(other)


def test_streams_differ_by_seed_and_by_each_part_of_their_name():
    names = [(0, "unseen", "copy", 5), (1, "unseen", "copy", 5), (0, "other", "copy", 5), (0, "unseen", "copy", 6)]
    assert len({torch.rand(1, generator=stream(*name)).item() for name in names}) == 4


def test_seed_1337_draws_the_published_problems():
    """Those of the authors' code, of whose first 100 sums 55 begin with a 1."""
    problems = TASKS["addition"].problems(100, 10, training_stream(1337))
    assert problems.answer[:, 0].eq(1).sum() == 55


# Which problems are reserved for evaluation.


def every_problem(operands, length):
    """All digits (M, operands, L) there are."""
    return torch.cartesian_prod(*[torch.arange(10)] * (operands * length)).view(-1, operands, length)


@pytest.mark.parametrize("operands, length, expected", [
    (1, 1, 1), (1, 2, 6), (1, 3, 62), (1, 4, 625), (2, 1, 6), (2, 2, 625)])
def test_one_problem_in_sixteen_is_reserved(operands, length, expected):
    """10^k / 16 rounded down, but one at least; 1/16 exactly from four digits on."""
    assert is_reserved(every_problem(operands, length)).sum() == expected == max(1, 10 ** (operands * length) // 16)


@pytest.mark.parametrize("key, length", [("copy", 1), ("copy", 3), ("reverse", 4), ("addition", 2)])
def test_training_never_draws_a_reserved_problem_and_unseen_draws_no_other(key, length):
    """Together they reach all reserved problems and most of the others, and share none."""
    task = TASKS[key]
    assert task.count(length) < RESERVE_BELOW
    trained = set(map(tuple, task.problems(20_000, length, training_stream(0), reserved=False).prompt.tolist()))
    unseen = set(map(tuple, unseen_problems(task, length, 0, 20_000).prompt.tolist()))
    reserved = max(1, task.count(length) // 16)
    assert not trained & unseen
    assert len(unseen) == reserved
    assert len(trained) > 0.8 * (task.count(length) - reserved)


def test_nothing_is_reserved_where_problems_abound():
    """From 10^8 on a repetition is unlikely; training draws what the published code draws."""
    task = TASKS["copy"]
    plain, training = (task.problems(500, 8, training_stream(0), reserved).prompt for reserved in (None, False))
    assert plain.equal(training)


@pytest.mark.parametrize("key, length, batch", [
    ("addition", 10, 64), ("copy", 8, 32), ("copy", 5, 32), ("addition", 3, 32)])
def test_seen_problems_are_the_first_of_training(key, length, batch):
    """The run's own first 100, whatever the batch, and whether or not reserved ones were passed over."""
    run = Run(rung="dense", task=key, length=length, batch=batch, seed=1)
    training = training_stream(run.seed)
    batches = [TASKS[key].problems(batch, length, training, reserved=False) for _ in range(4)]
    trained = torch.cat([problems.prompt for problems in batches])[:100]
    seen = evaluation_problems(run, length, 100, training_stream(run.seed))["seen"]
    assert seen.prompt.equal(trained)


def test_seen_at_another_length_has_a_stream_of_its_own():
    task = TASKS["copy"]
    seen = seen_problems(task, 20, 10, training_stream(0), 0, 100).prompt
    assert seen.equal(seen_problems(task, 20, 10, training_stream(5), 0, 100).prompt)
    assert not seen.equal(unseen_problems(task, 20, 0, 100).prompt)
    assert not seen.equal(task.problems(100, 20, training_stream(0)).prompt)


# Chance.


@pytest.mark.parametrize("key, length", [
    ("copy", 1), ("copy", 3), ("reverse", 3), ("addition", 1), ("addition", 2), ("addition", 3)])
def test_chance_is_the_best_constant_guess(key, length):
    """Over the full enumeration of problems: the share of the most frequent digit at each position."""
    answers = TASKS[key].write(every_problem(TASKS[key].operands, length)).answer
    shares = torch.nn.functional.one_hot(answers, 10).double().mean(dim=0)  # (A, 10)
    torch.testing.assert_close(TASKS[key].distribution(length), shares, atol=1e-12, rtol=0)
    torch.testing.assert_close(TASKS[key].chance(length), shares.amax(dim=1), atol=1e-12, rtol=0)


def test_chance_of_published_addition():
    """The carry is a coin, ten digits are uniform: (0.5 + 10 * 0.1) / 11 overall, (0.5 + 0.1) / 2 in the first
    quarter of two characters."""
    chance = TASKS["addition"].chance(10)
    assert chance[0].item() == pytest.approx(0.5, abs=1e-9)
    assert f"{chance.mean().item():.1%}" == "13.6%"
    assert f"{chance[:2].mean().item():.1%}" == "30.0%"


def test_pointers_by_hand():
    """x = 2937: of four positions 9 is 1 and 7 is 3. From 0 the pointers are 2, 3, 7, 7; from 1, 9, 9, 9; from 2, 3, 7;
    from 3, 7."""
    problems = TASKS["pointers"].write(torch.tensor([[[2, 9, 3, 7], [2, 1, 3, 0]]]).transpose(0, 1))
    assert decode(problems.answer[0]) == "7" + "9" + "7" + "7" and decode(problems.prompt[0]) == "2937|"
    assert decode(problems.answer[1]) == "2" + "1" + "0" + "0"  # 2, 3, 0, 2; 1; 3, 0; 0

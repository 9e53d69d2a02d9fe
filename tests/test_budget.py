"""Budgets become steps, a configuration that cannot be is an error that helps, and what a pass costs."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tarm import LADDER, Architecture
from tarm.block import Block
from tarm.budget import flop_per_pass, steps_for
from tarm.runs import Run


@pytest.mark.parametrize("budget, expected", [(24, (24, 24, 24, 24, 12, 4, 4)), (12, (12, 12, 12, 12, 6, 2, 2))])
def test_steps_that_spend_a_budget(budget, expected):
    """With H = L = 2: budget / 2 for Dual UT, budget / (2 * 3) for the nested rungs."""
    assert tuple(steps_for(rung, budget) for rung in LADDER) == expected


def test_steps_of_other_nestings():
    """A step takes H (L + 1) passes: 2 * 5 = 10, and 1 * 2 = 2."""
    assert steps_for("ar_trm", 40, outer=2, inner=4) == 4
    assert steps_for("dual_nested_ut", 24, outer=1, inner=1) == 12


@pytest.mark.parametrize("rung, budget, nearest", [
    ("dual_ut", 7, "6 or 8"), ("ar_trm", 23, "18 or 24"), ("ar_trm", 5, "6"), ("dual_nested_ut", 0, "6"),
    ("dual_ut", -5, "2"), ("dense", 0, "1")])
def test_a_budget_that_cannot_be_spent_names_the_nearest(rung, budget, nearest):
    with pytest.raises(ValueError, match=f"{rung} cannot spend a budget of {budget} .* (is|are) {nearest}$"):
        steps_for(rung, budget)


def test_steps_and_budget_fill_each_other_in():
    assert (Architecture(rung="ar_trm", steps=4).budget, Architecture(rung="ar_trm", budget=24).steps) == (24, 4)
    assert (Architecture(rung="dual_ut") == Architecture(rung="dual_ut", budget=24)
            == Architecture(rung="dual_ut", steps=12))


# fields that do not fit -> words of the error: the value, then what is allowed or what to do
BAD = [
    ({"rung": "trm"}, ["rung='trm'", "ar_trm"]),
    ({"norm": "layer"}, ["norm='layer'", "pre, post, reentry"]),
    ({"scale": 2}, ["scale=2", "published, unit"]),
    ({"rung": "universal", "scale": "states"}, ["scale=states", "universal", "use unit"]),
    ({"window": "none"}, ["window='none'", "cycle, step, all"]),
    ({"precision": "float16"}, ["precision='float16'", "float32, bf16"]),
    ({"width": 0}, ["width=0", "1 or more"]),
    ({"heads": 0}, ["heads=0", "1 or more"]),
    ({"width": 16, "heads": 3}, ["heads=3", "width=16", "multiple"]),
    ({"outer": 0}, ["outer=0", "1 or more"]),
    ({"inner": 0}, ["inner=0", "1 or more"]),
    ({"context": 0}, ["context=0", "1 or more"]),
    ({"vocabulary": 0}, ["vocabulary=0", "1 or more"]),
    ({"steps": 0}, ["steps=0", "1 or more"]),
    ({"steps": 4, "budget": 12}, ["steps=4", "24 block passes", "budget=12", "one of the two"]),
    ({"dropout": 1.0}, ["dropout=1.0", "[0, 1)"]),
    ({"dropout": float("nan")}, ["dropout=nan", "finite"]),
    ({"context": 20.5}, ["context=20.5", "whole number"]),
    ({"outer": 1.5, "inner": 1, "budget": 3}, ["outer=1.5", "whole number"]),
    ({"budget": 12.0}, ["budget=12.0", "whole number"]),
]
BAD_RUNS = [
    ({"task": "sort"}, ["task='sort'", "copy, reverse, addition"]),
    ({"length": 0}, ["length=0", "1 or more"]),
    ({"training_steps": 0}, ["training_steps=0", "1 or more"]),
    ({"batch": 0}, ["batch=0", "1 or more"]),
    ({"seed": 2.0}, ["seed=2.0", "whole number"]),
    ({"learning_rate": -1.0}, ["learning_rate=-1.0"]),
    ({"eps": -1.0}, ["eps=-1.0"]),
    ({"weight_decay": -1.0}, ["weight_decay=-1.0"]),
]


@pytest.mark.parametrize("fields, words", BAD + BAD_RUNS, ids=[str(fields) for fields, _ in BAD + BAD_RUNS])
def test_a_configuration_that_cannot_be_is_an_error_that_helps(fields, words):
    """Raised when it is described, before anything is built or trained."""
    with pytest.raises(ValueError) as error:
        Run(**{"rung": "ar_trm", "task": "copy"} | fields)
    assert all(word in str(error.value) for word in words), error.value


MEANINGLESS = {  # field with a value that is not its default -> the rungs that have no use for it
    ("outer", 1): ("dense", "iterative", "iterative_step", "universal", "dual_ut"),
    ("inner", 1): ("dense", "iterative", "iterative_step", "universal", "dual_ut"),
    ("window", "all"): ("dense", "iterative", "iterative_step", "universal", "dual_ut"),
    ("step_embeddings", False): ("dense", "iterative"),
    ("halting_bias", -3.0): ("dense", "iterative", "iterative_step", "ar_trm"),
    ("ponder_weight", 0.01): ("dense", "iterative", "iterative_step", "ar_trm"),
    ("norm", "reentry"): ("dense",),
}


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("field, value", MEANINGLESS)
def test_a_field_is_refused_where_it_has_no_meaning(rung, field, value):
    """Else one model would have two names."""
    if rung in MEANINGLESS[field, value]:
        with pytest.raises(ValueError, match=f"{field}={value} has no meaning for {rung}"):
            Architecture(rung=rung, **{field: value})
    else:
        assert getattr(Architecture(rung=rung, **{field: value}), field) == value


def test_flop_of_a_pass_are_what_torch_counts():
    """24 C^2 + 4 T C per position; the plain attention kernel, so that every product is counted."""
    B, T, C = 3, 5, 16
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        Block(C, 2, 0.0)(torch.zeros(B, T, C))
    assert counter.get_total_flops() == B * T * flop_per_pass(C, T) == B * T * (24 * C**2 + 4 * T * C)

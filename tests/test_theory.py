"""The linear recurrence, against the recurrence itself and against models whose block adds nothing."""

import math

import numpy as np
import pytest
import torch

from helpers import identity
from tarm import TASKS, build, instruments, theory


@pytest.mark.parametrize("L", [1, 2, 4, 6])
def test_growth_is_the_closed_form(L):
    """Trace L + 2 and determinant 1 give lambda = (L + 2 + sqrt(L (L + 4))) / 2."""
    matrix, _ = theory.cycle(L)
    assert matrix.tolist() == [[L + 1, 1], [L, 1]]
    assert theory.growth(L) == pytest.approx((L + 2 + math.sqrt(L * (L + 4))) / 2)


def run_by_hand(L, cycles, x, norm):
    """y after some cycles from y = z = 0: lists of numbers, added."""
    y, z = np.zeros_like(x), np.zeros_like(x)
    for _ in range(cycles):
        for _ in range(L):
            z = norm(x + y + z)
        y = norm(y + z)
    return y


@pytest.mark.parametrize("L, cycles", [(1, 5), (2, 8), (5, 4)])
def test_influences_add_up_to_what_the_recurrence_gives(L, cycles):
    y = run_by_hand(L, cycles, np.array([1.0]), lambda h: h)
    assert theory.influence(L, cycles).sum() == pytest.approx(y.item())


def test_share_of_the_published_window_at_24_passes():
    """2, 8, 30, 112, 418, 1560, 5822, 21728: the last of eight cycles gives 2 of 29,680;
    the closed form says 7.3e-5."""
    assert theory.influence(2, 8).tolist() == pytest.approx([21728, 5822, 1560, 418, 112, 30, 8, 2])
    assert theory.share(2, 8) == pytest.approx(2 / 29680)
    growth = 2 + math.sqrt(3)
    assert theory.share(2, 8) == pytest.approx((growth - 1) / (growth**8 - 1), rel=0.1)
    assert theory.share(2, 1) == 1
    for cycles, window in (8, 0), (8, 9), (0, 1):
        with pytest.raises(ValueError, match=f"window={window} is not a number of the cycles, of which there are"):
            theory.share(2, cycles, window)


@pytest.mark.parametrize("L, size", [(1, 1.0), (2, 1.0), (2, 0.1), (4, 2.0)])
def test_contraction_is_that_of_streams_brought_to_size_one(L, size):
    """Two vectors in the plane, near y = z = x: after 20 cycles a small deviation shrinks by the factor each cycle."""
    def unit(h):
        return h / np.linalg.norm(h)

    x, small = size * np.array([1.0, 0.0]), 1e-6
    y = z = unit(np.array([1.0, small]))
    for i in range(20):
        before = y[1]
        for _ in range(L):
            z = unit(x + y + z)
        y = unit(y + z)
    assert y[1] / before == pytest.approx(theory.growth(L, "post", size), rel=1e-6)
    assert theory.growth(L, "post", size) < 1


def test_contraction_of_the_cured_model_by_hand():
    """L = 2, size 1: the cycle is [[13/18, 1/18], [4/9, 1/9]], its eigenvalues (15 +- sqrt(153)) / 36."""
    matrix, _ = theory.cycle(2, "post")
    assert matrix.tolist() == [pytest.approx([13 / 18, 1 / 18]), pytest.approx([4 / 9, 1 / 9])]
    assert theory.growth(2, "post") == pytest.approx((15 + math.sqrt(153)) / 36)


def test_a_model_whose_block_adds_nothing_grows_as_the_recurrence_says():
    """x of ones, no step embeddings, y = z = 0: sizes after each cycle are those of the recurrence for x = 1."""
    model = identity(build("ar_trm", width=16, heads=2, budget=12, context=16, dropout=0.0,
                           step_embeddings=False).double())
    with torch.no_grad():
        model.token_embedding.weight.fill_(1)
        model.position_embedding.weight.zero_()
        model.y_init.zero_()
        model.z_init.zero_()
    tokens, _ = TASKS["copy"].problems(2, 4, torch.Generator().manual_seed(0)).batch()
    sizes = [row["size"] for row in instruments.sizes(model, tokens) if row["stream"] == "y"]
    assert sizes == pytest.approx([theory.influence(2, k).sum() for k in range(1, 5)])


@pytest.mark.parametrize("L, cycles", [(2, 1), (2, 2), (1, 5), (11, 2)])
def test_the_size_of_y_is_what_three_directions_give(L, cycles):
    """x, y_init and z_init at right angles to each other, added up pass by pass."""
    x, y, z = torch.diag(torch.tensor([3.0, 0.5, 0.5], dtype=torch.float64))
    for _ in range(cycles):
        for _ in range(L):
            z = x + y + z
        y = y + z
    assert theory.size_of_y(L, cycles, 3.0, 0.5) == pytest.approx(y.norm().item())


@pytest.mark.parametrize("arguments, message", [((0,), "L=0"), ((2, "none"), "norm='none'")])
def test_what_does_not_exist_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        theory.cycle(*arguments)

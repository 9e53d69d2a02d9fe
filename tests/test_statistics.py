"""Intervals over seeds, by hand."""

import math

import pandas as pd
import pytest

from tarm.statistics import interval, over_seeds

# Quantiles of Student's t as printed in any table: (level, degrees of freedom) -> t
T = {(0.95, 4): 2.776, (0.95, 9): 2.262, (0.90, 4): 2.132}


@pytest.mark.parametrize("values, level, mean, s", [
    ([1, 2, 3, 4, 5], 0.95, 3, math.sqrt(10 / 4)),
    ([1, 2, 3, 4, 5], 0.90, 3, math.sqrt(10 / 4)),
    ([0, 1] * 5, 0.95, 0.5, math.sqrt(2.5 / 9)),
])
def test_interval_is_mean_plus_minus_t_s_over_root_n(values, level, mean, s):
    n = len(values)
    half = T[level, n - 1] * s / math.sqrt(n)
    assert interval(values, level) == pytest.approx((mean - half, mean + half), abs=1e-3)


def test_equal_values_have_an_interval_of_no_width():
    assert interval([0.5] * 5) == (0.5, 0.5)


@pytest.mark.parametrize("n", [1, 4])
def test_below_five_seeds_there_is_no_interval(n):
    assert all(map(math.isnan, interval(list(range(n)))))


def test_over_seeds_collapses_seeds_and_keeps_the_order():
    rows = pd.DataFrame({"rung": ["b"] * 5 + ["a"] * 2, "value": [1, 2, 3, 4, 5, 0.2, 0.4]})
    points = over_seeds(rows, ["rung"])
    assert points["rung"].tolist() == ["b", "a"] and points["seeds"].tolist() == [5, 2]
    assert points["mean"].tolist() == pytest.approx([3, 0.3])
    assert (points["low"][0], points["high"][0]) == interval([1, 2, 3, 4, 5])
    assert points[["low", "high"]].iloc[1].isna().all()

"""Intervals over seeds, by hand."""

import math

import pandas as pd
import pytest

from tarm.statistics import exact_test, holm, interval, over_seeds, share_interval, t_test

# 97.5 % quantiles of Student's t as printed in any table: degrees of freedom -> t
T = {4: 2.776, 9: 2.262}


@pytest.mark.parametrize("values, mean, s", [
    ([1, 2, 3, 4, 5], 3, math.sqrt(10 / 4)), ([0, 1] * 5, 0.5, math.sqrt(2.5 / 9))])
def test_interval_is_mean_plus_minus_t_s_over_root_n(values, mean, s):
    n = len(values)
    half = T[n - 1] * s / math.sqrt(n)
    assert interval(values) == pytest.approx((mean - half, mean + half), abs=1e-3)


def test_equal_values_have_an_interval_of_no_width():
    assert interval([0.5] * 5) == (0.5, 0.5)


@pytest.mark.parametrize("n", [1, 4])
def test_below_five_seeds_there_is_no_interval(n):
    assert all(map(math.isnan, interval(list(range(n)))))


def test_over_seeds_collapses_seeds_and_keeps_the_order():
    rows = pd.DataFrame({"rung": ["b"] * 5 + ["a"] * 2, "seed": [*range(5), 0, 1],
                         "value": [1, 2, 3, 4, 5, 0.2, 0.4]})
    points = over_seeds(rows, ["rung"])
    assert points["rung"].tolist() == ["b", "a"] and points["seeds"].tolist() == [5, 2]
    assert points["mean"].tolist() == pytest.approx([3, 0.3])
    assert (points["low"][0], points["high"][0]) == interval([1, 2, 3, 4, 5])
    assert points[["low", "high"]].iloc[1].isna().all()


def test_over_seeds_counts_what_diverged_and_takes_no_repetition_for_a_seed():
    rows = pd.DataFrame({"rung": ["a", "a", "b", "b"], "seed": [0, 1, None, None], "value": [0.5, *[math.nan] * 3]})
    assert over_seeds(rows, ["rung"])[["seeds", "diverged"]].values.tolist() == [[1, 1], [0, 0]]
    twice = pd.concat([rows, rows.assign(width=32)])
    with pytest.raises(ValueError, match="2 rows with rung=a, seed=0.0 would be drawn as so many seeds"):
        over_seeds(twice.fillna({"width": 16}), ["rung"])


@pytest.mark.parametrize("successes, n, expected", [
    (0, 10, (0, 1 - 0.025**0.1)), (10, 10, (0.025**0.1, 1)),  # all or nothing: p^n = 0.025
    (1, 2, (1 - 0.975**0.5, 0.975**0.5)),
])
def test_exact_interval_of_a_share(successes, n, expected):
    assert share_interval(successes, n) == pytest.approx(expected)


def test_an_exact_interval_covers_what_it_says():
    """For p = 0.3 and n = 10, in at least 95 % of the outcomes, weighted by their probability."""
    covered = sum(math.comb(10, k) * 0.3**k * 0.7 ** (10 - k) for k in range(11)
                  if share_interval(k, 10)[0] <= 0.3 <= share_interval(k, 10)[1])
    assert 0.95 <= covered < 1


@pytest.mark.parametrize("strata, expected", [
    ([(3, 3, 0, 3)], 2 / 20),                  # one of the C(6, 3) ways either way
    ([(3, 3, 0, 3), (3, 3, 0, 3)], 2 / 400),   # both strata at their extreme, or both at the other
    ([(3, 3, 0, 3), (0, 0, 0, 0)], 2 / 20),    # a stratum without runs
    ([(1, 2, 1, 2)], 1.0),
    ([(2, 3, 1, 3)], 1.0),
    ([(10, 10, 0, 10)], 2 / math.comb(20, 10)),
])
def test_exact_test_by_counting(strata, expected):
    assert exact_test(strata) == pytest.approx(expected)


def test_exact_test_adds_what_is_no_more_likely_on_either_side():
    """1 of 7 against 4 of 5: of C(12, 5) = 792 ways, k of the first seven are drawn in C(7, k) C(5, 5 - k): 1, 35,
    210, 350, 175 and 21. Not more likely than 35 are 1, 35 and 21. With a stratum of 1 of 2 against 0 of 1, in which
    one way of three gives 0 and two give 1, the sums 0 to 6 have 1, 37, 280, 770, 875, 371 and 42 of 2376."""
    assert exact_test([(1, 7, 4, 5)]) == pytest.approx(57 / 792)
    assert exact_test([(1, 7, 4, 5), (1, 2, 0, 1)]) == pytest.approx((1 + 37 + 280 + 42) / 2376)


def test_holm_multiplies_the_smallest_most_and_keeps_the_order():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.04, math.nan, 0.01]) == pytest.approx([0.04, math.nan, 0.02], nan_ok=True)


def test_a_t_test_asks_whether_the_mean_is_0():
    """0 to 4: t = 2 / sqrt(2.5 / 5), so t^2 = 8, with four degrees of freedom,
    of which P(|T| > t) = 1 - u (3 - u^2) / 2, u^2 = t^2 / (4 + t^2)."""
    u = (8 / 12) ** 0.5
    assert t_test([0, 1, 2, 3, 4]) == pytest.approx(1 - u * (3 - u**2) / 2)
    assert math.isnan(t_test([1, 2, 3, 4])) and t_test([0] * 5) == 1
    assert math.isnan(t_test([0.1] * 5))
    assert math.isnan(t_test([one / 100 - (one - 10) / 100 for one in range(35, 76, 10)]))  # 0.1, but for rounding

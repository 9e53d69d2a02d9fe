"""From seeds to intervals."""

import math

import pandas as pd
from scipy import stats

# Below this many seeds an interval would promise more than it holds: points are shown instead.
SEEDS_FOR_INTERVAL = 5


def interval(values, level=0.95):
    """Student-t interval for the mean of independent runs, (low, high).

    (nan, nan) with fewer than five values, where a comparison would rest on too little.
    """
    n = len(values)
    if n < SEEDS_FOR_INTERVAL:
        return math.nan, math.nan
    mean = sum(values) / n
    s = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = stats.t.ppf((1 + level) / 2, n - 1) * s / math.sqrt(n)
    return mean - half, mean + half


def over_seeds(rows, by):
    """Collapse the seeds of a tidy table: one row per combination of `by`, in order of appearance,
    with mean, low, high (see `interval`), values (a list, one a seed) and seeds, their number."""
    def collapse(group):
        values = group["value"].tolist()
        low, high = interval(values)
        return pd.Series({"mean": group["value"].mean(), "low": low, "high": high, "values": values,
                          "seeds": len(values)})

    result = rows.groupby(by, sort=False)[["value"]].apply(collapse).reset_index()
    return result.astype({"seeds": int})

"""From seeds to intervals."""

import math

import numpy as np
import pandas as pd
from scipy import stats

# Below this many seeds an interval would promise more than it holds: points are shown instead.
SEEDS_FOR_INTERVAL = 5
SEEDS_FOR_VERDICT = 3  # below it a published number is neither reproduced nor not


def interval(values):
    """95 % Student-t interval for the mean of independent runs, (low, high).

    (nan, nan) with fewer than five values, where a comparison would rest on too little.
    """
    return student_t(values, SEEDS_FOR_INTERVAL, lambda n: 1 / n)


def student_t(values, least, factor):
    """mean -+ t s sqrt(factor(n)) of n values, (low, high), t being the 97.5 % quantile; (nan, nan) below `least`."""
    n = len(values)
    if n < least:
        return math.nan, math.nan
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1)) * math.sqrt(factor(n))
    return mean - half, mean + half


def t_test(values):
    """Two-sided p value of Student's t test that the mean of independent values is 0; nan with fewer than five values
    or where they are all the same (to nine decimals), which it cannot judge, but 1 where all are 0."""
    if len(values) < SEEDS_FOR_INTERVAL:
        return math.nan
    if len({round(value, 9) for value in values}) == 1:
        return math.nan if round(values[0], 9) else 1.0
    return float(stats.ttest_1samp(values, 0).pvalue)


def prediction_interval(values):
    """95 % Student-t interval for one more run like those seen, mean -+ t s sqrt(1 + 1/n), (low, high).

    (nan, nan) with fewer than three values.
    """
    return student_t(values, SEEDS_FOR_VERDICT, lambda n: 1 + 1 / n)


def share_interval(successes, n):
    """Exact 95 % interval for the probability behind `successes` of n (Clopper and Pearson 1934), (low, high)."""
    low = stats.beta.ppf(0.025, successes, n - successes + 1) if successes else 0.0
    high = stats.beta.ppf(0.975, successes + 1, n - successes) if successes < n else 1.0
    return float(low), float(high)


def exact_test(strata):
    """Do two groups succeed equally often? The exact conditional test of 2 x 2 tables, stratified.

    strata: (successes, n, other successes, other n) of each; one without any says nothing. Given all margins,
    the number of successes in the first group is a sum of hypergeometric ones; the two-sided p value, returned, adds
    what is no more likely than what was seen. With one stratum it is Fisher's exact test.
    """
    chances, seen = np.ones(1), 0
    for k, n, other_k, other_n in (stratum for stratum in strata if stratum[1] + stratum[3]):
        chances = np.convolve(chances, stats.hypergeom.pmf(np.arange(n + 1), n + other_n, k + other_k, n))
        seen += k
    return min(1.0, float(chances[chances <= chances[seen] * (1 + 1e-9)].sum()))


def holm(p_values):
    """p values of several tests, corrected for their number (Holm 1979), in the order given; nan, of a test that could
    not be made, stays nan and does not count."""
    made = [i for i in np.argsort(p_values) if not math.isnan(p_values[i])]
    corrected = np.maximum.accumulate([p_values[i] * (len(made) - rank) for rank, i in enumerate(made)])
    return [min(1.0, float(corrected[made.index(i)])) if i in made else math.nan for i in range(len(p_values))]


def over_seeds(rows, by):
    """Collapse the seeds of a tidy table: one row per combination of `by`, in order of appearance,
    with mean, low, high (see `interval`), values (a list, one a seed), seeds, their number, and diverged: how many had
    no value. Rows without a seed, of what has not been run, count for none.

    Raises ValueError where a combination has several rows of one seed, which are no seeds of their own.
    """
    def collapse(group):
        values = group["value"].dropna().tolist()
        low, high = interval(values)
        return pd.Series({"mean": group["value"].mean(), "low": low, "high": high, "values": values,
                          "seeds": len(values), "diverged": int((group["value"].isna() & group["seed"].notna()).sum())})

    ran = rows[rows["seed"].notna()]
    if (again := ran.duplicated([*by, "seed"])).any():
        which = ran[again].iloc[0][[*by, "seed"]]
        alike = ran[(ran[[*by, "seed"]] == which).all(axis=1)]
        settings = {column: sorted(set(alike[column]), key=str) for column in alike
                    if column not in ("run", "value", "count") and alike[column].nunique() > 1}
        raise ValueError(f"{len(alike)} rows with {', '.join(f'{name}={one}' for name, one in which.items())} would be "
                         f"drawn as so many seeds: keep the rows of one setting; they differ in {settings}")
    result = rows.groupby(by, sort=False)[["value", "seed"]].apply(collapse).reset_index()
    return result.astype({"seeds": int, "diverged": int})

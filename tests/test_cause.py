"""The cells, contrasts and predictions on the cause: what they count, on invented outcomes."""

from dataclasses import asdict, replace
from math import comb, isnan

import pandas as pd
import pytest
import torch

from tarm import LADDER, cause, cause_figures, cause_predictions
from tarm.evaluation import Score
from tarm.ladder import ARTRM
from tarm.mechanism import expected, mechanism, watched
from tarm.runs import Run
from tarm.studies import AR_TRM, CROSS, DOSES, LEARNED, jobs


def record(job, right, step):
    """A record of the job that ended at `step` with `right` of 100 in each of its ten characters."""
    scores = [Score(at, 10, "unseen", "greedy", 100, [value] * 10, 0)._asdict()
              for at, value in ((25, 0), (step, right))]
    return {"run": job.run.hash, "configuration": asdict(job.run), "evaluations": scores, "diverged_at": None}


def learns(change, seed):
    """Invented: with the whole gradient every run learns, with post-norm alone seeds 0 and 1, otherwise none."""
    return "window=all" in change or change == "norm=post" and seed < 2


@pytest.fixture(scope="module")
def outcomes():
    records = []
    for job in jobs("cpu", "cross", range(4)):
        learned = learns(cause.name(job.run), job.run.seed)
        records.append(record(job, 99 if learned else 98, 100 + 25 * job.run.seed if learned else 600))
    return cause.outcomes(records + [record(jobs("cpu", study, (seed,))[0], 100, 300)
                                     for study, seed in (("main", 0), ("cross", 10))])


def test_a_run_that_diverged_has_not_learned():
    """Even one that did so before its first evaluation."""
    job = jobs("cpu", "cross", (0,))[0]
    lost = record(job, 99, 100) | {"diverged_at": 3, "evaluations": []}
    assert cause.outcomes([lost])[["learned", "steps", "accuracy"]].values.tolist() == [[False, 600, 0.0]]


def test_outcomes_are_the_runs_of_the_studies_and_seeds_alone(outcomes):
    assert len(outcomes) == len(CROSS) * 2 * 4 and LEARNED == 0.99
    assert all(learns(row.change, row.seed) == row.learned for row in outcomes.itertuples())
    assert set(outcomes["accuracy"]) == {0.98, 0.99}


@pytest.mark.parametrize("change, words", [
    ({}, "as published"), ({"norm": "post", "scale": "unit"}, "post-norm, unit scale"),
    ({"outer": 1, "steps": 2}, "6 passes, H = 1"),
    ({"window": "4", "window_warmup": 300}, "window of 4 passes, warmed up over 300 steps"),
    ({"eps": 1e-16}, "eps 1e-16"), ({"learning_rate": 1e-4}, "as published, rate 0.0001")])
def test_a_change_can_be_read(change, words):
    assert cause.in_words(cause.named(change)) == words


def test_no_two_predicted_changes_read_alike():
    every = {cause.named(one.change)
             for one in cause_predictions.PREDICTIONS + cause_predictions.DOUBTS + cause_predictions.WINDOWS}
    assert len({cause.in_words(change) for change in every}) == len(every)


def test_a_cell_counts_runs_and_takes_the_censored_median(outcomes):
    """Of 100, 125, 150 and 175 steps the median is 137.5; where two of four never learn it is not known."""
    cells = cause.cells(outcomes).set_index(["change", "task"])
    whole, some, none = (cells.loc[change, "copy"] for change in ("window=all", "norm=post", "published"))
    assert (whole["learned"], whole["runs"], whole["steps"]) == (4, 4, 137.5)
    assert (some["learned"], none["learned"]) == (2, 0) and isnan(some["steps"]) and isnan(none["steps"])
    assert (none["low"], whole["high"]) == (0, 1) and none["high"] == pytest.approx(1 - 0.025**0.25)


def test_contrasts_are_exact_tests_over_both_tasks_corrected_for_their_number(outcomes):
    """4 of 4 against 0 of 4 in both tasks: one of C(8, 4) ways in each, or the opposite."""
    table = cause.contrasts(outcomes).set_index("change")
    whole = table.loc["gradient through all passes"]
    assert list(whole[["learned", "runs", "published_learned", "published_runs"]]) == [8, 8, 0, 8]
    assert whole["p"] == pytest.approx(2 / comb(8, 4) ** 2)
    assert whole["corrected"] == pytest.approx(6 * whole["p"]) and len(table) == 6
    assert table.loc["unit scale alone", "corrected"] == 1


def test_predictions_are_held_against_shares_and_kept_where_they_fail(outcomes):
    table = cause.against_predictions(outcomes).set_index("change")
    assert set(table.index) == {cause.named(change) for change in CROSS}  # what was not run has no row
    assert table.loc["published", "held"] and table.loc["window=all", "held"] and table.loc["norm=post", "held"]
    assert not table.loc["norm=post scale=unit", "held"]


def test_every_cell_that_is_run_has_one_prediction():
    """But for the cells of rung 6, which are among the controls."""
    run = {(job.run.rung, cause.name(job.run)) for study in cause.STUDIES for job in jobs("cpu", study)
           if job.run.rung != "dual_nested_ut"}
    lists = (cause_predictions.PREDICTIONS, cause_predictions.DOUBTS, cause_predictions.HIDDEN,
             cause_predictions.ONE_STREAM, cause_predictions.WINDOWS)
    predicted = [((AR_TRM | prediction.change)["rung"], cause.named(prediction.change))
                 for each in lists for prediction in each]
    assert sorted(predicted) == sorted(run)


@pytest.mark.parametrize("change, expected_share", [
    ({"window": "all"}, 1), ({"window": "6"}, 10 / 29680), ({"window": "step"}, 10 / 29680), ({}, 2 / 29680),
    ({"window": "4"}, None), ({"sum": "mean"}, None)])
def test_what_the_recurrence_expects_of_a_run(change, expected_share):
    """The last cycles of eight add 2, 8, 30 ... of 29,680 (tests/test_theory.py);
    it says nothing of half a cycle or of a mean."""
    found = expected(Run(rung="ar_trm", task="copy", **change))["expected_share"]
    assert isnan(found) if expected_share is None else found == pytest.approx(expected_share)


def test_of_rung_6_it_expects_the_growth_alone():
    """Its ACT reads the y of every step, so that the window holds more than the last one's share."""
    of = {rung: expected(Run(rung=rung, task="copy")) for rung in ("dual_nested_ut", "ar_trm")}
    assert of["dual_nested_ut"]["expected_growth"] == of["ar_trm"]["expected_growth"] > 3
    assert isnan(of["dual_nested_ut"]["expected_share"])


def test_what_it_expects_of_the_growth():
    """By hand for two cycles of L = 2: y is 2x + 3y + z of the start after one, 10x + 11y + 4z after two,
    x being root 2 as large."""
    run = Run(rung="ar_trm", task="copy", budget=6, steps=2, outer=1)
    assert expected(run)["expected_growth"] == pytest.approx(((2 * 100 + 121 + 16) / (2 * 4 + 9 + 1)) ** 0.5)
    assert isnan(expected(Run(rung="ar_trm", task="copy", budget=3, outer=1))["expected_growth"])
    assert expected(replace(run, scale="unit"))["expected_growth"] == pytest.approx((237 / 14) ** 0.5)  # x as large
    assert expected(Run(rung="ar_trm", task="copy", norm="post"))["expected_growth"] == 1
    assert all(isnan(value) for change in ({"sum": "mean"}, {"start": "x"}, {"injection": "both"})
               for value in expected(Run(rung="ar_trm", task="copy", **change)).values())


@pytest.mark.parametrize("scale, size", [("unit", 1), ("published", 0.02 * 2**0.5)])
def test_what_it_expects_of_the_share_with_a_norm(scale, size):
    """By hand for two cycles of L = 2, z reading what has size 2 + that of x: at unit scale 2/9 and 5/27."""
    a = 1 / (2 + size)
    y, z = a * (1 + a) / 2, a * (1 + a)  # what x adds in a cycle, and below what is left of it after another
    later = (y + a * (y + a * (y + z))) / 2
    run = Run(rung="ar_trm", task="copy", budget=6, steps=2, outer=1, norm="post", scale=scale)
    assert expected(run)["expected_share"] == pytest.approx(y / (y + later))
    if scale == "unit":
        assert y / (y + later) == pytest.approx(6 / 11)


def test_it_expects_nothing_of_a_rung_of_ones_own(monkeypatch):
    """Whose step may be another."""
    monkeypatch.setitem(LADDER, "mine", LADDER["ar_trm"]._replace(key="mine", model=type("Mine", (ARTRM,), {})))
    assert all(isnan(value) for value in expected(Run(rung="mine", task="copy")).values())


def test_the_mechanism_is_one_row_per_change_and_seed():
    table = mechanism([{}, {"norm": "post", "scale": "unit"}, DOSES[0]], seeds=(0, 1))
    assert table["change"].tolist() == ["published"] * 2 + ["norm=post scale=unit"] * 2 + ["budget=3 outer=1"] * 2
    assert table["share"][4] == 1 and isnan(table["growth"][4])  # one cycle
    flat, = mechanism([{"rung": "iterative", "window": "3"}]).itertuples()
    assert (
        flat.change == "window=3"
        and isnan(flat.growth)
        and isnan(flat.expected_growth)
        and isnan(flat.expected_share)
        and 0.01 < flat.share < 0.2
    )
    assert (table["growth"][0] == pytest.approx(2 + 3**0.5, rel=0.01)
            and table["growth"][2] == pytest.approx(1, rel=0.01))


def test_watched_looks_before_the_first_step_and_trains_as_usual():
    run = Run(rung="ar_trm", task="copy", length=2, width=16, heads=2, budget=12, context=8, dropout=0, batch=4,
              training_steps=4, window="all")
    table = watched(run, every=2, problems=10)
    assert table["step"].tolist() == [0, 2, 4]
    assert table["share"].between(1e-3, 0.5).all()  # of the window "cycle", though the run's is "all"
    dropping, state = replace(run, dropout=0.5), torch.get_rng_state()
    looks = [watched(dropping, every=4, problems=10) for torch_seed in (1, 2) if torch.manual_seed(torch_seed)]
    assert looks[0].equals(looks[1])  # dropout has the run's own stream
    torch.set_rng_state(state)


def test_the_figures_say_what_the_tables_hold(outcomes):
    fields = pd.DataFrame([{"change": cause.named(change), **change} for change in CROSS])
    cells = cause.cells(outcomes).merge(fields, on="change")
    figure = cause_figures.cross(cells, "a note")
    texts = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert texts.count("4/4, 138") == 12 and texts.count("0/4") == 10 and texts.count("2/4") == 2
    points = pd.DataFrame([(0.01, "K = 4", 1, 4, 0.0, 0.8), (1.0, "K = 1", 4, 4, 0.4, 1.0)],
                          columns=["share", "label", "learned", "runs", "low", "high"])
    share, learned = cause_figures.doses(points.iloc[::-1], "a note").axes  # the smallest share is the lowest row
    assert [list(ax.lines[0].get_xdata()) for ax in (share, learned)] == [[0.01, 1.0], [0.25, 1.0]]
    assert [text.get_text() for text in share.get_yticklabels()] == ["K = 4", "K = 1"]
    table = mechanism(CROSS[:6]).assign(learned=0.25)
    growth, share, cosine, learned = cause_figures.chain(table, "a note").axes
    assert {bar.get_width() for bar in learned.patches} == {0.25} and len(learned.patches) == 6
    assert sorted(share.lines[1].get_xdata()) == sorted(table["share"])


def test_a_run_that_diverged_ends_with_nothing_in_every_table():
    """After 40 % of the characters at step 25 it is lost: 0 at the last step, 600."""
    job = jobs("cpu", "cross", (0,), window=["cycle"])[0]
    lost = record(job, 40, 25) | {"diverged_at": 61}
    assert cause.curves([lost], {job.run.hash})[["step", "accuracy"]].values.tolist() == [[25, 0.4], [600, 0.0]]
    assert cause.outcomes([lost])[["steps", "accuracy"]].values.tolist() == [[600, 0.0]]


def test_learning_is_a_line_per_model_and_seed():
    """Two seeds of the six models with the published window, on each task; 0 % after 25 steps, 98 % after 600."""
    these = jobs("cpu", "cross", (0, 1), window=["cycle"])
    curves = cause.curves([record(job, 98, 600) for job in these],
                          {job.run.hash for job in these if job.run.task == "copy"})
    assert len(curves) == 6 * 2 * 2 and set(zip(curves["step"], curves["accuracy"])) == {(25, 0.0), (600, 0.98)}
    both = pd.concat([curves, curves.assign(task="reverse", accuracy=0.5)])
    copy, reverse = cause_figures.learning(both, "a note").axes
    assert len(copy.lines) == len(reverse.lines) == 12
    assert list(copy.lines[0].get_ydata()) == [0, 0.98] and list(reverse.lines[0].get_ydata()) == [0.5, 0.5]

"""Accuracy over what it cost: three invented runs of two models, by hand."""

from dataclasses import asdict
from math import inf, isnan

import pytest

from tarm import gain
from tarm.evaluation import Score
from tarm.runs import Run

FIELDS = {"task": "addition", "length": 3, "width": 16, "heads": 2, "context": 32, "training_steps": 4}


def record(run, right, executed, backward):
    """A record of four training steps, evaluated after 2 and 4, with so many of 10 problems right."""
    scores = [Score(step, 3, "unseen", "greedy", 10, [k] * 4, k)._asdict() for step, k in zip((2, 4), right)]
    ledger = {"executed_passes": executed, "backward_passes": backward, "training_flop": 4000 * (executed + 2 * backward)}
    return {"run": run.hash, "configuration": asdict(run), "evaluations": scores, "ledger": ledger, "losses": [1.0] * 4}


DENSE, CURED = Run(rung="dense", budget=6, **FIELDS), Run(rung="ar_trm", budget=6, norm="post", scale="unit", **FIELDS)
OTHER = Run(rung="ar_trm", budget=6, norm="post", scale="unit", **FIELDS | {"seed": 1})
RECORDS = [record(DENSE, (3, 8), 6.0, 6), record(CURED, (6, 9), 6.0, 3), record(OTHER, (2, 4), 6.0, 3)]


@pytest.fixture
def trajectories():
    return gain.trajectories(RECORDS + [record(Run(rung="dense", budget=12, **FIELDS), (9, 9), 12, 12)],
                             {run.hash for run in (DENSE, CURED, OTHER)})


def test_a_trajectory_says_what_was_spent_by_each_evaluation(trajectories):
    assert len(trajectories) == 6
    dense = trajectories[trajectories["model"] == "Dense"]
    assert dense["accuracy"].tolist() == [0.3, 0.8] and dense["training steps"].tolist() == [2, 4]
    assert dense["executed passes"].tolist() == [12, 24] and dense["trained passes"].tolist() == [12, 24]
    assert dense["training FLOP"].tolist() == [2 * 1000 * 18, 4 * 1000 * 18]
    assert set(trajectories["model"]) == {"Dense", "cured AR-TRM"}


def test_until_is_what_was_spent_when_the_threshold_was_first_reached(trajectories):
    found = gain.until(trajectories, 0.6).set_index(["model", "seed"])
    assert found.loc[("Dense", 0), "training steps"] == 4 and found.loc[("cured AR-TRM", 0), "training steps"] == 2
    assert isnan(found.loc[("cured AR-TRM", 1), "training steps"]) and not found.loc[("cured AR-TRM", 1), "reached"]
    assert found["accuracy"].tolist() == [0.8, 0.9, 0.4]


def test_the_ranking_takes_medians_and_puts_last_what_never_got_there(trajectories):
    """At 0.6 one of two cured runs gets there: its median lies between 2 and infinity. At 0.3 both are there after 2 and 4."""
    table = gain.ranking(trajectories, 0.6)
    steps = table[table["axis"] == "training steps"].set_index("model")
    assert list(steps.index) == ["Dense", "cured AR-TRM"] and steps["spent"].tolist() == [4, inf]
    assert steps["reached"].tolist() == [1, 1] and steps["runs"].tolist() == [1, 2]
    assert steps["accuracy"].tolist() == pytest.approx([0.8, 0.65])
    flop = gain.ranking(trajectories, 0.3).set_index(["axis", "model"])["spent"]
    assert flop["training steps"].tolist() == [2, 3]
    assert flop["training FLOP", "Dense"] == 36000 and flop["training FLOP", "cured AR-TRM"] == 36000  # 2 x 18, and 3 x 12


@pytest.mark.parametrize("fields, label", [({}, "AR-TRM"), ({"window": "all"}, "AR-TRM, window all"),
                                           ({"norm": "post", "scale": "unit", "supervision": "steps"},
                                            "cured AR-TRM, deep supervision")])
def test_labels(fields, label):
    assert gain.label(Run(rung="ar_trm", task="copy", **fields)) == label

"""The tidy table: every evaluation of every record, a row per metric, and the same bytes every time."""

import os
from dataclasses import asdict

import pandas as pd
import pytest

from tarm import table
from tarm.evaluation import Score
from tarm.runs import Run
from tarm.studies import jobs

JOB, = jobs("smoke", rung=["universal"], task=["copy"])
OWN = Run(rung="ar_trm", task="addition", norm="post", scale="unit", seed=7)
SCORES = [Score(2, 4, "unseen", "greedy", 8, [8, 4, 2, 1], 1), Score(4, 3, "seen", "sampled", 10, [5, 6, 7], 0)]


def record(run):
    """As much of a record as the table reads."""
    return {"run": run.hash, "configuration": asdict(run), "evaluations": [score._asdict() for score in SCORES],
            "diverged_at": None}


@pytest.fixture(scope="module")
def tidy():
    return table.tidy([record(JOB.run), record(OWN)])


def test_columns_and_rows(tidy):
    """An answer of 4 characters has 8 metrics and 4 positions, one of 3 has no quarters: 12 + 7 rows a record."""
    assert list(tidy.columns) == ["profile", "study", "run", "rung", "task", "seed", "variant", "width", "budget",
                                  "training_length", "training_steps", "step", "length", "problems", "decoding",
                                  "metric", "value", "count"]
    assert len(tidy) == 2 * (12 + 7)
    assert not tidy.duplicated(["run", "step", "length", "problems", "decoding", "metric"]).any()
    assert set(tidy["metric"]) == {"character", "sequence", "first", "last", "Q1", "Q2", "Q3", "Q4",
                                   "position 1", "position 2", "position 3", "position 4"}


@pytest.mark.parametrize("name", ["414550329101", "113e43132607", "000000000012"])
def test_a_hash_that_looks_like_a_number_stays_a_hash(tmp_path, tidy, name):
    (tmp_path / "results").mkdir()
    table.write(tidy.assign(run=name), tmp_path / "results" / "main.csv.gz")
    assert set(table.read(tmp_path)["run"]) == {name}


def test_values_are_those_of_the_scores(tidy):
    first = tidy[(tidy["run"] == JOB.run.hash) & (tidy["length"] == 4)].set_index("metric")
    assert first.loc["character", ["value", "count"]].tolist() == [15 / 32, 32]
    assert first.loc["sequence", ["value", "count"]].tolist() == [1 / 8, 8]
    assert first["value"][["position 1", "position 2", "position 3", "position 4"]].tolist() == [1, 0.5, 0.25, 0.125]
    assert set(zip(first["step"], first["problems"], first["decoding"])) == {(2, "unseen", "greedy")}


def test_a_row_says_which_run_it_is_of(tidy):
    head = tidy.loc[:, "profile":"training_steps"].drop_duplicates()
    listed, own = (row.tolist() for _, row in head.iterrows())
    assert listed == [
        "smoke",
        "main",
        JOB.run.hash,
        "universal",
        "copy",
        0,
        "heads=2 dropout=0.0 context=32 batch=8 learning_rate=0.001",
        16,
        12,
        4,
        4,
    ]
    assert own == ["", "", OWN.hash, "ar_trm", "addition", 7, "norm=post scale=unit", 384, 24, 10, 5000]


def test_parts_of_answers_at_earlier_evaluations_are_not_committed(tidy):
    """Of each of two runs the four quarters and positions at step 2; the three positions at step 4 are."""
    kept = table.tidy([record(JOB.run), record(OWN)], abridged=True)
    assert len(kept) == len(tidy) - 2 * (4 + 4) and kept["metric"].str.startswith("position").groupby(
        kept["step"]
    ).sum().to_dict() == {2: 0, 4: 6}
    assert list(kept.columns) == list(tidy.columns) and set(kept["metric"][kept["step"] == 2]) == set(table.EARLIER)


def test_a_table_written_by_another_process_has_the_same_bytes_and_reads_back(tidy, tmp_path, monkeypatch):
    """As committed: a file for each study, and none of a study that it does not hold."""
    def written():
        table.write_by_study(tidy, tmp_path / "committed")
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*.csv*")}

    (tmp_path / "committed" / "results").mkdir(parents=True)
    (tmp_path / "committed" / "results" / "cpu-none.csv.gz").touch()
    first = written()
    monkeypatch.setattr(os, "getpid", lambda: 1)  # it is part of the temporary file's name
    assert written() == first and set(first) == {"smoke-main.csv.gz", "none.csv.gz"}
    assert all(text.startswith(b"\x1f\x8b") for text in first.values())
    in_order = tidy.sort_values("run", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(table.read(tmp_path / "committed"), in_order)


def test_a_run_that_diverged_has_its_last_evaluation_without_values(tidy, tmp_path):
    """Four kinds of it, of 8 metrics and 4 positions, at the last step; and they come back as not a number."""
    lost = table.tidy([record(JOB.run) | {"diverged_at": 3, "schedule": {"problems": 8}}])
    assert (len(lost) == 4 * 12 and set(lost["step"]) == {4} and set(lost["length"]) == {4}
            and lost["value"].isna().all())
    whole = pd.concat([tidy, lost], ignore_index=True).sort_values("run", kind="stable", ignore_index=True)
    (tmp_path / "results").mkdir()
    table.write(whole, tmp_path / "results" / "main.csv.gz")
    pd.testing.assert_frame_equal(table.read(tmp_path), whole)


def test_reading_where_there_is_no_table(tmp_path):
    with pytest.raises(ValueError, match="holds no records that can be used here: .* --store"):
        table.read(tmp_path)

"""Published numbers beside invented runs: the rule by hand, what is read, and the committed table."""

from math import isnan, sqrt

import pytest

from helpers import published_record
from tarm import verdict
from tarm.cells import arithmetic, cell, cells
from tarm.reported import GROUPS, numbers
from tarm.statistics import prediction_interval
from tarm.store import COMMITTED, Store
from tarm.studies import place

NUMBERS = numbers()


def number(group, rung, column):
    return next(n for n in NUMBERS if (n.group, n.rung, n.column) == (group, rung, column))


# The rule.


@pytest.mark.parametrize("published, values, word", [
    (50, [], "not run"), (50, [90], "seen 1 time"), (50, [90, 91], "seen 2 times"),
    (60, [40, 50, 60], "reproduced"), (100, [40, 50, 60], "not reproduced"),
    (100, [100.0] * 3, "reproduced"), (99.9, [100.0] * 3, "not reproduced")])
def test_the_word(published, values, word):
    """40, 50 and 60 have the mean 50 and s = 10; t(0.975, 2) = 4.303 in any table:
    50 -+ 4.303 10 sqrt(4/3) = 0.3 to 99.7."""
    assert verdict.verdict(published, values) == word


def test_the_interval_is_for_one_more_run():
    assert prediction_interval([40, 50, 60]) == pytest.approx(
        (50 - 43.03 * sqrt(4 / 3), 50 + 43.03 * sqrt(4 / 3)), abs=1e-2)
    assert all(map(isnan, prediction_interval([1, 2])))


# What is published.


def test_every_number_belongs_to_runs_of_a_study_of_the_paper():
    assert {n.group for n in NUMBERS} == set(GROUPS)
    for n in NUMBERS:
        assert {place(run) for run in n.runs} == {("paper", GROUPS[n.group].study)}
        assert all(run.rung == n.rung and run == cell(run) for run in n.runs) and 0 <= n.value <= 100
        assert max(n.steps) == n.runs[0].training_steps


def test_a_number_is_named_once():
    names = [(n.group, n.rung, n.column) for n in NUMBERS]
    assert len(set(names)) == len(names) == 13 + 8 + 28 + 2 * 21 + 3  # bars, answers, quarters, two widths, H x L


# Which records count.


@pytest.mark.parametrize("change, counts", [
    ({}, True), ({"precision": "bf16"}, True), ({"precision": "bf16", "dropout_stream": "bits"}, True),
    ({"norm": "post"}, False), ({"dropout": 0.0}, False), ({"width": 384}, False), ({"eps": 1e-16}, False)])
def test_precision_and_the_masks_stream_make_no_other_cell_and_all_else_does(change, counts):
    run, = number("first 192", "ar_trm", "L = 10").runs
    assert (run in cells([published_record(run, [50], [4000], **change)])) is counts


def test_of_one_cell_the_arithmetic_with_the_most_seeds_is_taken_whole():
    run, = number("first 192", "dense", "L = 10").runs
    few = [published_record(run, [50], [4000], seed=seed) for seed in (0, 1)]
    many = [published_record(run, [50], [4000], seed=seed, precision="bf16") for seed in (3, 2)]
    # a draw: as published
    assert list(cells(many + few)[run]) == [0, 1] and arithmetic(cells(many + few)[run]) == "float32"
    more = many + [published_record(run, [50], [4000], seed=0, precision="bf16")]
    assert list(cells(few + more)[run]) == [0, 2, 3] and arithmetic(cells(few + more)[run]) == "bf16"


# What is read.


def test_a_first_character_is_the_mean_of_three_evaluations():
    """Sampled and seen (50 + 60 + 70) / 3, greedy and unseen one more; at step 200 there is another value,
    which isn't read."""
    run, = number("first 192", "universal", "L = 10").runs
    table = verdict.compare([published_record(run, [1, 50, 60, 70], [200, 3600, 3800, 4000])])
    row, = table[(table["seeds"] > 0) & (table["column"] == "L = 10")].itertuples()
    assert (row.group, row.rung, row.ours, row.careful, row.seeds) == ("first 192", "universal", [60.0], 61.0, 1)
    assert (row.verdict, row.arithmetic, row.published) == ("seen 1 time", "float32", 99.3)


def test_a_run_that_lacks_an_evaluation_is_counted_aside():
    run, = number("first 192", "universal", "L = 10").runs
    table = verdict.compare([published_record(run, [50, 60], [3600, 3800])])
    assert table["seeds"].sum() == 0 and table["verdict"].unique().tolist() == ["not run"]
    assert table[table["without"] > 0]["column"].tolist() == ["L = 10", "L = 20", "L = 30"]


def test_bars_and_quarters_come_from_the_last_evaluation():
    """Of 11 characters 10 are right and the first in 34 of 100: (10 + 0.34) / 11 = 94 %;
    Q1 is the first two (11 // 4)."""
    run, = number("characters", "dense", "addition").runs
    table = verdict.compare([published_record(run, [0, 34], [4750, 5000], seed=seed) for seed in range(3)])
    found = table[table["seeds"] == 3].set_index(["group", "column"])
    assert found.loc[("characters", "addition"), "mean"] == pytest.approx(94)
    assert found.loc[("quarters", "Q1"), "mean"] == pytest.approx(67)
    assert found.loc[("answers", "addition, L = 10"), "verdict"] == "not reproduced"  # published 2, ours 0 three times
    assert len(found) == 1 + 1 + 4


def test_the_structure_is_read_from_the_higher_and_the_lower_of_two_runs():
    five, ten = number("structure", "dual_nested_ut", "H = 1, L = 1, higher").runs
    assert (five.length, ten.length) == (5, 10)
    alone = verdict.compare([published_record(five, [12], [2000])])
    assert alone["seeds"].sum() == 0  # one of the two says nothing yet
    table = verdict.compare([published_record(five, [12], [2000]), published_record(ten, [23], [2000])])
    found = table[table["seeds"] == 1].set_index("column")["mean"]
    assert found.to_dict() == pytest.approx({"H = 1, L = 1, higher": 100 * 10.23 / 11,
                                             "H = 1, L = 1, lower": 100 * 10.12 / 11})


# As text.


@pytest.mark.parametrize("columns, text", [
    (["L = 10", "L = 20"], "L = 10 / 20"), (["Q1", "Q2"], "Q1 / Q2"), (["addition"], "addition"),
    (["H = 1, L = 1, higher", "H = 1, L = 1, lower"], "H = 1, L = 1, higher / lower")])
def test_columns_share_what_they_have_in_common(columns, text):
    assert verdict.columns_text(columns) == text


def test_the_readme_shows_what_was_run_of_the_main_study_and_counts_the_rest(tmp_path):
    run, = number("first 192", "universal", "L = 10").runs
    main, = number("characters", "universal", "addition").runs
    (tmp_path / "README.md").write_text(f"before\n{verdict.BEGIN}\nold\n{verdict.END}\nafter\n")
    verdict.write(
        [published_record(run, [50, 60, 70], [3600, 3800, 4000], precision="bf16"),
         published_record(main, [40], [5000])],
        tmp_path,
    )
    readme, page = (tmp_path / "README.md").read_text(), (tmp_path / "figures" / "verdict.md").read_text()
    row = ("| UT | L = 10 / 20 / 30 | 99.3 / 71.7 / 64.7 | 60.0 / – / – | – | 61.0 / – / – | "
           "1 / 0 (1 more without a value) / 0 (1 more without a value) | bf16 / – / – | "
           "seen 1 time / not run / not run |")
    bar = ("| UT | addition / copy / reverse | 65.8 / 100 / 100 | 94.5 / – / – | – | 94.6 / – / – | 1 / 0 / 0 | "
           "float32 / – / – | seen 1 time / not run / not run |")
    assert row in page and row not in readme and bar in page and bar in readme
    assert readme.startswith("before\n<!--") and readme.endswith("-->\nafter\n") and "old" not in readme
    assert (readme.count("| UT |") == 1 and page.count("| UT |") == 4
            and "| Dense |" in page and "| Dense |" not in readme)
    assert "| First character of a sum, width 192 | 0 | 0 | 1 | 20 | 21 |" in readme
    assert verdict.write([], tmp_path)["verdict"].unique().tolist() == ["not run"]  # and it can be written again


def test_a_readme_without_the_markers_is_left_alone(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="README.md lacks the lines"):
        verdict.write([], tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_what_is_committed_is_what_the_committed_records_give(tmp_path):
    project = COMMITTED.parent.parent
    (tmp_path / "README.md").write_text((project / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    verdict.write(Store(COMMITTED).records(), tmp_path)
    for name in "README.md", "figures/verdict.md":
        assert (tmp_path / name).read_bytes() == (project / name).read_bytes(), f"{name}: run `python -m tarm verdict`"

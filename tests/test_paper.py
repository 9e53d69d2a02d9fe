"""Figures at published size from invented records: what is there is drawn, what is not is said."""

import json
import re

import pytest

from helpers import overlaps, published_record, text_of
from tarm import LADDER, gallery, paper, paper_figures
from tarm.__main__ import main
from tarm.reported import numbers, runs_of
from tarm.store import COMMITTED, Store
from tarm.studies import STUDIES

STEMS = [*gallery.RESULTS, "first_character", "scatter", "phase_transition", "spent_compute", "spent_refinement",
         "spent_depth"]
MAIN = {run.rung: run for run in runs_of("main", task="addition")}
SMALL = {run.rung: run for run in runs_of("compute", width=192, budget=24)}


def made(run, right, seed=0, **fields):
    """`helpers.published_record` at the published evaluations of the run's study, with a ledger: per step as many
    passes as the budget, half of them trained, and a PFLOP."""
    every = 250 if run.training_steps == 5000 else 200
    steps = range(every, run.training_steps + 1, every)
    one = published_record(run, [right * step // run.training_steps for step in steps], steps, seed=seed, **fields)
    others = [published_record(run, [right] * len(steps), steps, length, seed=seed, **fields) for length in (20, 30)]
    ledger = {"executed_passes": run.budget, "backward_passes": run.budget / 2,
              "training_flop": 1e15 * run.training_steps}
    return one | {"evaluations": one["evaluations"] + [e for other in others for e in other["evaluations"]],
                  "ledger": ledger, "losses": [1.0] * run.training_steps, "diverged_at": None}


@pytest.fixture(scope="module")
def nothing():
    return paper.figures([])


@pytest.fixture(scope="module")
def some():
    """Two seeds of UT at both sizes, one of Dense at width 384, and one of the cured model at width 192."""
    records = [made(MAIN["universal"], 80, seed, precision="bf16") for seed in (0, 1)] + [made(MAIN["dense"], 40)]
    records += [made(SMALL["universal"], right, seed) for seed, right in ((0, 60), (1, 70))]
    return paper.figures(records + [made(SMALL["ar_trm"], 90, norm="post", scale="unit")])


@pytest.mark.parametrize("stem", STEMS)
def test_without_a_run_every_figure_is_drawn_and_says_so(nothing, stem):
    rows, figure, ran = nothing[stem]
    assert ran == 0 and len(rows)
    for rung in {row.rung for row in rows.itertuples()}:
        assert LADDER[rung].short in text_of(figure) or LADDER[rung].name in text_of(figure)
    assert text_of(figure).count("not run") >= 3
    assert overlaps(figure)[2] == []


def test_all_figures_are_tried_here(nothing):
    assert list(nothing) == STEMS


# cells of each figure that have a run: of main on addition UT and Dense; of compute only UT; cured is in the two others
RAN = dict.fromkeys(gallery.RESULTS, 2) | {"first_character": 1, "scatter": 1, "phase_transition": 1,
                                           "spent_compute": 1, "spent_refinement": 2, "spent_depth": 0}


@pytest.mark.parametrize("stem", STEMS)
def test_figures_say_which_cells_there_are_and_how_many_seeds(some, stem):
    _, figure, ran = some[stem]
    assert ran == RAN[stem]
    if ran:
        assert "(2)" in text_of(figure) or stem in gallery.RESULTS
        assert text_of(figure).count("not run") >= 3
    elif stem == "spent_depth":
        assert "0 of 18 cells run" in text_of(figure)
    if stem == "spent_refinement":
        assert "2 of 6 cells run, in float32" in text_of(figure)
    if stem in gallery.RESULTS:
        total = 21 if stem == "performance_across_tasks" else 7
        assert f"2 of {total} cells run, 1 to 2 seeds" in text_of(figure) and "1 in bf16" in text_of(figure)
    assert overlaps(figure)[2] == [] and overlaps(figure)[0] == []


def test_bars_carry_the_number_of_their_seeds(some):
    """Greedy and unseen: 10 of 11 characters, and the first in 81 and 41 of 100."""
    written = text_of(some["performance_across_tasks"][1])
    assert "98% (2)" in written and "95% (1)" in written and written.count("not run") == 21 - 2


def test_a_cell_that_was_not_run_has_rows_without_value_or_seed(some):
    rows = some["learning_dynamics"][0]
    empty = rows[rows["value"].isna()]
    assert set(empty["rung"]) == set(LADDER) - {"universal", "dense"} and empty["seed"].isna().all()
    assert sorted(rows[rows["rung"] == "iterative"]["step"]) == list(range(250, 5001, 250))
    assert not rows[rows["rung"] == "universal"]["value"].isna().any()


def test_the_first_character_table_shows_published_and_ours():
    """Sampled and seen at L = 20: 60 and 70, so 65 in the mean; at L = 10, where it rises,
    60 (3600 + 3800 + 4000) / 3 / 4000 rounded down each time: 54, 57, 60, and 63, 66, 70."""
    rows = paper.first_characters([made(SMALL["universal"], right, seed) for seed, right in ((0, 60), (1, 70))])
    ours = rows[rows["seeds"] > 0].set_index("column")
    assert ours["mean"].to_dict() == pytest.approx({"L = 10": (57 + 199 / 3) / 2, "L = 20": 65, "L = 30": 65})
    written = text_of(paper_figures.first_character(rows))
    assert "71.7 65.0 (2)" in written and "99.3 61.7 (2)" in written and written.count("not run") == 7 * 3 * 2 - 3


def test_the_scatter_has_a_hollow_mark_as_published_and_a_filled_one_a_seed(some):
    ax, = some["scatter"][1].axes
    marks = [line for line in ax.lines if line.get_marker() != "None"]
    hollow = [line for line in marks if line.get_fillstyle() == "none"]
    expected = {n.rung: [] for n in numbers()}
    for n in numbers():
        if n.group == "first 192" and n.column != "L = 10":
            expected[n.rung].append(n.value)
    assert [[line.get_xdata()[0], line.get_ydata()[0]] for line in hollow] == [expected[rung] for rung in LADDER]
    filled = [(list(line.get_xdata()), list(line.get_ydata())) for line in marks if line not in hollow]
    assert [x == y == pytest.approx([60, 70]) or x == y == [] for x, y in filled] == [True] * 7
    assert sum(len(x) for x, _ in filled) == 2


def test_the_phase_transition_has_a_panel_for_each_part_and_width(some):
    """Chance: one half and a tenth in the first quarter of a sum of 10 digits, so 30 %; then a tenth."""
    rows, figure, _ = some["phase_transition"]
    assert len(figure.axes) == 4 * 2 and set(rows["metric"]) == set(paper_figures.PHASES)
    points = paper.phase_transition([])[1]
    chance = points.groupby("metric")["chance"].first()
    assert chance.to_dict() == pytest.approx({"Q1": 0.3, "Q2": 0.1, "Q3": 0.1, "last": 0.1}, abs=1e-6)
    lines = [line for line in figure.axes[0].lines if line.get_color() == LADDER["universal"].colour]
    assert len(lines) == 3  # two seeds and their mean


def test_spent_is_what_the_ledgers_say(some):
    """UT with 24 passes, half of them trained, a PFLOP a step: at step 4000 it has spent 96,000 and 48,000 passes."""
    rows = some["spent_refinement"][0]
    end = rows[(rows["step"] == 4000) & (rows["model"] == "UT")]
    assert end["executed passes"].tolist() == [96000] * 2 and end["trained passes"].tolist() == [48000] * 2
    assert end["training FLOP"].tolist() == pytest.approx([4e18] * 2)
    assert rows[rows["accuracy"].notna()].groupby("model")["seeds"].first().to_dict() == {"UT": 2, "cured AR-TRM": 1}
    figure = some["spent_refinement"][1]
    assert [len(ax.lines) for ax in figure.axes] == [2 + 1 + 1 + 1] * 4  # two seeds and a mean, one seed and a mean
    assert figure.axes[1].lines[-1].get_xdata()[-1] == pytest.approx(96)  # thousands


@pytest.mark.parametrize("study, sizes", [("compute", 4), ("refinement", 1), ("depth", 3)])
def test_spent_has_a_row_per_size_with_every_cell_of_the_study(nothing, study, sizes):
    rows, figure, _ = nothing[f"spent_{study}"]
    assert len(figure.axes) == 4 * sizes and len(rows) == len(STUDIES[study].jobs("paper", 0))
    legends = [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    assert len(set(zip(rows["width"], rows["model"], rows["passes"]))) == len(legends) == len(rows)
    assert "not run" in legends[0].replace("\u00a0", " ")


def test_progress_counts_the_cells_and_seeds_of_each_study():
    """Two seeds of UT with 24 passes at width 192, in bf16, are a cell of `compute` and of `refinement`."""
    records = [made(SMALL["universal"], 60, seed, precision="bf16") for seed in (0, 1)]
    far = paper.progress(records).set_index("study")
    assert (far.loc["compute"].tolist() == [28, 1, 2, 2, "bf16"]
            and far.loc["refinement"].tolist() == [6, 1, 2, 2, "bf16"])
    assert far.loc["main"].tolist() == [21, 0, 0, 0, ""] and far["run"].sum() == 2
    assert "cross" not in far.index  # a study of the small sizes


# The commands.


def test_the_paper_profile_draws_from_records_and_trains_nothing(tmp_path, capsys, monkeypatch):
    def no_training(*_):
        raise RuntimeError("this would train")

    monkeypatch.setattr("tarm.commands.training.sweep", no_training)
    assert main(["figures", "--profile", "paper", "--store", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert {path.stem for path in (tmp_path / "figures" / "paper").glob("*.svg")} == set(STEMS)
    ran = dict(re.findall(r"^(\w+): (nothing|\d+)", out, re.MULTILINE))
    assert list(ran) == STEMS and "nothing was trained" in out
    assert ({path.stem for path in (COMMITTED.parent / "paper").glob("*.svg")}
            == {stem for stem, n in ran.items() if n != "nothing"})
    assert main(["figures", "--profile", "paper", "--store", str(tmp_path), "--fresh"]) == 1
    assert "this would train" in capsys.readouterr().err


def test_export_of_the_paper_profile_keeps_records_verdicts_and_figures(tmp_path, monkeypatch):
    """And only the figures that show a run."""
    committed, store = tmp_path / "figures" / "data", Store(tmp_path / "store")
    monkeypatch.setattr("tarm.commands.published.COMMITTED", committed)
    record = made(SMALL["universal"], 60, precision="bf16") | {"schema": 1, "schedule": {}, "diverged_at": None}
    store.record_path(record["run"]).parent.mkdir(parents=True)
    store.record_path(record["run"]).write_text(json.dumps(record))
    assert main(["export", "--profile", "paper", "--store", str(store.root)]) == 0
    drawn = {path.stem for path in (tmp_path / "figures" / "paper").glob("*.svg")}
    assert drawn == {"first_character", "scatter", "phase_transition", "spent_compute", "spent_refinement"}
    assert "seen 1 time" in (tmp_path / "figures" / "verdict.md").read_text(encoding="utf-8")
    assert [one["run"] for one in Store(committed).records()] == [record["run"]]

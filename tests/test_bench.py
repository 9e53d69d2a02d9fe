"""The bench measures what it says, at a size at which every part takes seconds."""

import sys

import pandas as pd
import pytest
import torch

from tarm import LADDER, bench
from tarm.__main__ import main
from tarm.bench import Bench, Row, machine, measure, tried
from tarm.block import Attention, Dropout
from tarm.estimate import evaluation_flop, step_flop
from tarm.runs import Run
from tarm.store import COMMITTED
from tarm.studies import STUDIES, Study

QUICK = Bench("smoke", pairs=1, problems=2, size=64)


def test_every_ratio_is_of_the_times_beside_it():
    """One round of the parts that are quick at smoke size: a value lies in its range, and ratios fit their seconds."""
    rows = pd.DataFrame(measure(QUICK, only="matmul,steps,evaluation,caching,choices"))
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"]) & (rows["low"] > 0)).all()
    value = rows.set_index(["part", "subject"])["value"]
    for rung in LADDER:
        for what in "step", "evaluation":
            for precision in "float32", "bf16":
                ratio = value[f"{what}, published", rung] / value[f"{what}, {precision}", rung]
                assert value[f"{what}, published / {precision}", rung] == pytest.approx(ratio)
    over_lengths = rows["part"].str.startswith("evaluation, published /")
    assert over_lengths.sum() == 2 * len(LADDER) and (rows["over"] == "lengths").equals(over_lengths)
    assert rows["pairs"].equals(1 + over_lengths.astype(int))  # the smoke profile has two lengths


def test_what_was_dropped_computes_the_same(monkeypatch):
    """Attention and dropout as tried give, without dropout and on average, what tarm's give; a ratio for each of them."""
    torch.manual_seed(0)
    ours, theirs = (kind(16, 2, Dropout(0.0)) for kind in (Attention, tried.TorchAttention))
    theirs.load_state_dict(ours.state_dict())
    h = torch.randn(3, 5, 16)
    assert torch.allclose(ours(h), theirs(h), atol=1e-6)
    kept = tried.KeepMask.apply(ones := torch.ones(200, 200, requires_grad=True), 0.25)
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.75]) and kept.mean().item() == pytest.approx(1, abs=0.02)
    kept.sum().backward()
    assert ones.grad.equal(kept.detach())
    monkeypatch.setattr(tried, "SIZES", ((16, 2),))
    rows = measure(QUICK, only="dropped")
    assert len(rows) == 6 and all(row.part.startswith("dropped, ") and row.low > 0 for row in rows)


def test_growth_is_measured_beside_the_peak():
    """Four passes, four lengths and six widths in each precision; with one round, a share is the rate over the peak."""
    rows = pd.DataFrame(measure(QUICK, only="growth"))
    rows[["what", "along"]] = rows["part"].str.split(" by ", expand=True)
    value = rows.pivot_table(index=["along", "x"], columns="what", values="value")
    assert value.groupby("along").size().to_dict() == {
        "passes": 4, "positions": 4, "width, bf16": 6, "width, float32": 6}
    assert value["share"].tolist() == pytest.approx((value["rate"] / value["peak"]).tolist())
    assert value.loc["passes", "step"].index.tolist() == [3, 6, 12, 24]


def test_runs_at_a_time_are_counted_together(monkeypatch):
    """Two processes, and two threads of one, over one run: a row each, positive."""
    monkeypatch.setattr(machine.multiprocessing, "cpu_count", lambda: 2)
    rows = measure(QUICK, only="at_a_time")
    assert [(row.part, row.subject, row.x) for row in rows] == [
        ("runs at a time", "processes", 2), ("runs at a time", "threads", 2)]
    assert all(0 < row.low <= row.value <= row.high for row in rows)


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not say how much memory a process took")
def test_memory_is_that_of_a_fresh_process():
    rows = measure(QUICK, only="memory")
    assert [(row.part, row.subject) for row in rows] == [
        (part, name) for name in ("kept", "recomputed") for part in ("memory of a step", "step by memory")]
    assert all(row.value >= 0 for row in rows) and all(row.value > 0 for row in rows[1::2])


def test_core_hours_are_flop_over_rates_of_runs_that_are_alike(monkeypatch):
    """The smoke profile's main study at a rate of 1e6 FLOP a second in training, 2e6 in decoding; rates are asked for once
    for all its runs, which differ in none of the fields on which a rate depends."""
    asked = []
    monkeypatch.setattr(machine, "STUDIES", {"main": Study(STUDIES["main"].jobs, ("smoke",))})
    monkeypatch.setattr(machine, "_rates_like", lambda bench, run: asked.append(run) or (1e6, 2e6))
    training, evaluation = measure(QUICK, only="studies")
    jobs = STUDIES["main"].jobs("smoke", 0)
    assert len(asked) == 1 and len(jobs) == 21
    assert training.value == pytest.approx(sum(4 * step_flop(run) for run, _ in jobs) / 1e6 / 3600)
    assert evaluation.value == pytest.approx(sum(evaluation_flop(*job) for job in jobs) / 2e6 / 3600)
    assert {row.over for row in (training, evaluation)} == {"none"}


@pytest.mark.parametrize("fields", [{"dropout": 0.0}, {"dropout": 0.1, "dropout_stream": "bits", "precision": "bf16"}])
def test_a_rate_is_that_of_the_runs_own_dropout_precision_and_batch(fields, monkeypatch):
    """What is measured is a Dense Transformer; its rate is its FLOP over the seconds, here 2."""
    measured = []
    monkeypatch.setattr(machine, "seconds_per_step", lambda run, *_: measured.append(run) or 2)
    monkeypatch.setattr(machine, "decoding_rate", lambda run, *_: measured.append(run) or 7)
    run = Run(rung="ar_trm", task="addition", length=3, batch=4, width=16, heads=2, **fields)
    assert machine._rates_like(QUICK, run) == (step_flop(measured[0]) / 2, 7)
    for one in measured:
        assert (one.rung, one.budget, one.width, one.heads, one.batch) == ("dense", 6, 16, 2, 4)
        assert (one.dropout, one.dropout_stream, one.precision) == (run.dropout, run.dropout_stream, run.precision)


def test_the_command_saves_what_it_measured(tmp_path, monkeypatch, capsys):
    """The committed rows in place of new ones: each is printed, and stands in the table beside the machine; the figure is
    drawn. With --part nothing is saved."""
    committed = pd.read_csv(COMMITTED / "bench.csv")[list(Row._fields[:-1])]
    rows = [Row(*values) for values in committed.itertuples(index=False)]

    def measured(what, threads, only, report):
        for each in rows:
            report(each)
        return rows

    monkeypatch.setattr(bench, "measure", measured)
    words = ["bench", "--profile", "smoke", "--device", "cpu", "--threads", "1"]
    main([*words, "--part", "steps", "--out", str(tmp_path / "none")])
    assert not (tmp_path / "none").exists()
    capsys.readouterr()
    main([*words, "--out", str(tmp_path)])
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert "smoke profile, cpu, 1 thread" in first and last.endswith(str(tmp_path)) and len(lines) == len(rows)
    assert all(line.startswith(each.part) and line.endswith(f"{each.unit}, {each.pairs} rounds")
               for line, each in zip(lines, rows))
    saved = pd.read_csv(tmp_path / "data" / "bench.csv")
    pd.testing.assert_frame_equal(saved[list(committed)], committed)
    assert saved[["over", "profile", "device", "threads", "torch"]].drop_duplicates().values.tolist() == [
        ["rounds", "smoke", "cpu", 1, torch.__version__]]
    assert {path.name for path in tmp_path.glob("bench.*")} == {"bench.svg", "bench.png"}


class OneFails(Bench):
    """In the process of seed 1 nothing can be run."""

    def run(self, rung="dense", seed=0, **fields):
        if seed:
            raise MemoryError("no room")
        return super().run(rung, seed=seed, **fields)


def test_a_run_that_fails_ends_the_runs_beside_it():
    with pytest.raises(RuntimeError, match=r"2 runs at a time could not be measured: MemoryError\('no room'\)"):
        machine._throughput(OneFails("smoke", pairs=1), 2, 1)


@pytest.mark.parametrize("options, message", [
    ({"only": "speed"}, "part='speed' is not known: choose one of matmul, steps"),
    ({"threads": 0}, "threads=0 is too small")])
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        measure(Bench("smoke"), **options)

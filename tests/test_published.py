"""The benchmark's opponent computes the very same thing, only slower; and the bench measures what it says."""

import math
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from tarm import LADDER, bench, build
from tarm.__main__ import main
from tarm.bench import Bench, Row, machine, measure
from tarm.decoding import generate
from tarm.estimate import backward_passes, decoding_flop, evaluation_flop, positions, step_flop
from tarm.ledger import PassCounter
from tarm.published import PublishedTraining, decode_one, padded_batch, published_form
from tarm.runs import Run, Schedule
from tarm.store import COMMITTED
from tarm.studies import STUDIES, Study
from tarm.tasks import NEWLINE, TASKS
from tarm.training import Progress

SMALL = {"width": 16, "heads": 2, "context": 20, "dropout": 0.0}


def run_of(rung, **fields):
    return Run(rung=rung, task="addition", length=3, batch=4, **SMALL | fields)


@pytest.mark.parametrize("rung", LADDER)
def test_head_by_head_is_our_attention(rung):
    model = build(rung, **SMALL).double()
    tokens = torch.randint(14, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(published_form(model)(tokens).logits, model(tokens).logits, atol=1e-12, rtol=0)


def test_head_by_head_drops_out_in_training_alone():
    model = build("iterative", **SMALL | {"dropout": 0.5}).double().eval()
    tokens = torch.randint(14, (2, 9), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(published_form(model)(tokens).logits, model(tokens).logits, atol=1e-12, rtol=0)
    attention, h = published_form(model.train()).block[0].attention, torch.ones(1, 3, 16, dtype=torch.float64)
    assert not attention(h).equal(attention(h))


@pytest.mark.parametrize("rung", LADDER)
def test_padding_changes_no_gradient(rung):
    """The same problems, drawn one by one and padded: loss and gradient are those of ours. ACT's bias keeps it from
    halting, since its early stop counts padding."""
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **({"halting_bias": -20.0} if act else {}))
    padded = padded_batch(run, torch.Generator().manual_seed(0))
    T, _ = positions(run.task, run.length)
    assert padded[0].shape == padded[1].shape == (4, 20) and (padded[0][:, T:] == NEWLINE).all()
    gradients = []
    for tokens, targets in padded, tuple(part[:, :T] for part in padded):
        model = run.build().double()
        model.loss(model(tokens), targets).backward()
        gradients.append(model.block[0].mlp["in"].weight.grad)
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("rung", LADDER)
def test_a_published_step_is_ours(rung, monkeypatch):
    """From the same problems, unpadded for ours: the same loss, and the same parameters after the update. In float64, since
    AdamW's first update is the sign of a gradient almost, and of the rounding where the gradient is nothing."""
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **({"halting_bias": -20.0} if act else {}))
    T, _ = positions(run.task, run.length)
    batch = [part[:, :T] for part in padded_batch(run, torch.Generator().manual_seed(run.seed))]
    published, ours = PublishedTraining(run), Progress(run, "cpu")
    started = {name: p.detach().clone() for name, p in ours.model.named_parameters()}
    published.model.double(), ours.model.double()
    loss = published.train_step()
    drawn = SimpleNamespace(problems=lambda *_, **__: SimpleNamespace(batch=lambda: batch))
    monkeypatch.setitem(TASKS, run.task, drawn)
    ours.train_step()
    assert ours.losses[0].item() == pytest.approx(loss, abs=1e-5)
    theirs = dict(published.model.named_parameters())
    for name, p in ours.model.named_parameters():
        place, _, projection = name.removesuffix(".weight").rpartition(".")
        heads = [theirs[f"{place}.{projection}.{i}.weight"] for i in range(2)] if f"{place}.{projection}.0.weight" in theirs else [theirs[name]]
        torch.testing.assert_close(torch.cat(heads), p, atol=1e-6, rtol=0, msg=name)
    assert max((p - started[name]).abs().max().item() for name, p in ours.model.named_parameters()) > 1e-4


def test_published_training_learns_from_its_batch():
    training = PublishedTraining(run_of("dense", budget=3, learning_rate=1e-2))
    losses = [training.train_step() for _ in range(30)]
    assert losses[0] == pytest.approx(math.log(14), abs=0.3) and losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("rung", LADDER)
def test_one_problem_at_a_time_writes_what_we_write(rung):
    model, generator = build(rung, **SMALL | {"budget": 6}).double().eval(), torch.Generator().manual_seed(0)
    for name, p in model.named_parameters():
        if p.dim() == 2 and "halt" not in name:
            torch.nn.init.normal_(p, std=0.5, generator=generator)
    prompt, _ = TASKS["addition"].problems(5, 3, torch.Generator().manual_seed(0))
    alone = torch.stack([decode_one(model, row, 4) for row in prompt])
    assert alone.equal(generate(model, prompt, 4)) and len(alone.unique(dim=0)) > 1


# The bench.

QUICK = Bench("smoke", pairs=1, problems=2, size=64)


@pytest.mark.parametrize("rung, fields", [(rung, {}) for rung in LADDER] + [
    (rung, {"window": window}) for rung in ("dual_nested_ut", "ar_trm") for window in ("step", "all")])
def test_backward_passes_are_those_that_the_ledger_counts(rung, fields):
    act = LADDER[rung].model.halting_head == "act_halt"
    run = run_of(rung, **fields | ({"halting_bias": -3.0} if act else {}))
    model, (tokens, targets) = run.build(), TASKS[run.task].problems(4, 3, torch.Generator().manual_seed(0)).batch()
    with PassCounter(model) as passes:
        model.loss(model(tokens, halting=False), targets).backward()
    assert (passes.calls, len(passes.with_gradient)) == (24, backward_passes(run))


def test_flop_by_hand():
    """Addition of 3 digits: 12 positions in, 4 characters out; a Dense step goes forward once and back twice."""
    assert positions("addition", 3) == (12, 4)
    per_pass = 24 * 16**2 + 4 * 12 * 16
    assert step_flop(run_of("dense")) == 4 * 12 * 24 * 3 * per_pass
    assert step_flop(run_of("ar_trm")) == 4 * 12 * (24 + 2 * 3) * per_pass
    assert decoding_flop(run_of("dense"), 3, 10) == 10 * (12 + 2 * 3) * 24 * per_pass
    twice_and_once_more = Schedule(100, (3,), problems=5)  # after 100, 200 and 250 steps; seen and unseen
    assert evaluation_flop(run_of("dense", training_steps=250), twice_and_once_more) == 3 * 10 * 18 * 24 * per_pass


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
    assert set(rows.loc[rows["part"].str.startswith("evaluation, published /"), ["over", "pairs"]].itertuples(index=False, name=None)
               ) == {("lengths", 2)}
    assert (rows.loc[rows["over"] == "rounds", "pairs"] == 1).all()


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
    run = run_of("ar_trm", **fields)
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
    assert all(line.startswith(each.part) and line.endswith(f"{each.unit}, {each.pairs} rounds") for line, each in zip(lines, rows))
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

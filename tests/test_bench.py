"""The bench measures what it says, at a size at which every part takes seconds."""

import re
import sys

import nbformat
import pandas as pd
import pytest
import torch

from bench_processes import OneFails, Written
from tarm import LADDER, bench, cost_figures
from tarm.__main__ import main
from tarm.bench import Bench, Row, alternatives, machine, measure, processes, ratios, rounds, tried
from tarm.block import Attention, Dropout
from tarm.estimate import evaluation_flop, step_flop
from tarm.runs import Run
from tarm.store import COMMITTED, PROJECT
from tarm.studies import STUDIES, Study, jobs
from tarm.training import Progress

PAYS = rounds.bf16_pays
QUICK = Bench("smoke", pairs=1, problems=2, size=64)


@pytest.fixture(autouse=True)
def bf16_is_of_use(monkeypatch):
    """As on a machine with instructions for it, whatever this one has."""
    monkeypatch.setattr(rounds, "bf16_pays", lambda device: True)


def test_where_bf16_is_of_no_use_it_is_left_out(monkeypatch):
    """Nothing is measured in it, runs that ask for it count as in float32, and the figure has one colour."""
    monkeypatch.setattr(rounds, "bf16_pays", lambda device: False)
    rows = measure(QUICK, only="matmul,steps")
    assert rows and not any("bf16" in word for row in rows for word in (row.part, row.subject))
    asked = []
    monkeypatch.setattr(machine, "STUDIES", {"precision": Study(STUDIES["precision"].jobs, ("paper",))})
    monkeypatch.setattr(machine, "_rates", lambda bench, run: asked.append(run) or (1e6, 2e6))
    assert measure(QUICK, only="studies") and {run.precision for run in asked} == {"float32"}
    wide = [Row(f"{what} by width, float32", "dense", 64, 0.5, 0.5, 0.5, "", 1) for what in ("rate", "share")]
    assert len(cost_figures.bench(pd.DataFrame(rows + wide)).axes[2].lines) == 1


def test_bf16_pays_where_its_product_is_no_slower(monkeypatch):
    """By a clock of the test's own: 3, 2 and 1 seconds for float32, then 4, 5 and 6 for bf16,
    or the other way round."""
    for seconds, pays in ([3, 2, 1, 4, 5, 6], False), ([4, 5, 6, 3, 2, 1], True):
        times = iter([[[each] for each in seconds[:3]], [[each] for each in seconds[3:]]])
        monkeypatch.setattr(Bench, "times", lambda *_: next(times))
        assert PAYS.__wrapped__("cpu") is pays


def test_every_ratio_is_of_the_times_beside_it(monkeypatch):
    """One round of the parts that are quick at smoke size, of two rungs: a value lies in its range,
    and ratios fit their seconds."""
    two = {key: LADDER[key] for key in ("dense", "ar_trm")}
    monkeypatch.setattr(ratios, "LADDER", two)
    rows = pd.DataFrame(measure(QUICK, only="matmul,steps,evaluation,caching"))
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"]) & (rows["low"] > 0)).all()
    assert set(rows["over"]) == {"rounds"} and set(rows["pairs"]) == {1}
    value = rows[rows["x"] == 0].set_index(["part", "subject"])["value"]
    for rung in two:
        for what in "step", "evaluation":
            for precision in "float32", "bf16":
                ratio = value[f"{what}, published", rung] / value[f"{what}, {precision}", rung]
                assert value[f"{what}, published / {precision}", rung] == pytest.approx(ratio)
    by_length = rows[rows["part"] == "evaluation by length, published / bf16"]
    assert list(zip(by_length["subject"], by_length["x"])) == [(rung, length) for rung in two for length in (3, 6)]


@pytest.mark.parametrize("device, waits", [("cpu", []), ("cuda", ["cuda"]), ("mps", ["mps"])])
def test_the_clock_waits_for_the_device_at_both_ends(device, waits, monkeypatch):
    calls = []
    for kind in "cuda", "mps":
        monkeypatch.setattr(getattr(torch, kind), "synchronize", lambda kind=kind: calls.append(kind))
    assert Bench("smoke", device).seconds(lambda: calls.append("work")) > 0
    assert calls == [*waits, "work", *waits]


def test_evaluation_is_the_ratio_of_totals_in_every_round(monkeypatch):
    """Two rounds of two lengths, 3 and 6. The published side takes 6 and 12 seconds, then 9 and 15; ours 4 and 8, then
    6 and 10, for two problems in float32, and half of it in bf16. So together 18 over 6, and then 24 over 8."""
    taken, decoded = iter([6, 4, 2, 12, 8, 4, 9, 6, 3, 15, 10, 5]), []
    monkeypatch.setattr(ratios, "LADDER", {"dense": LADDER["dense"]})
    monkeypatch.setattr(ratios, "decode_one", lambda model, prompt, n, draws: decoded.append(("published", n)))
    monkeypatch.setattr(ratios, "generate", lambda model, prompt, n, noise: decoded.append(
        (model.architecture.precision, n)))
    monkeypatch.setattr(Bench, "seconds", lambda bench, function: function() or next(taken))
    rows = measure(QUICK._replace(pairs=2), only="evaluation")
    assert [(row.part.removeprefix("evaluation"), row.x, row.value, row.low, row.high) for row in rows] == [
        (", published", 0, 21, 18, 24), (", float32", 0, 7, 6, 8), (", bf16", 0, 3.5, 3, 4),
        (", published / float32", 0, 3, 3, 3),
        (" by length, published / float32", 3, 3, 3, 3), (" by length, published / float32", 6, 3, 3, 3),
        (", published / bf16", 0, 6, 6, 6),
        (" by length, published / bf16", 3, 6, 6, 6), (" by length, published / bf16", 6, 6, 6, 6)]
    short, long = [[(side, n) for side in ("published", "float32", "bf16")] for n in (4, 7)]  # characters of a sum
    assert decoded == short + 2 * (short + long)


def pair(kind, **options):
    """Our attention in float64, and another kind with the same weights; a batch for them."""
    torch.manual_seed(0)
    ours, theirs = (kind(16, 2, Dropout(0.0)).double() for kind in (Attention, kind))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs, torch.randn(3, 5, 16, dtype=torch.float64)


@pytest.mark.parametrize("kind", [alternatives.ThreeProducts, alternatives.OwnLines, tried.TorchAttention])
def test_other_attention_computes_the_same(kind):
    """Forward and backward; and the method that was overridden is another one."""
    ours, theirs, h = pair(kind)
    gradients = []
    for attention in ours, theirs:
        attention(h).square().sum().backward()
        gradients.append(attention.key.weight.grad)
    assert torch.allclose(ours(h), theirs(h), atol=1e-12) and torch.allclose(*gradients, atol=1e-12)
    assert (kind.forward, kind.mix) != (Attention.forward, Attention.mix)


def test_one_query_is_read_alike():
    ours, theirs, _ = pair(tried.TorchAttention)
    q, k, v = (torch.randn(3, 2, T, 8) for T in (1, 5, 5))
    assert torch.allclose(ours.eval().mix(q, k, v), theirs.eval().mix(q, k, v), atol=1e-6)


def test_graphs_that_nobody_reads_change_no_number():
    """12 passes are two steps of two cycles of three; the last cycle of each has a graph, or of the last step alone.
    (Where a sequence may halt after the first step ours has both too; exploring decides, and is the same in both.)"""
    ours, theirs = Progress(QUICK.run("ar_trm"), "cpu"), alternatives.graph_in_every_step(QUICK)
    graphs = [], []
    for training, found in zip((ours, theirs), graphs):
        training.model.block[0].register_forward_hook(lambda *call, found=found: found.append(call[-1].requires_grad))
        for _ in range(3):
            training.train_step()
    assert torch.stack(ours.losses).equal(torch.stack(theirs.losses))
    assert all(a.equal(b) for a, b in zip(ours.model.parameters(), theirs.model.parameters()))
    assert graphs[1] == 3 * (2 * ([False] * 3 + [True] * 3)) and sum(graphs[0]) < sum(graphs[1])


@pytest.mark.parametrize("narrow", [False, True])
def test_choices_are_without_over_with(narrow, monkeypatch):
    """The alternative is called first, and here takes three seconds, ours two. Only a CPU without bf16 instructions has
    two ways to bf16."""
    monkeypatch.setattr(alternatives, "NARROW", narrow)
    taken = iter(1000 * (3, 2))
    monkeypatch.setattr(alternatives, "SIZES", ((16, 2), (32, 2)))
    monkeypatch.setattr(Bench, "seconds", lambda bench, function: function() and 0 or next(taken))
    rows = measure(QUICK, only="choices")
    assert [(row.part.removeprefix("choice, "), row.subject, row.x) for row in rows] == [
        ("one product for query, key and value", "a layer, float32", 16),
        ("one product for query, key and value", "a layer, bf16", 16),
        *([("bf16 from products in float32", "a layer", 16)] if narrow else []),
        ("PyTorch's attention without dropout", "a layer, float32", 16),
        ("PyTorch's attention without dropout", "a layer, float32", 32),
        ("no graph where it is cut", "a step of AR-TRM", 0),
        ("fused AdamW", "the update", 0), ("problems drawn at once", "the data", 0)]
    assert {row.value for row in rows} == {1.5}


def test_what_was_dropped_is_measured(monkeypatch):
    """Dropout as tried gives on average what tarm's gives; a ratio for each alternative."""
    kept = tried.KeepMask.apply(ones := torch.ones(200, 200, requires_grad=True), 0.25)
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.75]) and kept.mean().item() == pytest.approx(1, abs=0.02)
    kept.sum().backward()
    assert ones.grad.equal(kept.detach())
    monkeypatch.setattr(tried, "SIZES", ((16, 2),))
    rows = measure(QUICK, only="dropped")
    assert len(rows) == 8 and all(row.part.startswith("dropped, ") and row.low > 0 for row in rows)
    assert [row.subject for row in rows if row.part.endswith("for one query")] == ["float32", "bf16"]


CALLS = []


class Recorded(Bench):
    """What it would do is noted, and takes seconds that are known."""

    def step(self, run):
        return lambda: CALLS.append(f"{run.precision} step")

    def products(self, precision):
        return lambda: CALLS.append(f"{precision} product"), 10**9

    def seconds(self, function):
        function()
        return {"float32 step": 6, "float32 product": 0.5, "bf16 step": 2, "bf16 product": 0.25}[CALLS[-1]]


def test_growth_is_measured_beside_the_peak():
    """Four passes, four lengths and six widths in each precision, which take turns, once uncounted and then in both
    rounds; a product of 1 GFLOP in half a second is 2 GFLOP/s."""
    CALLS.clear()
    rows = pd.DataFrame(measure(Recorded("smoke", pairs=2), only="growth"))
    assert CALLS[-12:] == 3 * ["float32 step", "float32 product", "bf16 step", "bf16 product"]
    ratio = rows[rows["part"] == "step by width, float32 / bf16"]
    assert ratio[["x", "value", "unit", "subject"]].values.tolist() == [
        [width, 3, "ratio", "dense"] for width in (64, 128, 192, 256, 384, 512)]
    rows = rows.drop(ratio.index)
    rows[["what", "along"]] = rows["part"].str.split(" by ", expand=True)
    value = rows.pivot_table(index=["along", "x"], columns="what", values="value")
    assert value.groupby("along").size().to_dict() == {
        "passes": 4, "positions": 4, "width, bf16": 6, "width, float32": 6}
    assert value["share"].tolist() == pytest.approx((value["rate"] / value["peak"]).tolist())
    assert value.loc["passes", "step"].index.tolist() == [3, 6, 12, 24]
    assert set(value.loc["width, float32", "peak"]) == {2} and set(value.loc["width, bf16", "peak"]) == {4}
    assert value.loc[("passes", 3), "rate"] == step_flop(QUICK.run(budget=3)) / 6 / 1e9


@pytest.fixture
def turns(tmp_path, monkeypatch):
    """A function that gives [(process, threads)] of what was timed; processes are numbered as they come."""
    monkeypatch.setenv("TARM_TEST_TURNS", str(tmp_path / "turns"))

    def read():
        found = [line.split() for line in (tmp_path / "turns").read_text().splitlines()]
        number = {process: i for i, process in enumerate(dict.fromkeys(process for process, _ in found))}
        return [(number[process], int(threads)) for process, threads in found]

    return read


def test_runs_at_a_time_take_turns_with_one_alone(monkeypatch, turns):
    """In every round one process alone, two together, and the first with two threads. Three steps in 3 seconds are one
    a second, by two processes two, and three in 2 seconds one and a half."""
    monkeypatch.setattr(processes, "cores", lambda: 2)
    rows = measure(Written("smoke", pairs=2), only="at_a_time")
    assert [(row.part, row.subject, row.x, row.value, row.low, row.pairs) for row in rows] == [
        ("runs at a time", "processes", 2, 2, 2, 2), ("runs at a time", "threads", 2, 1.5, 1.5, 2)]
    found = turns()
    for a_round in found[:4], found[4:]:
        alone, *together, threaded = a_round
        assert alone == (0, 1) and sorted(together) == [(0, 1), (1, 1)] and threaded == (0, 2)
    assert len(found) == 8


@pytest.mark.parametrize("device, cores, counts", [
    ("cpu", 1, []), ("cpu", 2, [2]), ("cpu", 8, [2, 8]), ("cuda", 8, [])])
def test_how_many_runs_are_tried_at_a_time(device, cores, counts, monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: cores)
    monkeypatch.setattr(processes, "_throughput", lambda bench, count: [[1.0, count, 1.0]])
    rows = measure(QUICK._replace(device=device), only="at_a_time")
    assert [(row.x, row.value) for row in rows if row.subject == "processes"] == [(n, n) for n in counts]


@pytest.mark.skipif(sys.platform == "win32", reason="the system does not say how much memory a process took")
def test_memory_is_that_of_fresh_processes_that_take_turns(turns, monkeypatch):
    """Three of rung 7 in both rounds, a process each; the published Dense once. Dense is measured as rung 7 is."""
    assert [(rung, len(kinds)) for rung, kinds in processes.MEASURED] == [("dense", 2), ("ar_trm", 3), ("dense", 1)]
    monkeypatch.setattr(processes, "MEASURED", processes.MEASURED[1:])
    rows = measure(Written("smoke", pairs=2), only="memory")
    expected = [(part, f"ar_trm, {name}") for name in ("kept", "recomputed", "graph in every step")
                for part in ("memory of a step", "step by memory")]
    expected.append(("step by memory, recomputed / kept", "ar_trm"))
    expected += [(part, "dense, published") for part in ("memory of a step", "step by memory")]
    assert [(row.part, row.subject) for row in rows] == expected
    assert {row.part: (row.value, row.unit) for row in rows if row.part != "memory of a step"} == {
        "step by memory": (3, "s"), "step by memory, recomputed / kept": (1, "ratio")}
    assert all(row.value >= 0 and row.unit == "MiB" for row in rows if row.part == "memory of a step")
    assert [process for process, _ in turns()] == [0, 1, 2] * 2 + [3]


def test_core_hours_are_flop_over_rates_of_runs_that_are_alike(monkeypatch):
    """The smoke profile's main study at a rate of 1e6 FLOP a second in training, 2e6 in decoding; rates are asked for
    once for each task, with weights tied and untied."""
    asked = []
    monkeypatch.setattr(machine, "STUDIES", {"main": Study(STUDIES["main"].jobs, ("smoke",))})
    monkeypatch.setattr(machine, "_rates", lambda bench, run: asked.append(run) or (1e6, 2e6))
    training, evaluation = measure(QUICK, only="studies")
    jobs = STUDIES["main"].jobs("smoke", 0)
    assert [(run.task, run.length, run.rung) for run in asked] == [
        (task, length, rung) for task, length in (("copy", 4), ("reverse", 4), ("addition", 3))
        for rung in ("dense", "iterative")] and len(jobs) == 21
    assert training.value == pytest.approx(sum(4 * step_flop(run) for run, _ in jobs) / 1e6 / 3600)
    assert evaluation.value == pytest.approx(sum(evaluation_flop(*job) for job in jobs) / 2e6 / 3600)
    assert {row.over for row in (training, evaluation)} == {"none"}


def test_how_many_rates_are_asked_for():
    """Five lengths of the paper's fourth study, tied or not; and of all lists no more than take minutes."""
    assert {(run.length, run.rung) for run in (machine.alike(job.run) for job in jobs("paper", "training_length"))} == {
        (length, rung) for length in (2, 5, 10, 20, 40) for rung in ("dense", "iterative")}
    assert len({machine.alike(run) for study in STUDIES.values() for profile in study.profiles
                for run, _ in study.jobs(profile, 0)}) < 60


@pytest.mark.parametrize("fields", [{"dropout": 0.0}, {"dropout": 0.1, "dropout_stream": "bits", "precision": "bf16"}])
@pytest.mark.parametrize("rung, measured_rung", [("dense", "dense"), ("ar_trm", "iterative")])
def test_a_rate_is_that_of_a_run_that_is_like_it(fields, rung, measured_rung, monkeypatch):
    """What is measured is a Transformer of six passes; its rate is its FLOP over the seconds, here 2. Copying three
    digits takes 7 positions: the digits twice and what separates them."""
    measured = []
    monkeypatch.setattr(machine, "seconds_per_step", lambda run, *_: measured.append(run) or 2)
    monkeypatch.setattr(machine, "decoding_rate", lambda run, device, problems: measured.append(run) or problems)
    run = Run(rung=rung, task="copy", length=3, batch=4, width=16, heads=2, **fields)
    like = machine.alike(run)
    assert machine._rates(QUICK, like) == (step_flop(like) / 2, 2) and set(measured) == {like}
    assert (like.rung, like.budget, like.context) == (measured_rung, 6, 7)
    for field in "task", "length", "batch", "width", "heads", "dropout", "dropout_stream", "precision":
        assert getattr(like, field) == getattr(run, field)


def test_the_command_saves_what_it_measured(tmp_path, monkeypatch, capsys):
    """The committed rows in place of new ones: each is printed, and stands in the table beside the machine; the figure
    is drawn. With --part nothing is saved."""
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


def test_what_was_measured_before_an_error_is_kept(tmp_path, monkeypatch, capsys):
    def fails(what, threads, only, report):
        report(Row("matmul", "float32", 0, 2.0, 1.0, 3.0, "GFLOP/s", 2))
        raise RuntimeError("a later part failed")

    monkeypatch.setattr(bench, "measure", fails)
    assert main(["bench", "--profile", "smoke", "--out", str(tmp_path)]) == 1
    assert "a later part failed" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "data" / "bench-unfinished.csv")["value"].tolist() == [2.0]


def test_a_run_that_fails_ends_the_runs_beside_it():
    with pytest.raises(RuntimeError, match=r"2 runs at a time could not be measured: MemoryError\('no room'\)"):
        processes._throughput(OneFails("smoke", pairs=1), 2)


@pytest.mark.parametrize("options, message", [
    ({"only": "speed"}, "part='speed' is not known: choose one of matmul, steps"),
    ({"threads": 0}, "threads=0 is too small")])
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        measure(Bench("smoke"), **options)


def test_the_chapter_reads_tables_without_bf16(tmp_path, capsys):
    """All of its cells that read the table, on the committed one less its rows on bf16,
    as measured where that is of no use."""
    rows = pd.read_csv(COMMITTED / "bench.csv")
    kept = rows[~(rows["part"].str.contains("bf16") | rows["subject"].str.contains("bf16"))]
    kept.to_csv(tmp_path / "bench.csv", index=False)
    assert len(kept) < len(rows)
    cells = [
        cell.source
        for cell in nbformat.read(PROJECT / "notebooks" / "10-what-it-costs.ipynb", as_version=4).cells
        if cell.cell_type == "code"
    ]
    reading = re.compile(r"\brows\b|measured\(|ratios\(|seconds\(|hours\b")
    names = {"costs": str(tmp_path / "bench.csv")}
    for source in [cells[1], *(cell for cell in cells if "def without_memory" in cell or reading.search(cell))]:
        exec(source, names)
    out = capsys.readouterr().out
    # but for the picture's text
    assert [line for line in out.splitlines() if "bf16" in line and "image/png" not in line] == []
    assert "one large product" in out and "the paper's five studies" in out

"""What it costs: ratios measured in one run on the machine at hand, each pair one after the other.

Every function of PARTS measures one thing and yields Rows; `measure` runs them all.
"""

import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import torch

from .architecture import at_least, choose
from .decoding import generate, gumbel
from .estimate import decoding_rate, evaluation_flop, positions, seconds_per_step, step_flop
from .ladder import LADDER
from .memory import forget_peak, peak
from .profiles import PROFILES
from .published import PublishedTraining, decode_one, padded_batch, published_form
from .runs import Run
from .studies import STUDIES
from .tasks import TASKS
from .training import Progress

PRECISIONS = ("float32", "bf16")


class Row(NamedTuple):
    """One measured number: the median of `pairs` and their range.

    part, subject: what was measured, of what. x: where it grows along something, the value there.
    """

    part: str
    subject: str
    x: float
    value: float
    low: float
    high: float
    unit: str
    pairs: int


def row(part, subject, values, unit, x=0):
    return Row(part, subject, x, statistics.median(values), min(values), max(values), unit, len(values))


class Bench(NamedTuple):
    """What to measure: the addition runs of one profile. pairs: how often. problems: decoded at once."""

    profile: str = "cpu"
    device: str = "cpu"
    pairs: int = 3
    problems: int = 100

    def run(self, rung="dense", **fields):
        """A run of the profile in which every nominal pass is executed: ACT's bias keeps it from halting."""
        act = LADDER[rung].model.halting_head == "act_halt"
        given = PROFILES[self.profile]["addition"].fields | ({"halting_bias": -20.0} if act else {}) | fields
        if given.get("dropout", 0.1):
            given = {"dropout_stream": "bits"} | given
        return Run(rung=rung, task="addition", **given)

    def seconds(self, function):
        """Wall seconds of one call, the device's work included."""
        began = time.perf_counter()
        function()
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def times(self, *functions):
        """[seconds of each function] in every round: one after the other, and each once before, uncounted."""
        for function in functions:
            function()
        return [[self.seconds(function) for function in functions] for _ in range(self.pairs)]

    def step(self, run):
        """A function that takes one of our training steps."""
        return Progress(run, self.device).train_step


# The parts.


def matmul(bench, size=1024):
    """What a large product of matrices reaches: the peak that the others are held against."""
    for precision, dtype in zip(PRECISIONS, (torch.float32, torch.bfloat16)):
        a, b = torch.randn(2, size, size, device=bench.device).to(dtype)
        times = [seconds for seconds, in bench.times(lambda: a @ b) for _ in range(3)]
        yield row("matmul", precision, [2 * size**3 / seconds / 1e9 for seconds in times], "GFLOP/s")


def steps(bench):
    """A training step of each rung: the published protocol's seconds over ours, and bf16 beside float32."""
    for rung in LADDER:
        run = bench.run(rung)
        published = PublishedTraining(bench.run(rung, **({"dropout_stream": "torch"} if run.dropout else {})), bench.device)
        times = bench.times(published.train_step, *(bench.step(replace(run, precision=p)) for p in PRECISIONS))
        yield row("step, published", rung, [t[0] for t in times], "s")
        for i, precision in enumerate(PRECISIONS, 1):
            yield row(f"step, {precision}", rung, [t[i] for t in times], "s")
            yield row(f"step, published / {precision}", rung, [t[0] / t[i] for t in times], "ratio")
            yield row(f"rate, {precision}", rung, [step_flop(run) / t[i] / 1e9 for t in times], "GFLOP/s")
        yield row("step, float32 / bf16", rung, [t[1] / t[2] for t in times], "ratio")


def decoding_problems(bench, run, length):
    """(model, prompt, answer, noise) for `bench.problems` of one length; the model is untrained, so that no
    draft helps."""
    model = run.build().to(bench.device).eval()
    prompt, answer = TASKS[run.task].problems(bench.problems, length, torch.Generator().manual_seed(0))
    noise = gumbel((*answer.shape, run.vocabulary), torch.Generator().manual_seed(0))
    return [part.to(bench.device) for part in (model, prompt, answer, noise)]


def evaluation(bench):
    """Sampling the answers of all lengths: published, a problem at a time, over ours, all at once; seconds are those
    of a problem of each length, together, and the range of the ratio is that over lengths."""
    schedule = PROFILES[bench.profile]["addition"].schedule
    for rung in LADDER:
        seconds = {"published": [], **{precision: [] for precision in PRECISIONS}}
        for length in schedule.lengths + schedule.final_lengths:
            model, prompt, answer, _ = decoding_problems(bench, bench.run(rung), length)
            model, n, draws = published_form(model), answer.shape[1], torch.Generator(bench.device).manual_seed(0)
            seconds["published"].append(bench.seconds(lambda: decode_one(model, prompt[0], n, draws)))
            for precision in PRECISIONS:
                ours, _, _, noise = decoding_problems(bench, bench.run(rung, precision=precision), length)
                took = bench.seconds(lambda: generate(ours, prompt, n, noise))
                seconds[precision].append(took / bench.problems)
        for name, each in seconds.items():
            yield row(f"evaluation, {name}", rung, [sum(each)], "s")
        for name in PRECISIONS:
            ratios = [a / b for a, b in zip(seconds["published"], seconds[name])]
            total = sum(seconds["published"]) / sum(seconds[name])
            yield Row(f"evaluation, published / {name}", rung, 0, total, min(ratios), max(ratios), "ratio", len(ratios))


def caching(bench):
    """Greedy decoding of the profile's own length in one batch: without memory of what was read, over with it."""
    for rung in LADDER:
        run = bench.run(rung)
        model, prompt, answer, _ = decoding_problems(bench, run, run.length)

        def uncached():
            tokens = prompt
            with torch.no_grad():
                for _ in range(answer.shape[1]):
                    tokens = torch.cat([tokens, model(tokens).logits[:, -1:].argmax(dim=-1)], dim=1)

        times = bench.times(uncached, lambda: generate(model, prompt, answer.shape[1]))
        yield row("decoding, uncached / cached", rung, [a / b for a, b in times], "ratio")


def choices(bench):
    """What single choices are worth in a training step of the Dense Transformer: without over with."""
    for precision in PRECISIONS if bench.run().dropout else ():
        run = bench.run(budget=6, precision=precision)
        times = bench.times(*(bench.step(replace(run, dropout_stream=stream)) for stream in ("torch", "bits")))
        yield row("choice, dropout's masks from 16 bits", f"a step, {precision}", [a / b for a, b in times], "ratio")
    run = bench.run()
    fused, plain = Progress(run, bench.device), PublishedTraining(run, bench.device)
    for training in fused, plain:
        training.train_step()  # so that there are gradients
    times = bench.times(plain.optimiser.step, fused.optimiser.step)
    yield row("choice, fused AdamW", "the update", [a / b for a, b in times], "ratio")
    one_by_one, at_once = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    times = bench.times(lambda: padded_batch(run, one_by_one),
                        lambda: TASKS[run.task].problems(run.batch, run.length, at_once, reserved=False).batch())
    yield row("choice, problems drawn at once", "the data", [a / b for a, b in times], "ratio")


def growth(bench):
    """Seconds of a Dense step as passes, length and width grow."""
    base = {"context": 512}
    for budget in (3, 6, 12, 24):
        yield from _grown(bench, "passes", budget, bench.run(budget=budget, **base))
    for length in (5, 10, 20, 40):
        run = bench.run(length=length, budget=6, **base)
        yield from _grown(bench, "positions", positions(run.task, length)[0], run)
    for width in (64, 128, 192, 256, 384, 512):
        for precision in PRECISIONS:
            yield from _grown(bench, f"width, {precision}", width,
                              bench.run(width=width, heads=4, budget=6, precision=precision, **base))


def _grown(bench, along, x, run):
    times = [seconds for seconds, in bench.times(bench.step(run))]
    yield row(f"step by {along}", "dense", times, "s", x)
    yield row(f"rate by {along}", "dense", [step_flop(run) / seconds / 1e9 for seconds in times], "GFLOP/s", x)


def at_a_time(bench):
    """Several runs on one CPU: how much more gets done by one process a core, or by threads in one process."""
    if bench.device != "cpu":
        return
    alone = _throughput(bench, 1, 1)
    for count in range(2, multiprocessing.cpu_count() + 1):
        together, threaded = _throughput(bench, count, 1), _throughput(bench, 1, count)
        yield row("runs at a time", "processes", [a / b for a, b in zip(together, alone)], "times one run", count)
        yield row("runs at a time", "threads", [a / b for a, b in zip(threaded, alone)], "times one run", count)


def _throughput(bench, processes, threads):
    """Steps a second of all processes together, bench.pairs times."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _join, (barrier, threads)) as pool:
        rates = [pool.submit(_rates, bench, seed) for seed in range(processes)]
        return [sum(each) for each in zip(*(rate.result() for rate in rates))]


def _join(barrier, threads):
    global _together
    _together = barrier
    torch.set_num_threads(threads)


def _rates(bench, seed):
    step, rates = bench.step(bench.run(budget=6, seed=seed)), []
    step()
    for _ in range(bench.pairs):
        _together.wait()
        rates.append(3 / bench.seconds(lambda: [step() for _ in range(3)]))
    return rates


def memory(bench):
    """What a step of the Dense Transformer adds to the memory of a fresh process, as it is and with its passes
    recomputed, and its seconds; nothing where the system does not say."""
    for name, recompute in ("kept", False), ("recomputed", True):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            added, seconds = pool.submit(_memory_of_steps, bench, recompute, torch.get_num_threads()).result()
        if added is not None:
            yield row("memory of a step", name, [added / 2**20], "MiB")
            yield row("step by memory", name, seconds, "s")


def _memory_of_steps(bench, recompute, threads):
    torch.set_num_threads(threads)
    progress = Progress(bench.run(), bench.device, recompute)
    forget_peak(bench.device)
    before = peak(bench.device)
    seconds = [seconds for seconds, in bench.times(progress.train_step)]
    return None if before is None else peak(bench.device) - before, seconds


def studies(bench):
    """Core hours of each study, one seed: its FLOP over the rate that a step, and decoding, reach at its width."""
    rates = {}
    for study, (jobs, profiles) in STUDIES.items():
        for profile in profiles:
            hours = {"training": 0.0, "evaluation": 0.0}
            for run, schedule in jobs(profile, 0):
                key = run.width, run.heads, run.precision
                if key not in rates:
                    rates[key] = _rates_at(bench, *key)
                train, decode = rates[key]
                hours["training"] += run.training_steps * step_flop(run) / train / 3600
                hours["evaluation"] += evaluation_flop(run, schedule) / decode / 3600
            for what, value in hours.items():
                yield Row(f"core hours, {what}", f"{study}, {profile}", 0, value, value, value, "h", 1)


def _rates_at(bench, width, heads, precision):
    """FLOP a second of training and of decoding at a width, both at the published batch and length."""
    run = Run(rung="dense", task="addition", width=width, heads=heads, precision=precision, budget=6, dropout_stream="bits")
    return (step_flop(run) / seconds_per_step(run, bench.device, bench.pairs),
            decoding_rate(run, bench.device, bench.problems))


PARTS = (matmul, steps, evaluation, caching, choices, growth, at_a_time, memory, studies)


def measure(bench, threads=1, only=None, report=lambda row: None):
    """Run every part, or `only` those named, on `threads` threads; report(row) as each is done; -> [Row].

    Raises ValueError for a part that does not exist, and numbers below 1.
    """
    names = only.split(",") if only else [part.__name__ for part in PARTS]
    for name in names:
        choose("part", name, [part.__name__ for part in PARTS])
    for name, number in ("pairs", bench.pairs), ("problems", bench.problems), ("threads", threads):
        at_least(1, name, number)
    before, rows = torch.get_num_threads(), []
    torch.set_num_threads(threads)
    try:
        for part in (part for part in PARTS if part.__name__ in names):
            for found in part(bench):
                report(found)
                rows.append(found)
    finally:
        torch.set_num_threads(before)
    return rows

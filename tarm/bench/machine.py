"""Parts that measure the machine: its peak, how a step grows on it, several runs at a time, memory, core hours."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from threading import BrokenBarrierError

import torch

from ..estimate import decoding_rate, evaluation_flop, positions, seconds_per_step, step_flop
from ..memory import forget_peak, peak
from ..runs import Run
from ..studies import STUDIES
from ..training import Progress
from .rounds import PRECISIONS, Row, row

ALIKE = "width", "heads", "precision", "dropout", "dropout_stream", "batch"  # fields on which a rate depends
PATIENCE = 600  # seconds that one process waits for the others before a round


def matmul(bench):
    """What a large product of matrices reaches; steps are held against the same product, taken beside each of them."""
    for precision in PRECISIONS:
        products, flop = bench.products(precision)
        yield row("matmul", precision, [flop / seconds / 1e9 for seconds, in bench.times(products)], "GFLOP/s")


def growth(bench):
    """Seconds of a Dense step as passes, length and width grow; its rate, and the share that this is of the peak measured
    right after it."""
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
    products, flop = bench.products(run.precision)
    times = bench.times(bench.step(run), products)
    rates = [step_flop(run) / seconds / 1e9 for seconds, _ in times]
    peaks = [flop / seconds / 1e9 for _, seconds in times]
    yield row(f"step by {along}", "dense", [seconds for seconds, _ in times], "s", x)
    yield row(f"rate by {along}", "dense", rates, "GFLOP/s", x)
    yield row(f"peak by {along}", "dense", peaks, "GFLOP/s", x)
    yield row(f"share by {along}", "dense", [rate / peak for rate, peak in zip(rates, peaks)], "of the peak", x)


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
    """Steps a second of all processes together, bench.pairs times. Raises RuntimeError where one of them fails, or keeps
    the others waiting for longer than PATIENCE."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes, timeout=PATIENCE)
    with ProcessPoolExecutor(processes, context, _join, (barrier, threads)) as pool:
        rates = [pool.submit(_rates, bench, seed) for seed in range(processes)]
        failed = [error for error in (rate.exception() for rate in rates) if error]
        if failed:
            why = next((error for error in failed if not isinstance(error, BrokenBarrierError)), None)
            raise RuntimeError(f"{processes} runs at a time could not be measured: "
                               f"{repr(why) if why else f'one kept the others waiting for {PATIENCE} seconds'}; "
                               f"--part names the other parts") from why
        return [sum(each) for each in zip(*(rate.result() for rate in rates))]


def _join(barrier, threads):
    global _together
    _together = barrier
    torch.set_num_threads(threads)


def _rates(bench, seed):
    try:
        step, rates = bench.step(bench.run(budget=6, seed=seed)), []
        step()
        for _ in range(bench.pairs):
            _together.wait()
            rates.append(3 / bench.seconds(lambda: [step() for _ in range(3)]))
        return rates
    except BaseException:
        _together.abort()  # nobody is to wait for this process
        raise


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
    """Core hours of each study, one seed: its FLOP over the rate that a step, and decoding, reach at its runs' width,
    precision, dropout and batch."""
    rates = {}
    for study, (jobs, profiles) in STUDIES.items():
        for profile in profiles:
            hours = {"training": 0.0, "evaluation": 0.0}
            for run, schedule in jobs(profile, 0):
                key = tuple(getattr(run, field) for field in ALIKE)
                if key not in rates:
                    rates[key] = _rates_like(bench, run)
                train, decode = rates[key]
                hours["training"] += run.training_steps * step_flop(run) / train / 3600
                hours["evaluation"] += evaluation_flop(run, schedule) / decode / 3600
            for what, value in hours.items():
                yield Row(f"core hours, {what}", f"{study}, {profile}", 0, value, value, value, "h", 1, "none")


def _rates_like(bench, run):
    """FLOP a second of training and of decoding a Dense Transformer of 6 passes, on additions of the published length, that
    is like a run in the fields of ALIKE."""
    run = Run(rung="dense", task="addition", budget=6, **{field: getattr(run, field) for field in ALIKE})
    return (step_flop(run) / seconds_per_step(run, bench.device, bench.pairs),
            decoding_rate(run, bench.device, bench.problems))

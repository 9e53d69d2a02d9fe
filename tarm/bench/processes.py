"""Parts that need processes of their own: several runs at a time, and the memory of a step."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from threading import BrokenBarrierError

import torch

from ..memory import forget_peak, give_back, peak
from ..sweep import cores
from ..training import Progress
from .alternatives import graph_in_every_step
from .rounds import row

PATIENCE = 600  # seconds that one process waits for the others before what is measured next


def at_a_time(bench):
    """Several runs on one CPU: how much more gets done by one process a core, or by threads in one process."""
    most = cores()
    for count in sorted({2, most}) if bench.device == "cpu" and most > 1 else ():
        rounds = _throughput(bench, count)
        for i, name in enumerate(("processes", "threads"), 1):
            yield row("runs at a time", name, [rates[i] / rates[0] for rates in rounds], "times one run", count)


def _throughput(bench, count):
    """[steps a second: one process alone, `count` processes together, one process with `count` threads] in every round.
    Raises RuntimeError where a process fails, or keeps the others waiting for longer than PATIENCE."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count, timeout=PATIENCE)
    with ProcessPoolExecutor(count, context, _join, (barrier,)) as pool:
        rates = [pool.submit(_rates, bench, seed, count) for seed in range(count)]
        failed = [error for error in (rate.exception() for rate in rates) if error]
        if failed:
            why = next((error for error in failed if not isinstance(error, BrokenBarrierError)), None)
            raise RuntimeError(f"{count} runs at a time could not be measured: "
                               f"{repr(why) if why else f'one kept the others waiting for {PATIENCE} seconds'}; "
                               "--part names the other parts") from why
        return [[sum(each) for each in zip(*by_process)] for by_process in zip(*(rate.result() for rate in rates))]


def _join(barrier):
    global _together
    _together = barrier


def _rates(bench, seed, count):
    """Steps a second of this process in every round: alone, beside the others, with `count` threads. Only the process
    of seed 0 runs all three; the others wait, and did 0."""
    try:
        step = bench.step(bench.run(budget=6, seed=seed))
        turns = (1, not seed), (1, True), (count, not seed)  # threads, and does this process run?

        def rate(threads, runs):
            torch.set_num_threads(threads)
            _together.wait()
            return 3 / bench.seconds(lambda: [step() for _ in range(3)]) if runs else 0.0

        for threads, _ in turns[1:]:
            torch.set_num_threads(threads)
            step()
        return [[rate(*turn) for turn in turns] for _ in range(bench.pairs)]
    except BaseException:
        _together.abort()  # nobody is to wait for this process
        raise


def kept(bench, rung):
    return Progress(bench.run(rung), bench.device)


def recomputed(bench, rung):
    return Progress(bench.run(rung), bench.device, recompute=True)


def published(bench, rung):
    return bench.published(rung)


def graph(bench, rung):
    return graph_in_every_step(bench)


MEASURED = ("dense", (kept, recomputed)), ("ar_trm", (kept, recomputed, graph)), ("dense", (published,))
NAMES = {kept: "kept", recomputed: "recomputed", published: "published", graph: "graph in every step"}


def memory(bench):
    """What a step adds to the memory of a fresh process, and its seconds: as it is, with its passes recomputed, and as
    published; nothing where the system does not say. Processes of one rung take turns. Of the published Dense
    Transformer the first step is measured alone, since it takes so long: AdamW's moments are made at its end, and
    do not count."""
    give_back()  # what other parts have left in this process
    for rung, kinds in MEASURED:
        once = kinds == (published,)
        times, added = _in_turn(bench._replace(pairs=1) if once else bench, rung, kinds, warm=not once)
        for kind, each, seconds in zip(kinds, added, zip(*times)):
            if each is not None:
                yield row("memory of a step", f"{rung}, {NAMES[kind]}", [each / 2**20], "MiB")
                yield row("step by memory", f"{rung}, {NAMES[kind]}", seconds, "s")
        if recomputed in kinds:
            yield row("step by memory, recomputed / kept", rung, [t[1] / t[0] for t in times], "ratio")


def _in_turn(bench, rung, kinds, warm):
    """([[seconds of a step of each kind] in every round], [bytes that each has added]), a process for each kind, which
    takes a step before, uncounted, where it is to be warm."""
    with ExitStack() as stack:
        pools = [stack.enter_context(ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))) for _ in kinds]
        begun = [pool.submit(_begin, bench, kind, rung, torch.get_num_threads(), warm)
                 for pool, kind in zip(pools, kinds)]
        for process in begun:
            process.result()
        times = [[pool.submit(_step, bench).result() for pool in pools] for _ in range(bench.pairs)]
        return times, [pool.submit(_added, bench).result() for pool in pools]


def _begin(bench, kind, rung, threads, warm):
    global _training, _before
    torch.set_num_threads(threads)
    _training = kind(bench, rung)
    forget_peak(bench.device)
    _before = peak(bench.device)
    if warm:
        _training.train_step()


def _step(bench):
    return bench.seconds(_training.train_step)


def _added(bench):
    return None if _before is None else peak(bench.device) - _before

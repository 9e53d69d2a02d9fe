"""Parts that measure the machine: its peak, how a step grows on it, and the core hours of every study."""

from dataclasses import replace

from ..estimate import decoding_rate, evaluation_flop, positions, seconds_per_step, step_flop
from ..ladder import LADDER
from ..runs import Run
from ..studies import STUDIES
from .rounds import Row, row

# Fields on which a rate depends; whether the weights are tied does so too
ALIKE = "task", "length", "width", "heads", "precision", "dropout", "dropout_stream", "batch"


def matmul(bench):
    """What a large product of matrices reaches; steps are held against the same product, taken beside each of them."""
    for precision in bench.precisions:
        products, flop = bench.products(precision)
        yield row("matmul", precision, [flop / seconds / 1e9 for seconds, in bench.times(products)], "GFLOP/s")


def growth(bench):
    """Seconds of a Dense step as passes, length and width grow; its rate, and the share that this is of the peak
    measured right after it. The two precisions of a width are measured in the same rounds, and their ratio is
    taken in each."""
    base = {"context": 512}
    for budget in (3, 6, 12, 24):
        yield from _grown(bench, {"passes": bench.run(budget=budget, **base)}, budget)
    for length in (5, 10, 20, 40):
        run = bench.run(length=length, budget=6, **base)
        yield from _grown(bench, {"positions": run}, positions(run.task, length)[0])
    for width in (64, 128, 192, 256, 384, 512):
        yield from _grown(bench,
                          {f"width, {precision}": bench.run(width=width, heads=4, budget=6, precision=precision, **base)
                           for precision in bench.precisions}, width)


def _grown(bench, runs, x):
    """Rows of the runs, {along what they grow: run}, each step with the product of its precision right after it."""
    products, flop = zip(*(bench.products(run.precision) for run in runs.values()))
    times = bench.times(*(each for pair in zip(map(bench.step, runs.values()), products) for each in pair))
    for i, (along, run) in enumerate(runs.items()):
        seconds, beside = ([t[k] for t in times] for k in (2 * i, 2 * i + 1))
        rates, peaks = [step_flop(run) / s / 1e9 for s in seconds], [flop[i] / s / 1e9 for s in beside]
        yield row(f"step by {along}", "dense", seconds, "s", x)
        yield row(f"rate by {along}", "dense", rates, "GFLOP/s", x)
        yield row(f"peak by {along}", "dense", peaks, "GFLOP/s", x)
        yield row(f"share by {along}", "dense", [rate / peak for rate, peak in zip(rates, peaks)], "of the peak", x)
    if len(runs) == 2:  # the two precisions
        yield row("step by width, float32 / bf16", "dense", [t[0] / t[2] for t in times], "ratio", x)


def studies(bench):
    """Core hours of each study, one seed: its FLOP over the rate that a step, and decoding, reach in a run that is like
    it. All passes are counted: runs with ACT that halts early take less. Runs in bf16 are counted as in float32 where
    bf16 is of no use."""
    rates = {}
    for study, (jobs, profiles) in STUDIES.items():
        for profile in profiles:
            hours = {"training": 0.0, "evaluation": 0.0}
            for run, schedule in jobs(profile, 0):
                like = alike(run if run.precision in bench.precisions else replace(run, precision="float32"))
                if like not in rates:
                    rates[like] = _rates(bench, like)
                train, decode = rates[like]
                hours["training"] += run.training_steps * step_flop(run) / train / 3600
                hours["evaluation"] += evaluation_flop(run, schedule) / decode / 3600
            for what, value in hours.items():
                yield Row(f"core hours, {what}", f"{study}, {profile}", 0, value, value, value, "h", 1, "none")


def alike(run):
    """The run that is measured for this one: a Transformer of six passes, Iterative where the run's weights are tied
    and Dense where they are not, which is like it in the fields of ALIKE."""
    rung = "iterative" if LADDER[run.rung].model.tied else "dense"
    return Run(rung=rung, budget=6, context=positions(run.task, run.length)[0],
               **{field: getattr(run, field) for field in ALIKE})


def _rates(bench, run):
    """FLOP a second of training and of decoding a run; one problem is decoded before, uncounted."""
    decoding_rate(run, bench.device, 1)
    return (step_flop(run) / seconds_per_step(run, bench.device, bench.pairs),
            decoding_rate(run, bench.device, bench.problems))

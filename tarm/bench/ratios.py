"""Parts that hold one way of computing a thing against another: the published protocol's against ours, without a
choice against with it."""

from dataclasses import replace

import torch

from ..decoding import generate, gumbel
from ..estimate import step_flop
from ..ladder import LADDER
from ..profiles import PROFILES
from ..published import PublishedTraining, decode_one, padded_batch, published_form
from ..tasks import TASKS
from ..training import Progress
from .rounds import PRECISIONS, Row, row


def steps(bench):
    """A training step of each rung: the published protocol's seconds over ours, and bf16 beside float32; its rate, and the
    share that this is of the peak measured right after it."""
    products, flop = zip(*(bench.products(precision) for precision in PRECISIONS))
    for rung in LADDER:
        run = bench.run(rung)
        published = PublishedTraining(bench.run(rung, **({"dropout_stream": "torch"} if run.dropout else {})), bench.device)
        ours = [function for precision, peak in zip(PRECISIONS, products)
                for function in (bench.step(replace(run, precision=precision)), peak)]
        times = bench.times(published.train_step, *ours)
        yield row("step, published", rung, [t[0] for t in times], "s")
        for i, precision in enumerate(PRECISIONS):
            seconds, beside = zip(*(t[1 + 2 * i:3 + 2 * i] for t in times))
            rates = [step_flop(run) / each / 1e9 for each in seconds]
            yield row(f"step, {precision}", rung, seconds, "s")
            yield row(f"step, published / {precision}", rung, [t[0] / each for t, each in zip(times, seconds)], "ratio")
            yield row(f"rate, {precision}", rung, rates, "GFLOP/s")
            yield row(f"share, {precision}", rung, [rate * each * 1e9 / flop[i] for rate, each in zip(rates, beside)],
                      "of the peak")
        yield row("step, float32 / bf16", rung, [t[1] / t[3] for t in times], "ratio")


def decoding_problems(bench, run, length):
    """(model, prompt, answer, noise) for `bench.problems` of one length; the model is untrained, so that no
    draft helps."""
    model = run.build().to(bench.device).eval()
    prompt, answer = TASKS[run.task].problems(bench.problems, length, torch.Generator().manual_seed(0))
    noise = gumbel((*answer.shape, run.vocabulary), torch.Generator().manual_seed(0))
    return [part.to(bench.device) for part in (model, prompt, answer, noise)]


def evaluation(bench):
    """Sampling the answers of all lengths: published, a problem at a time, over ours, all at once; seconds are those
    of a problem of each length, together, and the range of the ratio is that over lengths. The published side takes so long
    that each length is measured once, whatever bench.pairs."""
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
            yield Row(f"evaluation, published / {name}", rung, 0, total, min(ratios), max(ratios), "ratio", len(ratios), "lengths")


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

"""Parts that hold one way of computing a thing against another: the published protocol's against ours."""

from dataclasses import replace
from functools import partial

import torch

from ..decoding import generate, gumbel
from ..estimate import step_flop
from ..ladder import LADDER
from ..profiles import PROFILES
from ..published import decode_one, published_form
from ..tasks import TASKS
from .rounds import row


def steps(bench):
    """A training step of each rung: the published protocol's seconds over ours, and bf16 beside float32; its rate, and
    the share that this is of the peak measured right after it."""
    products, flop = zip(*(bench.products(precision) for precision in bench.precisions))
    for rung in LADDER:
        run = bench.run(rung)
        ours = [function for precision, peak in zip(bench.precisions, products)
                for function in (bench.step(replace(run, precision=precision)), peak)]
        times = bench.times(bench.published(rung).train_step, *ours)
        yield row("step, published", rung, [t[0] for t in times], "s")
        for i, precision in enumerate(bench.precisions):
            seconds, beside = zip(*(t[1 + 2 * i:3 + 2 * i] for t in times))
            rates = [step_flop(run) / each / 1e9 for each in seconds]
            yield row(f"step, {precision}", rung, seconds, "s")
            yield row(f"step, published / {precision}", rung, [t[0] / each for t, each in zip(times, seconds)], "ratio")
            yield row(f"rate, {precision}", rung, rates, "GFLOP/s")
            yield row(f"share, {precision}", rung, [rate * each * 1e9 / flop[i] for rate, each in zip(rates, beside)],
                      "of the peak")
        if len(products) == 2:
            yield row("step, float32 / bf16", rung, [t[1] / t[3] for t in times], "ratio")


def untrained(bench, run):
    """A model to decode with; no draft would help it."""
    return run.build().to(bench.device).eval()


def decoding_problems(bench, run, length):
    """(prompt, answer, noise) of `bench.problems` additions of one length."""
    prompt, answer = TASKS[run.task].problems(bench.problems, length, torch.Generator().manual_seed(0))
    noise = gumbel((*answer.shape, run.vocabulary), torch.Generator().manual_seed(0))
    return [part.to(bench.device) for part in (prompt, answer, noise)]


def evaluation(bench):
    """Sampling the answers of all lengths: published, a problem at a time, over ours, all at once. Seconds are those
    of a problem of each length, together, and so is their ratio; then the ratio of each length."""
    schedule = PROFILES[bench.profile]["addition"].schedule
    lengths = sorted(schedule.lengths + schedule.final_lengths)
    for rung in LADDER:
        rounds = sampling(bench, rung, lengths)
        together = [[sum(side) for side in zip(*by_length)] for by_length in rounds]
        for i, name in enumerate(("published", *bench.precisions)):
            yield row(f"evaluation, {name}", rung, [t[i] for t in together], "s")
        for i, name in enumerate(bench.precisions, 1):
            yield row(f"evaluation, published / {name}", rung, [t[0] / t[i] for t in together], "ratio")
            for k, length in enumerate(lengths):
                yield row(f"evaluation by length, published / {name}", rung,
                          [by_length[k][0] / by_length[k][i] for by_length in rounds], "ratio", length)


def sampling(bench, rung, lengths):
    """[[seconds of one problem: published, and ours in each precision] of each length] in every round. The published
    side takes so long that only the first length, the shortest, is decoded once before."""
    runs = [bench.run(rung, precision=precision) for precision in bench.precisions]
    ours, draws = [untrained(bench, run) for run in runs], torch.Generator(bench.device).manual_seed(0)
    published, functions = published_form(ours[0]), []
    for length in lengths:
        prompt, answer, noise = decoding_problems(bench, runs[0], length)
        functions.append(partial(decode_one, published, prompt[0], answer.shape[1], draws))
        functions += [partial(generate, model, prompt, answer.shape[1], noise) for model in ours]
    n = 1 + len(ours)
    return [[(t[k], *(each / bench.problems for each in t[k + 1:k + n])) for k in range(0, len(t), n)]
            for t in bench.times(*functions, first=functions[:n])]


def caching(bench):
    """Greedy decoding of the profile's own length in one batch: without memory of what was read, over with it."""
    for rung in LADDER:
        run = bench.run(rung)
        model, (prompt, answer, _) = untrained(bench, run), decoding_problems(bench, run, run.length)

        def uncached():
            tokens = prompt
            with torch.no_grad():
                for _ in range(answer.shape[1]):
                    tokens = torch.cat([tokens, model(tokens).logits[:, -1:].argmax(dim=-1)], dim=1)

        times = bench.times(uncached, lambda: generate(model, prompt, answer.shape[1]))
        yield row("decoding, uncached / cached", rung, [a / b for a, b in times], "ratio")

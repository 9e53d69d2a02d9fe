"""Commands that ask a trained model, say how large one is, or take the first steps of its training again."""

import re
import sys

import torch

from .. import checking
from ..architecture import Architecture, at_least
from ..decoding import complete, gumbel
from ..evaluation import evaluate, evaluation_problems, metrics
from ..ladder import LADDER
from ..runs import run_from
from ..store import COMMITTED, Store, needs_clone
from ..streams import stream, training_stream
from ..tasks import TASKS, decode
from .options import choose_device, whole_number


def given(text, otherwise):
    """The parts of what an option lists, or else one."""
    return [str(otherwise)] if text is None else text.split(",")


def command_evaluate(arguments):
    """A row for each length, number of steps, kind of problems and decoding. At lengths that were never trained on
    nothing is seen: there the problems drawn from all stand as "any"."""
    store = Store(arguments.store)
    record = store.find(arguments.run)
    run = run_from(record["configuration"])
    model = store.model(record).to(choose_device(arguments.device))
    warn_of_divergence(record)
    lengths = [whole_number("lengths", part) for part in given(arguments.lengths, run.length)]
    steps = [at_least(1, "steps", whole_number("steps", part)) for part in given(arguments.steps, run.steps)]
    at_least(1, "problems", arguments.problems)
    if set(steps) - {run.steps} and not LADDER[run.rung].model.tied:
        raise ValueError(f"steps={arguments.steps}: {run.rung} has a block for each of its {run.steps} steps and "
                         "cannot run others; leave --steps out")
    for length in lengths:
        if (reads := sum(TASKS[run.task].sizes(length)) - 1) > run.context:
            raise ValueError(f"lengths={length}: decoding {run.task} reads {reads} positions there, and this model has "
                             f"context={run.context}; leave that length out")
    print(f"{run}\n{'length':>6} {'steps':>5} {'problems':8} {'decoding':8} {'count':>5} "
          f"{'character':>9} {'sequence':>8} {'first':>6} {'last':>6}")
    for length in lengths:
        problems = evaluation_problems(run, length, arguments.problems, training_stream(run.seed))
        for n in steps:
            # at the step at which training ended: the sampling noise is drawn by it
            for score in evaluate(model, problems, length, len(record["losses"]), run.seed, n):
                kind = "any" if score.problems == "seen" and length != run.length else score.problems
                m = {name: value for name, (value, _) in metrics(score).items()}
                print(f"{length:>6} {n:>5} {kind:8} {score.decoding:8} {score.count:>5} {m['character']:>9.1%} "
                      f"{m['sequence']:>8.1%} {m['first']:>6.1%} {m['last']:>6.1%}")
    if arguments.steps is not None:
        with torch.no_grad():  # of the last length
            tokens = problems["unseen"].batch()[0][:100, :-1]  # as many positions as decoding reads
            ran = model(tokens.to(next(model.parameters()).device), steps=max(steps)).steps
        if ran < max(steps):
            print(f"note: after {ran} steps every position has halted, and no more are run", file=sys.stderr)
    met = len(record["losses"]) * run.batch
    if met < arguments.problems and run.length in lengths:
        print(f"note: of the problems listed as seen this run has met the first {met} only", file=sys.stderr)


def other_lengths(prompt, length):
    """The lengths of a prompt's operands (digits that another character ends) that are not `length`."""
    return sorted({len(digits) for digits in re.findall(r"\d+(?=\D)", prompt)} - {length})


def warn_of_divergence(record):
    if record["diverged_at"]:
        print(f"note: this run diverged at step {record['diverged_at']}, its weights are no use", file=sys.stderr)


def command_generate(arguments):
    at_least(1, "limit", arguments.limit)
    store = Store(arguments.store)
    record = store.find(arguments.run)
    warn_of_divergence(record)
    model = store.model(record).to(choose_device(arguments.device))
    noise = None
    if arguments.sample:
        noise = gumbel((1, arguments.limit, model.architecture.vocabulary), stream(arguments.seed, "decoding"))
    print(complete(model, arguments.prompt, arguments.limit, noise))
    run = run_from(record["configuration"])
    if others := other_lengths(arguments.prompt, run.length):
        print(f"note: the model was trained on operands of {run.length} digits, not of {' or '.join(map(str, others))} "
              "as in the prompt", file=sys.stderr)
    end = decode(TASKS[run.task].problems(1, run.length, stream(0, "room")).prompt[0, -1:])
    if arguments.prompt.isdigit() and not end.isdigit():
        print(f"note: the model was trained on prompts that end in {end!r}", file=sys.stderr)


def command_ladder(arguments):
    lines = [f"{'#':1} {'key':15} {'name':27} {'family':14} {'steps':>5} {'passes':>6} "
             f"{'parameters':>11}  new on this rung"]
    for number, (key, rung) in enumerate(LADDER.items(), 1):
        a = Architecture(rung=key, width=arguments.width, heads=arguments.heads, budget=arguments.budget,
                         context=arguments.context)
        lines.append(f"{number:1} {key:15} {rung.name:27} {rung.family:14} {a.steps:>5} {a.budget:>6} "
                     f"{a.count_parameters():>11,}  {rung.change}")
    lines.append(f"\nwidth {arguments.width}, {arguments.heads} heads, {arguments.context} positions; "
                 "outside the ladder: ar_trm_cured, which is ar_trm with --norm post --scale unit")
    print("\n".join(lines))


def command_check_records(arguments):
    """Take records' first steps again, a line each. RuntimeError where a loss differs, or none can be compared."""
    if not arguments.store:
        needs_clone("check-records without --store")
    store, device = Store(arguments.store or COMMITTED), choose_device(arguments.device)
    at_least(1, "steps", arguments.steps)
    records = [store.find(prefix) for prefix in arguments.run] or checking.selection(store.records())
    if not records:
        raise ValueError(f"{store.root} has no records to check")
    different = compared = 0
    for record in records:
        done = checking.check(record, arguments.steps, device)
        compared += done.largest is not None
        different += done.largest is not None and not done.agrees
        print(done, flush=True)
    if not compared:
        raise RuntimeError(f"none of {len(records)} records could be compared on {device}: each line says why")
    if different:
        raise RuntimeError(f"{different} of {len(records)} records differ: other versions or another "
                           "kind of machine can be the cause; each record names its own under environment")

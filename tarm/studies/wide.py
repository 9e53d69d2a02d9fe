"""This project's own lists at published sizes, in bf16, the most telling first.

Each function makes the jobs of one seed.
"""

from ..profiles import PROFILES
from ..runs import Schedule
from .lists import ALL, AR_TRM, CURED, POST, PUBLISHED_RUNGS, THREE_PASSES, UNIT, listed, multiples, rungs
from .published import COMPUTE, COMPUTE_SCHEDULE, LENGTHS, STRUCTURES

BF16 = {"precision": "bf16"}
SUSPECTS = [AR_TRM, AR_TRM | {"eps": 1e-16}, AR_TRM | UNIT, AR_TRM | POST, CURED, AR_TRM | ALL, AR_TRM | THREE_PASSES]


def cause(seed):
    """What the failure of the Autoregressive TRM needs, where the paper measured it: copy, 500 steps."""
    return listed(SUSPECTS, Schedule(50, (10,)), task="copy", training_steps=500, seed=seed, **BF16)


def cause_reverse(seed):
    """The same on reverse."""
    return listed(SUSPECTS, Schedule(50, (10,)), task="reverse", training_steps=500, seed=seed, **BF16)


def precision(seed):
    """Whether bf16 learns as float32 does: two rungs that learn, with 3 passes, at width 192."""
    return [job for arithmetic in ("float32", "bf16")
            for job in listed(rungs("dense", "universal"), Schedule(200, (10,)), width=192, budget=3, seed=seed,
                              **COMPUTE | {"precision": arithmetic, "dropout_stream": "bits", "training_steps": 3000})]


def depth(seed):
    """Whether refinement, or depth, gains anything: 3, 6 and 12 passes at width 192."""
    flat = rungs("universal", "dual_ut", "dense")
    by_budget = {12: [AR_TRM, AR_TRM | ALL, CURED, CURED | ALL, *flat],
                 6: [AR_TRM | ALL, CURED, CURED | ALL, *flat],
                 3: [AR_TRM | {"outer": 1}, CURED | {"outer": 1}, {"rung": "universal"},
                     {"rung": "dual_ut", "budget": 4}, {"rung": "dense"}]}
    return [job for budget, variants in by_budget.items()
            for job in listed(variants, COMPUTE_SCHEDULE, width=192, seed=seed, **{"budget": budget} | COMPUTE | BF16)]


def depth_rest(seed):
    """The rungs at 12 passes that `depth` leaves out."""
    return listed(rungs("iterative", "iterative_step", "dual_nested_ut"), COMPUTE_SCHEDULE, width=192, budget=12,
                  seed=seed, **COMPUTE, **BF16)


def refinement(seed):
    """24 passes at width 192: the published model and the cured one beside the flat ones."""
    return listed([AR_TRM, CURED, CURED | ALL, *rungs("universal", "dual_ut", "dense")], COMPUTE_SCHEDULE, width=192,
                  seed=seed, **COMPUTE, **BF16)


def refinement_rest(seed):
    """The rungs that `refinement` leaves out."""
    return listed(rungs("iterative", "iterative_step", "dual_nested_ut"), COMPUTE_SCHEDULE, width=192, seed=seed,
                  **COMPUTE, **BF16)


def three_passes(seed):
    """Whether three passes beat the paper's bars at the paper's width."""
    return listed([AR_TRM | THREE_PASSES, CURED | THREE_PASSES, {"rung": "universal", "steps": 3},
                   {"rung": "dense", "steps": 3}],
                  PROFILES["paper"]["addition"].schedule, task="addition", seed=seed, **BF16)


def structure_cured(seed):
    """H x L at length 10, rungs 6 and 7 and the cured one: growth of the streams as a dose."""
    return [job for outer, inner in STRUCTURES[:-1]
            for job in listed([{"rung": "dual_nested_ut"}, AR_TRM, CURED],
                              Schedule(200, multiples(10)), steps=4, outer=outer,
                              inner=inner, context=200, seed=seed, **LENGTHS, **BF16)]


def headline(seed):
    """The paper's main study in bf16, and the cured model beside its seven; longer answers in the end only."""
    return [job for task in ("addition", "copy", "reverse")
            for job in listed([*rungs(*PUBLISHED_RUNGS), CURED], Schedule(250, (10,), (20, 30, 40, 50)),
                              task=task, seed=seed, **BF16)]


def training_length_cured(seed):
    """Training lengths 2, 5 and 10 at four budgets, all rungs and the cured one."""
    return [job for length in (2, 5, 10) for budget in (6, 12, 18, 24)
            for job in listed([*rungs(*PUBLISHED_RUNGS), CURED], Schedule(200, multiples(length)), length=length,
                              budget=budget, context=400, seed=seed, **LENGTHS, **BF16)]

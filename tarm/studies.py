"""Each experiment as a list of runs: the paper's, and those with which this project questions it."""

from functools import cache
from typing import Callable, NamedTuple

from .architecture import choose
from .ladder import LADDER
from .profiles import PROFILES
from .runs import Run, Schedule
from .tasks import TASKS


class Job(NamedTuple):
    """A run, and when it is evaluated."""

    run: Run
    schedule: Schedule


PUBLISHED_RUNGS = ("dense", "iterative", "iterative_step", "universal", "dual_ut", "dual_nested_ut", "ar_trm")
TRM = {"rung": "ar_trm"}
CURED = TRM | {"norm": "post", "scale": "unit"}  # TRM's norm placement and input scale, and no more
ALL = {"window": "all"}                          # the gradient through every pass
THREE_PASSES = {"steps": 1, "outer": 1}          # of rung 7: N = H = 1, all trained
MULTIPLES = (1, 1.1, 1.3, 1.5, 2, 2.5, 3)        # of the training length, at which two studies evaluate


def rungs(*keys):
    """[{"rung": key}, ...]: the rungs named, as published."""
    return [{"rung": key} for key in keys]


def listed(variants, schedule, **common):
    """Jobs that share a schedule and fields, one for each variant (a dict of fields)."""
    return [Job(Run(**common | variant), schedule) for variant in variants]


def multiples(length):
    """MULTIPLES of a training length, rounded half to even, each once, as published."""
    return tuple(dict.fromkeys(round(length * multiple) for multiple in MULTIPLES))


# The paper's five studies. Each function makes the jobs of one seed.


def main(profile, seed):
    """Length generalisation, the main results: seven rungs on three tasks, at every profile."""
    return [Job(Run(rung=rung, task=task, seed=seed, **setting.fields), setting.schedule)
            for task, setting in PROFILES[profile].items() for rung in LADDER]


COMPUTE = {"task": "addition", "training_steps": 4000, "context": 150}
COMPUTE_SCHEDULE = Schedule(200, (10, 20, 30))


def compute(profile, seed):
    """Parameters and inference compute: two widths, two budgets, seven rungs."""
    return [job for width in (192, 384) for budget in (12, 24)
            for job in listed(rungs(*PUBLISHED_RUNGS), COMPUTE_SCHEDULE, width=width, budget=budget, seed=seed, **COMPUTE)]


def width(profile, seed):
    """Compute-optimal width: four widths, H = 1."""
    return [Job(Run(rung=rung, task="addition", width=w, heads=4, training_steps=15000, context=120, seed=seed,
                    **({"outer": 1} if LADDER[rung].model.nested else {})), Schedule(500, (10, 11, 15, 20)))
            for w in (128, 256, 384, 512) for rung in PUBLISHED_RUNGS]


LENGTHS = {"task": "addition", "width": 128, "heads": 4, "training_steps": 2000}


def training_length(profile, seed):
    """Training length against budget: does training on longer sums need more passes?"""
    return [job for length in (2, 5, 10, 20, 40) for budget in (6, 12, 18, 24)
            for job in listed(rungs(*PUBLISHED_RUNGS), Schedule(200, multiples(length)), length=length, budget=budget,
                              context=400, seed=seed, **LENGTHS)]


STRUCTURES = ((1, 1), (2, 1), (2, 2), (4, 2), (6, 2), (8, 2), (8, 4))  # (H, L), with N = 4


def structure(profile, seed):
    """H x L structure of rungs 6 and 7."""
    return [job for length in (2, 5, 10, 20) for outer, inner in STRUCTURES
            for job in listed(rungs("dual_nested_ut", "ar_trm"), Schedule(200, multiples(length)), length=length,
                              steps=4, outer=outer, inner=inner, context=200, seed=seed, **LENGTHS)]


# This project's own lists, at published sizes in bf16, the most telling first.

BF16 = {"precision": "bf16"}
FAST = BF16 | {"dropout_stream": "bits"}
SUSPECTS = [TRM, TRM | {"eps": 1e-16}, TRM | {"scale": "unit"}, TRM | {"norm": "post"}, CURED, TRM | ALL,
            TRM | THREE_PASSES]


def cause(profile, seed):
    """What the failure of the Autoregressive TRM needs, where the paper measured it: copy, 500 steps."""
    return listed(SUSPECTS, Schedule(50, (10,)), task="copy", training_steps=500, seed=seed, **BF16)


def cause_reverse(profile, seed):
    """The same on reverse; then copy and reverse to the published 5000 steps, for UT and rung 7."""
    return (listed(SUSPECTS, Schedule(50, (10,)), task="reverse", training_steps=500, seed=seed, **FAST) +
            [job for task in ("copy", "reverse")
             for job in listed(rungs("universal", "ar_trm"), PROFILES["paper"][task].schedule, task=task, seed=seed, **FAST)])


def precision(profile, seed):
    """Whether bf16 learns as float32 does: two rungs that learn, with 3 passes, at width 192."""
    return [job for arithmetic in ("float32", "bf16")
            for job in listed(rungs("dense", "universal"), Schedule(200, (10,)), width=192, budget=3, seed=seed,
                              **COMPUTE | FAST | {"precision": arithmetic, "training_steps": 3000})]


def depth(profile, seed):
    """Whether refinement, or depth, gains anything: 3, 6 and 12 passes at width 192."""
    flat = rungs("universal", "dual_ut", "dense")
    by_budget = {12: [TRM, TRM | ALL, CURED, CURED | ALL, *flat],
                 6: [TRM | ALL, CURED, CURED | ALL, *flat],
                 3: [TRM | {"outer": 1}, CURED | {"outer": 1}, {"rung": "universal"}, {"rung": "dual_ut", "budget": 4},
                     {"rung": "dense"}]}
    return [job for budget, variants in by_budget.items()
            for job in listed(variants, COMPUTE_SCHEDULE, width=192, seed=seed, **{"budget": budget} | COMPUTE | FAST)]


def depth_rest(profile, seed):
    """The rungs at 12 passes that `depth` leaves out."""
    return listed(rungs("iterative", "iterative_step", "dual_nested_ut"), COMPUTE_SCHEDULE, width=192, budget=12,
                  seed=seed, **COMPUTE, **FAST)


def refinement(profile, seed):
    """24 passes at width 192: the published model and the cured one beside the flat ones."""
    return listed([TRM, CURED, CURED | ALL, *rungs("universal", "dual_ut", "dense")], COMPUTE_SCHEDULE, width=192,
                  seed=seed, **COMPUTE, **FAST)


def refinement_rest(profile, seed):
    """The rungs that `refinement` leaves out."""
    return listed(rungs("iterative", "iterative_step", "dual_nested_ut"), COMPUTE_SCHEDULE, width=192, seed=seed,
                  **COMPUTE, **FAST)


def three_passes(profile, seed):
    """Whether three passes beat the paper's bars at the paper's width."""
    return listed([TRM | THREE_PASSES, CURED | THREE_PASSES, {"rung": "universal", "steps": 3}, {"rung": "dense", "steps": 3}],
                  PROFILES["paper"]["addition"].schedule, task="addition", seed=seed, **FAST)


def structure_cured(profile, seed):
    """H x L at length 10, rungs 6 and 7 and the cured one: growth of the streams as a dose."""
    return [job for outer, inner in STRUCTURES[:-1]
            for job in listed([{"rung": "dual_nested_ut"}, TRM, CURED], Schedule(200, multiples(10)), steps=4, outer=outer,
                              inner=inner, context=200, seed=seed, **LENGTHS, **FAST)]


def headline(profile, seed):
    """The paper's bars on addition at its width, and the cured model beside them."""
    return listed([TRM, CURED, *rungs("universal", "dual_ut", "dense", "dual_nested_ut")],
                  PROFILES["paper"]["addition"].schedule, task="addition", seed=seed, **FAST)


def training_length_cured(profile, seed):
    """Training lengths 2, 5 and 10 at four budgets, all rungs and the cured one."""
    return [job for length in (2, 5, 10) for budget in (6, 12, 18, 24)
            for job in listed([*rungs(*PUBLISHED_RUNGS), CURED], Schedule(200, multiples(length)), length=length,
                              budget=budget, context=400, seed=seed, **LENGTHS, **FAST)]


# Why the published model learns nothing, and what gains anything: small sizes, many seeds.

LEARNED = 0.99  # of the characters, greedy, of unseen problems: a run that is there has learned its task, and ends
SMALL = PROFILES["cpu"]["copy"].fields | {"training_steps": 600, "stop_at": LEARNED}
SMALL_SCHEDULE = Schedule(25, (10,))
CROSS = [{"window": window, "norm": norm, "scale": scale}
         for window in ("cycle", "all") for norm in ("pre", "reentry", "post") for scale in ("published", "unit")]


def cross(profile, seed):
    """Rung 7 on copy and reverse: window x norm x scale."""
    return [job for task in ("copy", "reverse")
            for job in listed(CROSS, SMALL_SCHEDULE, rung="ar_trm", task=task, seed=seed, **SMALL)]


SHARE = 7.3e-5  # of the whole gradient, what the published window holds at 24 passes by the linear recurrence
DOSES = [{"outer": 1, "steps": steps} for steps in (1, 2, 4)] + [{"outer": 1, "inner": inner} for inner in (1, 5, 11, 23)]
CONTROLS = [
    *DOSES, {"eps": 1e-16}, {"learning_rate": 1e-4}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3}, {"training_steps": 3000},
    {"window": "all", "eps": 1e-8 / SHARE},                                    # as if its gradient had the truncated one's size
    {"window": "24"}, {"window": "step"}, {"window": "4"}, {"window": "6"},    # 24: all passes, but not y_init and z_init
    {"window": "6", "window_warmup": 300},
    {"readout": "mean"}, {"supervision": "steps"}, {"supervision": "steps-optimised"}, {"start": "x"}, {"injection": "both"},
    {"sum": "mean"}, {"residual": "1/sqrt"}, {"residual": "1/passes"}, {"halting_head": "trained"},
    {"supervision": "steps", "halting_head": "trained"}]
SIX = {"rung": "dual_nested_ut"}


def controls(profile, seed):
    """Rung 7 on copy, one change at a time; and rung 6 where rung 7 is decided."""
    sixes = [SIX | change for change in ({}, ALL, {"norm": "post"}, {"scale": "unit"}, {"norm": "post", "scale": "unit"})]
    return listed([TRM | change for change in CONTROLS] + sixes, SMALL_SCHEDULE, **SMALL | {"task": "copy", "seed": seed})


CURES = [TRM, CURED]


def depth_small(profile, seed):
    """Addition of three digits with 3, 6, 12 and 24 passes: every rung, and rung 7 under three windows and two norms."""
    flat = rungs("dense", "iterative", "iterative_step", "universal", "dual_ut", "dual_nested_ut")
    shallow = [rung | {"outer": 1} for rung in (SIX, *CURES)]  # N = H = 1, where all windows are one
    whole = [cure | {"window": window} for cure in CURES for window in ("cycle", "step", "all")]
    by_budget = {3: [*(rung for rung in flat if rung["rung"] not in ("dual_ut", "dual_nested_ut")),
                     {"rung": "dual_ut", "budget": 4}, *shallow],
                 6: [*flat, *(rung for rung in whole if rung["window"] != "step")],  # N = 1, where step is nearly all
                 12: [*flat, *whole, CURED | {"supervision": "steps"}],
                 24: [*flat, *whole, CURED | {"supervision": "steps"}]}
    setting = PROFILES["cpu"]["addition"]
    return [job for budget, variants in by_budget.items()
            for job in listed(variants, setting.schedule, **setting.fields | {"task": "addition", "budget": budget, "seed": seed})]


class Study(NamedTuple):
    """A named list: jobs(profile, seed) makes it, at the profiles it exists for."""

    jobs: Callable
    profiles: tuple


STUDIES = {"main": Study(main, tuple(PROFILES))} | {
    study.__name__: Study(study, ("paper",)) for study in (
        compute, width, training_length, structure, cause, precision, depth, refinement, three_passes, structure_cured,
        refinement_rest, depth_rest, headline, cause_reverse, training_length_cured)} | {
    study.__name__: Study(study, ("cpu",)) for study in (cross, controls, depth_small)}


def jobs(profile, study="main", seeds=(0,), **filters):
    """The jobs of a study at a profile, those whose run has one of the values of each filter.

    filters: rung=["ar_trm", ...], task=[...]. Raises ValueError for a name that does not exist,
    and where nothing is left.
    """
    choose("study", study, STUDIES)
    choose("profile", profile, STUDIES[study].profiles)
    for field, names in {"rung": LADDER, "task": TASKS}.items():
        for value in filters.get(field, ()):
            choose(field, value, names)
    chosen = [job for seed in seeds for job in STUDIES[study].jobs(profile, seed)
              if all(getattr(job.run, field) in values for field, values in filters.items())]
    if not chosen:
        raise ValueError(f"no run of study {study!r} at profile {profile!r} has " +
                         ", ".join(f"{field} in {{{', '.join(map(str, values))}}}" for field, values in filters.items()))
    return chosen


@cache
def members(profile, study, seed):
    """The hashes of a study's runs with this seed."""
    return {job.run.hash for job in STUDIES[study].jobs(profile, seed)}


def place(run):
    """(profile, study) that a run belongs to, whatever its seed; ("", "") for one of its own."""
    for study, (_, profiles) in STUDIES.items():
        for profile in profiles:
            if run.hash in members(profile, study, run.seed):
                return profile, study
    return "", ""

"""Why the published model of 24 passes learns nothing at small size, and what gains anything: small sizes, many seeds.

Each function makes the jobs of one seed.
"""

from ..profiles import PROFILES
from ..runs import Schedule
from .lists import ALL, AR_TRM, CURE, CURED, NESTED_UT, POST, UNIT, evaluated_at, listed, rungs

LEARNED = 0.99  # of the characters, greedy, of unseen problems: a run that is there has learned its task, and ends
UNTIL_LEARNED = PROFILES["cpu"]["copy"].fields | {"training_steps": 600, "stop_at": LEARNED}
EVERY_25 = Schedule(25, (10,))
CROSS = [{"window": window, "norm": norm, "scale": scale}
         for window in ("cycle", "all") for norm in ("pre", "reentry", "post") for scale in ("published", "unit")]


def cross(seed):
    """Rung 7 on copy and reverse: window x norm x scale."""
    return [job for task in ("copy", "reverse")
            for job in listed(CROSS, EVERY_25, rung="ar_trm", task=task, seed=seed, **UNTIL_LEARNED)]


PART = {"as published": {}, "norm alone": POST, "scale alone": UNIT, "norm and scale": CURE, "whole gradient": ALL}


def cross_part(profile, seed):
    """Of the cross what `make figures` trains: on copy, the published rung 7, what cures it, and the half of a cure."""
    fields, schedule = (UNTIL_LEARNED, EVERY_25) if profile == "cpu" else PROFILES[profile]["copy"]
    return listed([AR_TRM | change for change in PART.values()], schedule, **fields | {"task": "copy", "seed": seed})


SHARE = 7.3e-5  # of the whole gradient, what the published window holds at 24 passes: (growth - 1) / (growth**8 - 1)
FEWER_PASSES = [{"outer": 1, "steps": steps} for steps in (1, 2, 4)]
OTHER_CYCLES = [{"outer": 1, "inner": inner} for inner in (1, 5, 11, 23)]
DOSES = FEWER_PASSES + OTHER_CYCLES
CONTROLS = [
    *DOSES, {"eps": 1e-16}, {"learning_rate": 1e-4}, {"learning_rate": 3e-4}, {"learning_rate": 3e-3},
    {"training_steps": 3000},
    {"window": "all", "eps": 1e-8 / SHARE},  # as if its gradient had the truncated one's size
    {"window": "24"}, {"window": "step"}, {"window": "4"}, {"window": "6"},  # 24: all passes, but not y_init and z_init
    {"window": "4", "window_warmup": 300}, {"window": "6", "window_warmup": 300},
    {"readout": "mean"}, {"supervision": "steps"}, {"supervision": "steps-optimised"},
    {"start": "x"}, {"injection": "both"}, {"start": "x", "injection": "none"}, {"sum": "mean"},
    {"residual": "1/sqrt"}, {"residual": "1/passes"}, {"halting_head": "trained"},
    {"supervision": "steps", "halting_head": "trained"}]


def controls(seed):
    """Rung 7 on copy, one change at a time; and rung 6 where rung 7 is decided."""
    sixes = [NESTED_UT | change for change in ({}, ALL, POST, UNIT, CURE)]
    return listed([AR_TRM | change for change in CONTROLS] + sixes, EVERY_25,
                  **UNTIL_LEARNED | {"task": "copy", "seed": seed})


SLOWER = {"learning_rate": 3e-4, "training_steps": 2000}  # the published rate, and time for it
TWO_CYCLES = {"steps": 2, "outer": 1}
LATER = [TWO_CYCLES, TWO_CYCLES | UNIT, {"readout": "mean"}]


def slower(seed):
    """The published window of the cross at the paper's learning rate and with more training; and, with more training
    alone, what was still learning when its time was up."""
    common = UNTIL_LEARNED | AR_TRM | {"seed": seed}
    at_the_published_rate = [job for task in ("copy", "reverse")
                             for job in listed(CROSS[:6], Schedule(50, (10,)), **common | SLOWER | {"task": task})]
    later = listed(LATER, Schedule(50, (10,)), **common | {"task": "copy", "training_steps": 2000})
    return at_the_published_rate + later


def scales(seed):
    """Unit scale taken apart, on copy: x alone, or y_init and z_init alone; post-norm also at the paper's rate."""
    common = UNTIL_LEARNED | AR_TRM | {"task": "copy", "seed": seed}
    parts = [{"norm": norm, "scale": scale} for norm in ("pre", "reentry", "post") for scale in ("input", "states")]
    return listed(parts, EVERY_25, **common) + listed(parts[-2:], Schedule(50, (10,)), **common | SLOWER)


def small_eps(seed):
    """Without a norm what the window keeps is so small that AdamW's eps, 1e-8, hides a part of it. Four such models
    whose gradient, fresh, points nearly where the whole one does, with an eps of 1e-16; on copy."""
    pointing = [UNIT, {"scale": "input"}, {"residual": "1/sqrt"}, {"residual": "1/passes"}]
    return listed([change | {"eps": 1e-16} for change in pointing], EVERY_25,
                  **UNTIL_LEARNED | AR_TRM | {"task": "copy", "seed": seed})


# one cycle of 24 passes: z is updated 23 times, and reads x each time; y once, at the end
FED = AR_TRM | {"outer": 1, "inner": 23}
CUT = {"window": "3"}
WHOLE_AND_CUT = [rung | window for rung in rungs("iterative", "iterative_step", "dense") for window in ({}, CUT)]
ITERATIVE = [{"rung": "iterative"} | change
             for change in ({"window": "23"}, {"window": "23"} | UNIT, CUT | UNIT, CUT | CURE, CURE)]
CUT_FED = [FED | change for change in (CUT, {"window": "12"}, CUT | UNIT, CUT | CURE)]
ONE_STREAM = WHOLE_AND_CUT + ITERATIVE + CUT_FED


def one_stream(seed):
    """Models of one stream, on copy, whole and with a cut gradient, most as far as the published window cuts rung 7's:
    to the last 3 of 24 passes. The input of rungs 1 to 3 enters once, so what is cut trains neither its embeddings nor,
    in Dense, 21 blocks. FED is one stream as well, but for the last pass, and is fed its input at each."""
    return listed(ONE_STREAM, EVERY_25, **UNTIL_LEARNED | {"task": "copy", "seed": seed})


def widths(seed):
    """One change alone, at widths between the small one and the paper's and at the paper's learning rate, on copy."""
    return [job for width in (128, 192, 256) for job in listed(
        [POST, UNIT], Schedule(50, (10,)),
        **UNTIL_LEARNED | AR_TRM | SLOWER | {"task": "copy", "width": width, "training_steps": 1000, "seed": seed})]


UP_TO_21 = [{"window": window} | scale for scale in ({}, UNIT) for window in ("12", "18", "21")]
LONGER = [*UP_TO_21, {"window": "23"}]


def windows(seed):
    """Rung 7 trained through more and more of its last passes, pre-norm, on copy: the forward pass stays the same. The
    share of the gradient in the window grows, and its direction gets better; at unit scale that is right throughout
    (a cosine of 0.99)."""
    return listed(LONGER, EVERY_25, **UNTIL_LEARNED | AR_TRM | {"task": "copy", "seed": seed})


def at_depths(*more):
    """Each rung with 3, 6, 12, 24 passes, rung 7 with three windows and two norms; with 12 and 24 `more` models."""
    flat = rungs("dense", "iterative", "iterative_step", "universal", "dual_ut", "dual_nested_ut")
    # N = H = 1: no pass is cut, whatever the window, but only `all` trains y_init and z_init
    shallow = [rung | {"outer": 1} for rung in (NESTED_UT, AR_TRM, CURED)]
    whole = [cure | {"window": window} for cure in (AR_TRM, CURED) for window in ("cycle", "step", "all")]
    by_budget = {3: [*(rung for rung in flat if rung["rung"] not in ("dual_ut", "dual_nested_ut")),
                     {"rung": "dual_ut", "budget": 4}, *shallow],
                 6: [*flat, *(rung for rung in whole if rung["window"] != "step")],  # N = 1, where step is nearly all
                 12: [*flat, *whole, *more],
                 24: [*flat, *whole, *more]}
    return [{"budget": budget} | model for budget, models in by_budget.items() for model in models]


def depth_small(seed):
    """Addition of three digits `at_depths`, two forms of deep supervision among the models; what each has learned is
    tried with half of the passes it was trained with, with twice as many, and so on."""
    deep = [CURED | {"supervision": "steps"}, CURED | {"supervision": "steps", "halting_head": "trained"}]
    setting = PROFILES["cpu"]["addition"]
    return evaluated_at(listed(at_depths(*deep), setting.schedule,
                                  **setting.fields | {"task": "addition", "seed": seed}),
                           (3, 4, 6, 12, 24, 48))


def depth_learned(seed):
    """Copy and reverse of ten digits `at_depths`, until they are learned, as in the cross."""
    return [job for task in ("copy", "reverse")
            for job in listed(at_depths(), EVERY_25, **UNTIL_LEARNED | {"task": task, "seed": seed})]

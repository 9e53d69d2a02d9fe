"""Addition of three digits under a usual recipe instead of the published bare one, its settings chosen for each model.

First the norm and scale of each model, at two learning rates, then its learning rate at each depth, both by what is
right on unseen problems in the end, in the mean over the seeds of VALIDATION. Every model gets equally many tries,
but for a lower rate where the lowest did best. `tuned` then has every model with what was chosen, to be run with other
seeds. `between` does the same with 12 passes for what lies between two of these models; its forms are not chosen,
and a cut gradient is given the lower rate.
"""

from ..ladder import LADDER
from ..profiles import PROFILES
from ..runs import Schedule
from .lists import ALL, AR_TRM, CURE, CURED, POST, PUBLISHED_RUNGS, UNIT, evaluated_at, listed
from .small import LEARNED

# seeds, and so problems and fresh weights, on which settings are chosen; no result is taken from them
VALIDATION = (1000, 1001)
RECIPE = {"warmup": 40, "decay": "cosine", "clip": 1.0}  # of 800 training steps
FORMS = [{}, POST, UNIT, CURE]
RATES = (1e-3, 3e-3, 1e-2)
LOWEST = 3e-4  # tried where the lowest of RATES did best
# named as `tarm.gain.wiring` names them
MODELS = {LADDER[key].short: {"rung": key} for key in PUBLISHED_RUNGS} | {"AR-TRM, window all": AR_TRM | ALL}
ONE_CYCLE = {"budget": 3, "outer": 1}  # N = H = 1, in which nothing is cut
FEWEST = {"dual_ut": {"budget": 4}, "dual_nested_ut": ONE_CYCLE, "ar_trm": ONE_CYCLE}


def listed_small(variants, seed, recipe=RECIPE):
    setting = PROFILES["cpu"]["addition"]
    return listed(variants, setting.schedule, **setting.fields | recipe | {"task": "addition", "seed": seed})


# What was chosen, by `tarm.gain.best` of the committed records (tests/test_tuning.py): the published form, or the last
# of FORMS; the rate at each number of passes; and the number of passes at which that did best.
FORM = dict.fromkeys(MODELS, {}) | dict.fromkeys(("Dual Nested UT", "AR-TRM"), FORMS[-1])
RATE = {model: dict.fromkeys((3, 4, 6, 12, 24), 1e-3 if FORM[model] else 3e-3) for model in MODELS}
RATE["Iterative"][24] = RATE["Iterative Step"][24] = 1e-3
DEPTH = {"Dense": 6, "Iterative": 3, "Iterative Step": 3, "UT": 6, "Dual UT": 24, "Dual Nested UT": 6, "AR-TRM": 6,
         "AR-TRM, window all": 12}


def tune_form(seed):
    """Which norm and scale suit each model: 12 passes, the lower two of RATES."""
    return listed_small([model | form | {"budget": 12, "learning_rate": rate}
                         for model in MODELS.values() for form in FORMS for rate in RATES[:2]], seed)


def depths(fields):
    """The fields that give a model its numbers of passes, one dict each."""
    fewest = {"budget": 4} if fields.get("inner") == 1 else FEWEST.get(fields["rung"], {"budget": 3})
    return [fewest, *({"budget": n} for n in (6, 12, 24))]


def tune_rate(seed):
    """Which learning rate suits each model with its norm and scale, at each depth."""
    return listed_small([MODELS[model] | FORM[model] | depth | {"learning_rate": rate}
                         for model in MODELS for depth in depths(MODELS[model]) for rate in RATES], seed)


def tune_low(seed):
    """A rate of 0.0003 where the lowest of RATES did best."""
    return listed_small([MODELS[model] | FORM[model] | depth | {"learning_rate": LOWEST}
                         for model in MODELS for depth in depths(MODELS[model])
                         if RATE[model][depth["budget"]] <= RATES[0]], seed)


def tuned(seed):
    """Each model at each depth with what was chosen for it."""
    return listed_small([MODELS[model] | FORM[model] | depth | {"learning_rate": RATE[model][depth["budget"]]}
                         for model in MODELS for depth in depths(MODELS[model])], seed)


def bare_rate(seed):
    """The lower two rates without warm-up, decay and clipping, for the models whose form is the published one, with
    their fewest passes and with 12: what of a gain is the rate's, and what the rest of the recipe's."""
    return listed_small([MODELS[model] | depth | {"learning_rate": rate} for model in MODELS if not FORM[model]
                         for depth in depths(MODELS[model])[:3:2] for rate in RATES[:2]], seed, recipe={})


# Between Dual UT and rung 7 with its whole gradient, one change at a time, in the published form; and what rung 7 with
# a cut gradient might still want, in the cured one or with the other norm. By `tarm.gain.label`.
BETWEEN = {
    "Dual Nested UT, window all": {"rung": "dual_nested_ut"} | ALL,
    "AR-TRM, H = 1, L = 1, window all": AR_TRM | ALL | {"outer": 1, "inner": 1},
    # this one and the next were added when most of the others had run
    "AR-TRM, H = 1, L = 2, window all": AR_TRM | ALL | {"outer": 1},
    "AR-TRM, H = 2, L = 1, window all": AR_TRM | ALL | {"inner": 1},
    "Dual UT, mean of all steps": {"rung": "dual_ut", "readout": "mean"},
    "AR-TRM, window all, mean of all steps": AR_TRM | ALL | {"readout": "mean"},
    "AR-TRM, window all, deep supervision": AR_TRM | ALL | {"supervision": "steps"},
    "cured AR-TRM, deep supervision": CURED | {"supervision": "steps"},
    "cured AR-TRM, an update behind each step": CURED | {"supervision": "steps-optimised"},
    "cured AR-TRM, window step": CURED | {"window": "step"},
    "re-entry AR-TRM": AR_TRM | {"norm": "reentry"} | UNIT,
}


def tune_between(seed):
    """Which learning rate suits each model of BETWEEN with 12 passes: RATES, and where the window is cut LOWEST too."""
    return listed_small([model | {"budget": 12, "learning_rate": rate} for model in BETWEEN.values()
                         for rate in ((LOWEST, *RATES) if "norm" in model else RATES)], seed)


# Chosen as RATE was (tests/test_tuning.py)
BETWEEN_RATE = {model: 1e-3 if fields.get("norm") == "post" else 3e-3 for model, fields in BETWEEN.items()}


def between(seed):
    """The models of BETWEEN with 12 passes, each with its rate."""
    return listed_small([BETWEEN[model] | {"budget": 12, "learning_rate": BETWEEN_RATE[model]}
                         for model in BETWEEN], seed)


CONFIRMED = range(5, 10)  # seeds with which what five seeds of `between` suggested is tried again
SETTLED = range(10, 20)   # and ten more, for the one lead that was left then


def with_12_passes(models, seed):
    """Jobs of some of MODELS and BETWEEN, each as it is in `tuned` or `between`."""
    chosen = {model: MODELS[model] | FORM[model] | {"learning_rate": RATE[model][12]} for model in MODELS}
    chosen |= {model: BETWEEN[model] | {"learning_rate": BETWEEN_RATE[model]} for model in BETWEEN}
    return listed_small([chosen[model] | {"budget": 12} for model in models], seed)


def confirm(seed):
    """Dual UT and rung 7 with its whole gradient, and what lies between: of `between` and `tuned` seven models."""
    return with_12_passes(("Dual UT", "AR-TRM, window all", "Dual Nested UT, window all",
                           "AR-TRM, H = 1, L = 1, window all", "AR-TRM, H = 2, L = 1, window all",
                           "Dual UT, mean of all steps", "AR-TRM, window all, mean of all steps"), seed)


def settle(seed):
    """Rung 7 with its whole gradient, with one update of z and with two, and Dual UT: three models of `confirm`."""
    return with_12_passes(("AR-TRM, H = 2, L = 1, window all", "AR-TRM, window all", "Dual UT"), seed)


# Pointer chasing, a task that takes several lookups one after the other. The recipe is that of addition; each model's
# rate was chosen by one run of 12 passes for each of RATES and, where an end of them did best, beyond it until one did
# worse (BEYOND). It is the same at every depth, which favours 12 passes.
POINTERS = {model: MODELS[model] for model in ("Dense", "Iterative", "Iterative Step", "UT", "Dual UT")}
POINTERS |= {model: BETWEEN[model] for model in ("AR-TRM, H = 1, L = 1, window all", "Dual Nested UT, window all")}
POINTERS |= {"AR-TRM, window all": AR_TRM | ALL, "cured AR-TRM": CURED, "cured AR-TRM, window all": CURED | ALL}
POINTERS_CHOSEN = (1000,)  # the seed on which the rates are chosen; no result is taken from it
POINTED = range(1, 6)      # the seeds on which the models are judged
POINTED_ON = range(6, 11)  # and those of `pointers_on` and `pointers_drafts`
POINTERS_RATE = dict.fromkeys(POINTERS, 1e-3) | {
    "Dense": LOWEST, "Iterative Step": LOWEST, "Dual UT": 1e-2, "AR-TRM, H = 1, L = 1, window all": 1e-2,
    "cured AR-TRM, window all": 3e-3}

BEYOND = {"Dense": (LOWEST, 1e-4), "Iterative": (LOWEST,), "Iterative Step": (LOWEST, 1e-4), "UT": (LOWEST,),
          "Dual UT": (3e-2,), "AR-TRM, H = 1, L = 1, window all": (3e-2,),
          "Dual Nested UT, window all": (LOWEST,), "AR-TRM, window all": (LOWEST,), "cured AR-TRM": (LOWEST,)}


def listed_pointers(variants, seed):
    given = PROFILES["cpu"]["copy"].fields | RECIPE | {"task": "pointers", "training_steps": 3000,
                                                       "stop_at": LEARNED, "seed": seed}
    return listed(variants, Schedule(50, (10,)), **given)


def tune_pointers(seed):
    """Which learning rate suits each model on pointers, with 12 passes."""
    return listed_pointers([fields | {"budget": 12, "learning_rate": rate} for rate in RATES
                            for fields in POINTERS.values()], seed)


def tune_pointers_beyond(seed):
    """The rates beyond RATES, on the side where an end of them did best."""
    return listed_pointers([POINTERS[model] | {"budget": 12, "learning_rate": rate}
                            for model, rates in BEYOND.items() for rate in rates], seed)


def pointers(seed):
    """Every flat model, and rung 7 in several forms, at each depth; 3000 steps at most, until 99 % are right. And each
    run with other numbers of passes than it was trained with."""
    return evaluated_at(listed_pointers([
        fields | depth | {"learning_rate": POINTERS_RATE[model]} for model, fields in POINTERS.items()
        for depth in depths(fields)
        # that one would be cured AR-TRM, but for its rate and its first states
        if (model, depth) != ("cured AR-TRM, window all", ONE_CYCLE)
    ], seed), (2, 4, 6, 8, 12, 18, 24))


ON = Schedule(250, (10,), problems=500)
# trained to the last step
WHOLE_ON = POINTERS["AR-TRM, window all"] | {"learning_rate": POINTERS_RATE["AR-TRM, window all"], "stop_at": 0.0}


def pointers_on(seed):
    """Rung 7 with its whole gradient, with 3 and with 12 passes, for all of the 3000 steps: where `pointers` ends its
    runs, three passes are nearly as good, and what 12 may gain beyond that cannot be seen. Five times as many problems
    tell smaller differences."""
    found = listed_pointers([WHOLE_ON | depth for depth in (ONE_CYCLE, {"budget": 12})], seed)
    return evaluated_at([job._replace(schedule=ON) for job in found], (3, 6, 12, 24))


def pointers_drafts(seed):
    """The same model with six passes, in one step: in two cycles, so that y is written and then improved, or in one,
    in which z is updated five times and y written once."""
    found = listed_pointers([WHOLE_ON | {"budget": 6, "outer": cycles, "inner": 6 // cycles - 1}
                             for cycles in (2, 1)], seed)
    return [job._replace(schedule=Schedule(100, (10,), problems=200)) for job in found]


# flat models that had more right with 12 passes than with three, at a rate chosen with 12
DEEPER = ("Iterative Step", "Dense")


def tune_pointers_shallow(seed):
    """Which learning rate suits DEEPER on pointers with three passes: the lower two of RATES, and LOWEST."""
    return listed_pointers([POINTERS[model] | {"budget": 3, "learning_rate": rate}
                            for model in DEEPER for rate in (LOWEST, *RATES[:2])], seed)


SHALLOW_RATE = {"Iterative Step": 1e-3, "Dense": 1e-3}  # chosen as POINTERS_RATE was


def pointers_flat(seed):
    """DEEPER with three passes and with 12, each at its own rate, for all 3000 steps, as rung 7 in `pointers_on`."""
    found = listed_pointers([POINTERS[model] | {"budget": budget, "learning_rate": rate, "stop_at": 0.0}
                             for model in DEEPER
                             for budget, rate in ((3, SHALLOW_RATE[model]), (12, POINTERS_RATE[model]))], seed)
    return [job._replace(schedule=ON) for job in found]


FOUR = {"budget": 4, "outer": 1, "inner": 3}  # as many passes as lookups, in one cycle: y is written once


def tune_pointers_few(seed):
    """Which of RATES and LOWEST suits rung 7 with its whole gradient on pointers, with three passes and with four."""
    return listed_pointers([POINTERS["AR-TRM, window all"] | depth | {"learning_rate": rate}
                            for rate in (LOWEST, *RATES) for depth in (ONE_CYCLE, FOUR)], seed)


def pointers_few(seed):
    """The model of `pointers_on` with four passes; with these, and with three, the rate chosen with 12 did best too."""
    return [job._replace(schedule=ON) for job in listed_pointers([WHOLE_ON | FOUR], seed)]

"""Addition of three digits under a usual recipe instead of the published bare one, its settings chosen for each model.

First the norm and scale of each model, then its learning rate at each depth, both by what is right on unseen problems
in the end, summed over the seeds of VALIDATION; then runs of other seeds with what was chosen. Every model gets equally many tries.
"""

from ..profiles import PROFILES
from .lists import ALL, SIX, TRM, listed, rungs

VALIDATION = (1000, 1001)  # seeds, and so problems and fresh weights, on which settings are chosen; no result is taken from them
RECIPE = {"warmup": 40, "decay": "cosine", "clip": 1.0}  # of 800 training steps
FORMS = [{}, {"norm": "post"}, {"scale": "unit"}, {"norm": "post", "scale": "unit"}]
RATES = (3e-4, 1e-3, 3e-3)
MODELS = [*rungs("dense", "iterative", "iterative_step", "universal", "dual_ut"), SIX, TRM, TRM | ALL]


def listed_small(variants, seed):
    setting = PROFILES["cpu"]["addition"]
    return listed(variants, setting.schedule, **setting.fields | RECIPE | {"task": "addition", "seed": seed})


def tune_form(profile, seed):
    """Which norm and scale suit each model: 12 passes, the middle learning rate."""
    return listed_small([model | form | {"budget": 12} for model in MODELS for form in FORMS], seed)

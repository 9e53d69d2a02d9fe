"""A compute budget is a number of block passes; here it becomes steps, and steps become passes."""

from .ladder import LADDER

PUBLISHED_BUDGET = 24


def passes_per_step(rung, outer, inner):
    """Block passes that one step of the rung takes (arXiv 2603.08082)."""
    return LADDER[rung].model.passes_per_step(outer, inner)


def steps_for(rung, budget, outer=2, inner=2):
    """The number of steps N that spends `budget` block passes exactly.

    Raises ValueError, naming the nearest budgets, where the rung cannot spend it exactly.
    """
    per_step = passes_per_step(rung, outer, inner)
    if budget >= 1 and budget % per_step == 0:
        return budget // per_step
    below = budget // per_step * per_step
    nearest = [b for b in (below, below + per_step) if b > 0] or [per_step]
    raise ValueError(f"{rung} cannot spend a budget of {budget} exactly: a step takes {per_step} block passes; "
                     f"the nearest {'budgets are' if nearest[1:] else 'budget is'} {' or '.join(map(str, nearest))}")


def flop_per_pass(width, length):
    """FLOP of one forward block pass per position, in a sequence of `length` positions.

    24 C^2 + 4 T C: the projections and the MLP, then the two products of attention, a
    multiplication and an addition counted as two.
    """
    return 24 * width**2 + 4 * length * width

"""What was expected of the studies of `tarm.gain`, and which comparisons come first: each list was written down before
its runs (the history of gain.py, where these lists stood before, shows when)."""

from math import isnan
from sys import float_info
from typing import Callable, NamedTuple

import pandas as pd

from .gain import CURED, FEW, FLAT, FORM_NAMES, NESTED, ONE_UPDATE, THRESHOLD, UNNESTED, WHOLE


class NotRun(LookupError):
    """A prediction is about cells that nobody has run."""


def there(rows):
    """The rows; raises NotRun where there are none."""
    if not len(rows):
        raise NotRun
    return rows


class Tables(NamedTuple):
    """What the predictions are about: `at_the_end` and `ranking` of one study, and its `at_other_depths`. Each method
    raises NotRun where its cells have not been run."""

    ends: pd.DataFrame
    ranking: pd.DataFrame
    depths: pd.DataFrame

    def mean(self, model, passes):
        here = self.ends[(self.ends["model"] == model) & self.ends["passes"].isin(passes)]
        return there(here)["accuracy"].mean()

    def cheapest(self, axis):
        return there(self.ranking[(self.ranking["axis"] == axis) & (self.ranking["place"] == 1)]).iloc[0]

    def spent(self, model, passes, axis="training steps"):
        here = self.ranking[(self.ranking["axis"] == axis) & (self.ranking["model"] == model)
                            & (self.ranking["passes"] == passes)]
        return there(here)["spent"].item()

    def more_steps(self, one, other):
        """How many more training steps the cell `one`, (model, passes), needed than `other`; inf where only `other` got
        there, -inf where only `one` did. Raises NotRun where neither did."""
        difference = self.spent(*one) - self.spent(*other)
        if isnan(difference):
            raise NotRun
        return difference

    def leads(self, axis, cells):
        """Did one of these cells (a mask of the ranking) get to the threshold, and none more cheaply? A tie will do."""
        here = self.ranking["axis"] == axis
        return there(self.ranking[here & cells])["spent"].min() <= min(self.ranking[here]["spent"].min(),
                                                                       float_info.max)

    def everyone(self, passes, model=""):
        """Did every run of these cells get to the threshold?"""
        here = self.ranking[self.ranking["passes"].isin(passes) & self.ranking["model"].str.startswith(model)]
        return (there(here)["reached"] == here["runs"]).all()

    def changed(self, model, trained, passes):
        """What running other passes than it was trained with adds to a model's mean accuracy."""
        here = self.depths[(self.depths["model"] == model) & (self.depths["trained"] == trained)]
        mean = here.groupby("passes")["accuracy"].mean()
        if not {passes, trained} <= set(mean.index):
            raise NotRun
        return mean[passes] - mean[trained]


class Prediction(NamedTuple):
    """What a study will show."""

    text: str
    holds: Callable


# Of `tarm.studies.small.depth_small`, from the recurrence of the streams and from single runs at other sizes.
PREDICTIONS = (
    Prediction("on training FLOP the cheapest cell has 3 or 4 passes",
               lambda t: t.cheapest("training FLOP")["passes"] in FEW),
    Prediction("on training steps the cheapest cell has 6 passes or fewer",
               lambda t: t.cheapest("training steps")["passes"] <= 6),
    Prediction("the cell that ends highest has 12 passes or fewer",
               lambda t: there(t.ends).groupby(["model", "passes"])["accuracy"].mean().idxmax()[1] <= 12),
    Prediction("the published AR-TRM of 24 passes ends below 30 %", lambda t: t.mean("AR-TRM", [24]) < 0.3),
    Prediction("under the published window the cured AR-TRM ends no higher with 24 passes than with 3",
               lambda t: t.mean(CURED, [24]) <= t.mean(CURED, FEW)),
    Prediction("with 24 passes it ends higher with the whole gradient than under the published window",
               lambda t: t.mean(f"{CURED}, window all", [24]) > t.mean(CURED, [24])),
    Prediction("trained with 12 passes and run with 24, it keeps its accuracy within 5 points: "
               "it is near its fixed point", lambda t: abs(t.changed(CURED, 12, 24)) <= 0.05),
    Prediction("trained with 12 and run with 6, it loses at most 10 points", lambda t: t.changed(CURED, 12, 6) >= -0.1),
)

# Of cells, (model, passes). Named once seeds 0 and 1 had been seen, and of seed 2 eight runs of 24 passes; before any
# run of seeds 3 to 7, on which alone they are judged.
DEPTH_CONTRASTS = ((("Iterative Step", 3), ("Iterative Step", 12)),
                   (("Iterative", 3), ("Iterative", 12)),
                   (("Dense", 3), ("Dense", 24)),
                   (("Dense", 3), (f"{CURED}, window all", 6)),
                   ((f"{CURED}, window all", 12), ("Dual UT", 12)),
                   ((CURED, 24), ("AR-TRM", 24)))


# The same of what `tarm.studies.tuning` will choose: a usual recipe, tuned for each model; written before any run.
DEEP = (6, 12, 24)
TUNED_PREDICTIONS = (
    Prediction("Dense with 3 blocks ends at 95 % or more", lambda t: t.mean("Dense", [3]) >= 0.95),
    Prediction("the Iterative Transformer of 24 passes ends at 58 % or more, ten points above the bare recipe's",
               lambda t: t.mean("Iterative", [24]) >= 0.58),
    Prediction("the AR-TRM of 24 passes with its whole gradient ends at 75 % or more",
               lambda t: t.mean(WHOLE, [24]) >= THRESHOLD),
    Prediction("and higher than under the published window", lambda t: t.mean(WHOLE, [24]) > t.mean("AR-TRM", [24])),
    Prediction("no model ends more than 5 points higher with 24 passes than with 6",
               lambda t: all(t.mean(model, [24]) <= t.mean(model, [6]) + 0.05
                             for model in set(there(t.ends)["model"]))),
    Prediction("with 6, 12 and 24 passes the AR-TRM with its whole gradient is nowhere more than 5 points "
               "above the best flat model",
               lambda t: all(t.mean(WHOLE, [n])
                             <= max(t.mean(flat, [n]) for flat in ("Iterative", "Iterative Step", "UT")) + 0.05
                             for n in DEEP)),
    Prediction("on training FLOP the cheapest cell has 3 or 4 passes",
               lambda t: t.cheapest("training FLOP")["passes"] in FEW),
)

# Compared first, each model with the number of passes chosen for it; named before the runs.
TUNED_CONTRASTS = ((WHOLE, "UT"), (WHOLE, "Dense"), ("Dual UT", "UT"), ("UT", "Dense"))

# And of what lies between Dual UT and rung 7 with its whole gradient, all with 12 passes; written before any run of it.
BETWEEN_CONTRASTS = ((NESTED, "Dual UT"), (UNNESTED, "Dual UT"), (WHOLE, NESTED),
                     (f"{WHOLE}, mean of all steps", WHOLE), (f"{WHOLE}, deep supervision", WHOLE),
                     (f"{CURED}, deep supervision", CURED))
# Named once seeds 0 to 4 were seen, before the runs of `confirm` (seeds 5 to 9), on which alone they are judged.
CONFIRMED_CONTRASTS = ((UNNESTED, WHOLE), (ONE_UPDATE, WHOLE), (NESTED, WHOLE), (f"{WHOLE}, mean of all steps", WHOLE),
                       ("Dual UT, mean of all steps", "Dual UT"))
# Named when all ten had been seen, and before the runs of `settle`, on which alone they are judged.
SETTLED_CONTRASTS = ((ONE_UPDATE, WHOLE), (ONE_UPDATE, "Dual UT"))
BETWEEN_PREDICTIONS = (
    Prediction("nesting costs Dual UT 10 points at most, where ACT still reads every step",
               lambda t: t.mean(NESTED, [12]) >= t.mean("Dual UT", [12]) - 0.1),
    Prediction("reading the last y in place of all, by ACT, costs Dual UT 10 points or more",
               lambda t: t.mean(UNNESTED, [12]) <= t.mean("Dual UT", [12]) - 0.1),
    Prediction("and the nested model 10 or more", lambda t: t.mean(WHOLE, [12]) <= t.mean(NESTED, [12]) - 0.1),
    Prediction("the mean of all steps, read, does as well for Dual UT as ACT, within 10 points",
               lambda t: abs(t.mean("Dual UT, mean of all steps", [12]) - t.mean("Dual UT", [12])) <= 0.1),
    Prediction("it gives rung 7 with its whole gradient 5 points or more",
               lambda t: t.mean(f"{WHOLE}, mean of all steps", [12]) >= t.mean(WHOLE, [12]) + 0.05),
    Prediction("so does a loss at every step",
               lambda t: t.mean(f"{WHOLE}, deep supervision", [12]) >= t.mean(WHOLE, [12]) + 0.05),
    Prediction("no form of rung 7 whose gradient is cut ends above 60 %",
               lambda t: all(t.mean(model, [12]) <= 0.6
                             for model in set(there(t.ends)["model"])
                             if model.startswith(tuple(FORM_NAMES.values())) and "AR-TRM" in model)),
    Prediction("no form of rung 7 ends above UT",
               lambda t: all(t.mean(model, [12]) <= t.mean("UT", [12])
                             for model in set(there(t.ends)["model"]) if "AR-TRM" in model)),
)

# And of `depth_learned`, for each of its two tasks; written before its runs, but knowing chapter 9's three seeds with
# 24 passes, the cross, two controls of 3 and 6 passes, and what addition showed. Cells are ranked by what their runs
# spent until they had learned.
LEARNED_PREDICTIONS = (
    Prediction("with 3 passes (Dual UT: 4) every run learns", lambda t: t.everyone(FEW)),
    Prediction("of the truncated rungs with more than 3 passes, as published, no run learns",
               lambda t: not there(t.ranking[t.ranking["model"].isin(["AR-TRM", "Dual Nested UT"])
                                             & (t.ranking["passes"] > 3)])["reached"].any()),
    Prediction("every run of cured rung 7 learns, whatever its window and its number of passes",
               lambda t: t.everyone((3, 6, 12, 24), "cured AR-TRM")),
    Prediction("the window of all passes makes every run of rung 7 learn as well",
               lambda t: t.everyone((6, 12, 24), WHOLE)),
    Prediction("on training FLOP the cheapest cell has 3 or 4 passes",
               lambda t: t.leads("training FLOP", t.ranking["passes"].isin(FEW))),
    Prediction("on training steps it is one of UT or Dual UT",
               lambda t: t.leads("training steps", t.ranking["model"].isin(["UT", "Dual UT"]))),
    Prediction("no model that reads its last pass needs fewer training steps with 24 passes than with its fewest",
               lambda t: all(t.spent(model, 24) >= t.spent(model.split(", ")[0], 3)  # with 3 passes no window cuts any
                             for model in ("Dense", "Iterative", "Iterative Step", "AR-TRM",
                                           WHOLE, CURED, f"{CURED}, window all"))),
    Prediction("a run of Dense with 24 passes does not learn", lambda t: not t.everyone((24,), "Dense")),
)

# And of `pointers`, a task that needs several lookups one after the other. Written before its runs, and before the
# learning rates were chosen (at 12 passes, for every depth); but after others at the same size and at addition's rates,
# whose records are not kept: one each, with 1500 steps and the quarters the other way round, of Dense with 6 passes,
# UT with 6, Dual UT with 12 and rung 7 with its whole gradient with 12 (they ended at 75, 51, 77 and 91 %).
# The study had 1500 steps at first; eight models were run like that with 12 passes and seed 0, and all but UT (57 %)
# ended at 74 to 81 %. So it got 3000, after two runs of that length with seed 1000: Dense ended at 79, rung 7 at 95 %.
# So neither seed counts: `tarm.studies.tuning.POINTED` has those on which all this is judged.
POINTERS_CONTRASTS = tuple((WHOLE, other)  # with 12 passes each
                           for other in ("Dense", "Iterative Step", "UT", "Dual UT", UNNESTED, CURED))
POINTERS_PREDICTIONS = (
    Prediction("with 12 passes rung 7 with its whole gradient ends above each of rungs 1 to 5",
               lambda t: all(t.mean(WHOLE, [12]) > t.mean(flat, [12]) for flat in FLAT)),
    Prediction("ten points or more above Dual UT", lambda t: t.mean(WHOLE, [12]) >= t.mean("Dual UT", [12]) + 0.1),
    Prediction("and with 12 passes ten points or more above itself with 3",
               lambda t: t.mean(WHOLE, [12]) >= t.mean(WHOLE, [3]) + 0.1),
    Prediction("with 24 passes it ends no lower than with 12", lambda t: t.mean(WHOLE, [24]) >= t.mean(WHOLE, [12])),
    Prediction("Dense of 12 blocks ends five points or more above Dense of 3",
               lambda t: t.mean("Dense", [12]) >= t.mean("Dense", [3]) + 0.05),
    Prediction("UT gains less than five points from 12 passes in place of 3: it stops",
               lambda t: t.mean("UT", [12]) < t.mean("UT", [3]) + 0.05),
    Prediction("without nesting rung 7 of 12 passes is no more than ten points behind the nested one",
               lambda t: t.mean(UNNESTED, [12]) >= t.mean(WHOLE, [12]) - 0.1),
    Prediction("so is Dual Nested UT, which ACT reads", lambda t: t.mean(NESTED, [12]) >= t.mean(WHOLE, [12]) - 0.1),
    Prediction("the cured model with its gradient cut ends ten points or more below the whole one",
               lambda t: t.mean(CURED, [12]) <= t.mean(WHOLE, [12]) - 0.1),
)

# When five seeds of `pointers` had been seen, in which a run ends at 99 %: of the first answer characters, which follow
# four pointers, rung 7 had then 95 % with three passes and 98 with 12. Named before any run of `pointers_on`,
# and judged on `POINTED_ON`.
ON_CONTRAST = ((WHOLE, 12), (WHOLE, 3))
ON_PREDICTIONS = (
    Prediction("trained on, 12 passes end at 99.5 % or more", lambda t: t.mean(WHOLE, [12]) >= 0.995),
    Prediction("three passes at less", lambda t: t.mean(WHOLE, [3]) < 0.995),
    Prediction("12 are ahead by two points at most", lambda t: t.mean(WHOLE, [12]) <= t.mean(WHOLE, [3]) + 0.02),
    Prediction("the second of the two steps adds less than half a point",
               lambda t: abs(t.changed(WHOLE, 12, 6)) < 0.005),
)

# When 12 passes had been seen to end at 100 % with four seeds of `pointers_on`, also when run with one of their two
# steps, and three at 97.8 and 99.1 with two: is it that a draft of y is improved, or that there are more than three
# passes? Named before any run of `pointers_drafts`, and judged on the same seeds; both models have six passes.
ONE_DRAFT = "AR-TRM, H = 1, L = 5, window all"
DRAFTS_CONTRAST = ((WHOLE, 6), (ONE_DRAFT, 6))
DRAFTS_PREDICTIONS = (
    Prediction("with six passes in two cycles rung 7 ends at 99.5 % or more", lambda t: t.mean(WHOLE, [6]) >= 0.995),
    Prediction("in one cycle too", lambda t: t.mean(ONE_DRAFT, [6]) >= 0.995),
    Prediction("two cycles need no fewer training steps until 99 %, in the median",
               lambda t: t.more_steps((WHOLE, 6), (ONE_DRAFT, 6)) >= 0),
)

# Iterative Step and Dense had more right with 12 passes than with three, with each seed of `pointers`, but that was
# found by looking, and at a rate chosen with 12. Named before any run of `pointers_flat` and of the choice of a rate
# for three passes; judged on the seeds on which rung 7 had been trained on (`POINTED_ON`), when its runs had been seen.
FLAT_ON_CONTRASTS = ((("Iterative Step", 12), ("Iterative Step", 3)), (("Dense", 12), ("Dense", 3)),
                     ((WHOLE, 12), ("Iterative Step", 12)), ((WHOLE, 3), ("Iterative Step", 12)))
FLAT_ON_PREDICTIONS = (
    Prediction("Iterative Step of 12 passes ends at 97 % or more", lambda t: t.mean("Iterative Step", [12]) >= 0.97),
    Prediction("five points or more above itself with three",
               lambda t: t.mean("Iterative Step", [12]) >= t.mean("Iterative Step", [3]) + 0.05),
    Prediction("and no higher than rung 7 with three", lambda t: t.mean("Iterative Step", [12]) <= t.mean(WHOLE, [3])),
    Prediction("Dense of 12 blocks ends above Dense of three", lambda t: t.mean("Dense", [12]) > t.mean("Dense", [3])),
    Prediction("and by less than ten points", lambda t: t.mean("Dense", [12]) < t.mean("Dense", [3]) + 0.1),
)

# Rung 7 of three passes had been trained on at the rate chosen with 12, and by the count of lookups in chapter 17 four
# passes can follow every walk, three 91 % of those of four pointers. Named before any run of `pointers_few` and of the
# choice of its rates, when all of the above had been seen; judged on the same seeds.
FOUR = "AR-TRM, H = 1, L = 3, window all"
FEW_CONTRASTS = (((WHOLE, 12), (WHOLE, 3)), ((FOUR, 4), (WHOLE, 3)))
FEW_PREDICTIONS = (
    Prediction("at a rate of their own three passes end below 99.5 %", lambda t: t.mean(WHOLE, [3]) < 0.995),
    Prediction("12 passes are ahead of them by half a point or more",
               lambda t: t.mean(WHOLE, [12]) >= t.mean(WHOLE, [3]) + 0.005),
    Prediction("four passes end at 99.5 % or more", lambda t: t.mean(FOUR, [4]) >= 0.995),
    Prediction("four passes need more training steps until 99 % than 12, in the median",
               lambda t: t.more_steps((FOUR, 4), (WHOLE, 12)) > 0),
)


def against_predictions(tables, predictions=PREDICTIONS):
    """The predictions beside what came out: prediction, held; None where that cannot be said, of cells that have not
    been run and of two that never got to the threshold."""
    def held(prediction):
        try:
            return bool(prediction.holds(tables))
        except NotRun:
            return None

    return pd.DataFrame([(each.text, held(each)) for each in predictions], columns=["prediction", "held"])

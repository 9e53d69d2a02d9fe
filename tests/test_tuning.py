"""What was tuned is what the committed records of the validation seeds say."""

import pandas as pd
import pytest

from tarm import gain, gain_predictions
from tarm.studies import LEARNED, hashes, jobs, tuning


def ends(records, study):
    """The last evaluations of a study's runs, one a run, by model and setting."""
    runs = hashes("cpu", study, tuning.VALIDATION)
    found = gain.at_the_end(gain.trajectories(records, runs, name=gain.wiring))
    assert len(found) == len(runs)
    return found


def test_norm_and_scale_are_those_that_ended_highest(committed):
    """At the better of their rates."""
    best = gain.best(ends(committed, "tune_form"),
                     ["norm", "scale", "learning rate"]).set_index("model")[["norm", "scale"]]
    published = {"norm": "pre", "scale": "published"}
    assert best.to_dict("index") == {model: published | form for model, form in tuning.FORM.items()}


def test_rates_and_depths_are_those_that_ended_highest(committed):
    """Of three rates, and of the lower one besides where the lowest of them did best."""
    found = pd.concat([ends(committed, "tune_rate"), ends(committed, "tune_low")])
    best = gain.best(found, ["learning rate"])
    assert {(row.model, row.passes): getattr(row, "_3") for row in best.itertuples()} == {
        (model, depth["budget"]): tuning.RATE[model][depth["budget"]]
        for model in tuning.MODELS
        for depth in tuning.depths(tuning.MODELS[model])
    }
    at_best = found.merge(best).groupby(["model", "passes"])["accuracy"].mean().unstack()
    assert at_best.idxmax(axis=1).to_dict() == tuning.DEPTH


@pytest.mark.parametrize("study, contrasts", [
    ("confirm", gain_predictions.CONFIRMED_CONTRASTS), ("settle", gain_predictions.SETTLED_CONTRASTS)])
def test_what_is_run_again_are_the_models_of_the_contrasts(study, contrasts):
    """As they were run before: the same fields but for the seed."""
    again = jobs("cpu", study, (5,))
    assert {gain.label(job.run) for job in again} == {model for pair in contrasts for model in pair}
    assert {job.run.hash for job in again} <= hashes("cpu", "tuned", (5,)) | hashes("cpu", "between", (5,))


def test_rates_of_what_lies_between_are_those_that_ended_highest(committed):
    runs = hashes("cpu", "tune_between", tuning.VALIDATION)
    found = gain.at_the_end(gain.trajectories(committed, runs))
    best = gain.best(found, ["learning rate"])
    assert len(found) == len(runs) and dict(zip(best["model"], best["learning rate"])) == tuning.BETWEEN_RATE


def soonest(ends):
    """`ends`, ordered by what is right; of runs that ended at 99 % by how soon."""
    return ends.assign(accuracy=ends["accuracy"].clip(upper=LEARNED) - 1e-7 * ends["step"])


def test_rates_on_pointers_are_those_that_ended_highest(committed):
    """A run ends when 99 % are right; of several that do the soonest counts as the best. On either side of it a rate
    that was tried did worse."""
    runs = {job.run.hash for study in ("tune_pointers", "tune_pointers_beyond")
            for job in jobs("cpu", study, tuning.POINTERS_CHOSEN)}
    found = gain.at_the_end(gain.trajectories(committed, runs))
    best = gain.best(soonest(found), ["learning rate"])
    assert len(found) == len(runs) and dict(zip(best["model"], best["learning rate"])) == tuning.POINTERS_RATE
    for model, rates in found.groupby("model")["learning rate"]:
        assert rates.min() < tuning.POINTERS_RATE[model] < rates.max()


def test_rates_on_pointers_with_three_passes_are_those_that_ended_highest(committed):
    """Dense has as many right at 0.003, an end of what was tried."""
    runs = hashes("cpu", "tune_pointers_shallow", tuning.POINTERS_CHOSEN)
    found = gain.at_the_end(gain.trajectories(committed, runs))
    highest = found[found["accuracy"] == found.groupby("model")["accuracy"].transform("max")]
    assert len(found) == len(runs) == 2 * 3 and found["accuracy"].max() < LEARNED
    assert highest.groupby("model")["learning rate"].min().to_dict() == tuning.SHALLOW_RATE
    assert highest.groupby("model").size().to_dict() == {"Dense": 2, "Iterative Step": 1}


def test_rates_on_pointers_with_four_passes_and_with_three_are_those_that_ended_highest(committed):
    """Judged as with 12, and it is the rate that was chosen with 12; with three passes just, by 100 steps."""
    runs = hashes("cpu", "tune_pointers_few", tuning.POINTERS_CHOSEN)
    found = gain.at_the_end(gain.trajectories(committed, runs))
    best = gain.best(soonest(found), ["learning rate"])
    assert len(found) == len(runs) == 2 * 4 and sorted(best["passes"]) == [3, 4]
    assert set(best["learning rate"]) == {tuning.POINTERS_RATE[gain.WHOLE]}
    three = found[(found["passes"] == 3) & (found["accuracy"] >= LEARNED)].set_index("learning rate")["step"]
    assert three.to_dict() == {1e-3: 2600, 3e-3: 2700}

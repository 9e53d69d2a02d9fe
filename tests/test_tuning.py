"""What was tuned is what the committed records of the validation seeds say."""

from tarm import gain
from tarm.studies import jobs, tuning


def ends(records, study):
    """The last evaluations of a study's runs, one a run, by model and setting."""
    runs = {job.run.hash for job in jobs("cpu", study, tuning.VALIDATION)}
    found = gain.at_the_end(gain.trajectories(records, runs, name=gain.wiring))
    assert len(found) == len(runs)
    return found


def test_norm_and_scale_are_those_that_ended_highest(committed):
    """At the better of their rates."""
    best = gain.best(ends(committed, "tune_form"), ["norm", "scale", "learning rate"]).set_index("model")[["norm", "scale"]]
    published = {"norm": "pre", "scale": "published"}
    assert best.to_dict("index") == {model: published | form for model, form in tuning.FORM.items()}

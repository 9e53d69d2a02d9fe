"""What names a run: its content hash, which covers what determines the numbers and nothing else."""

import math
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from tarm import LADDER, Architecture
from tarm.runs import Run, Schedule, run_from
from tarm.profiles import PROFILES, setting
from tarm.studies import STUDIES, jobs, place
from tarm.training import check_room

# A hash that changes here would orphan every record there is: add a field at its default instead.
PINNED = {
    "e4c23bccbbfe": Run(rung="ar_trm", task="copy"),
    "5c91d745a8d4": Run(rung="dense", task="addition", width=64, heads=4, dropout=0, context=64, length=3, batch=32,
                        learning_rate=1e-3, training_steps=800),
    "ab0b51e59795": Run(rung="dual_nested_ut", task="reverse", budget=30, outer=3, inner=4, step_embeddings=False,
                        norm="post", scale="unit", window="all", halting_bias=-3, ponder_weight=0.01,
                        precision="bf16", eps=1e-16, weight_decay=0, seed=1337),
    "9a4c764ec9e1": Run(rung="ar_trm", task="copy", window=6, window_warmup=100, start="x", injection="both",
                        sum="mean", residual="1/sqrt", warmup=10, decay="cosine", clip=1, stop_at=0.99),
}


@pytest.mark.parametrize("expected, run", PINNED.items(), ids=lambda value: value if isinstance(value, str) else "")
def test_pinned_hashes(expected, run):
    assert run.hash == expected


def test_fields_at_their_default_do_not_enter():
    """So that a field added later changes no earlier hash."""
    assert Run(rung="ar_trm", task="copy").changes == {"rung": "ar_trm", "task": "copy"}
    assert Run(rung="ar_trm", task="copy", width=384, budget=24, eps=1e-8, seed=0).hash == PINNED["e4c23bccbbfe"].hash


@pytest.mark.parametrize("field, spellings", [
    ("dropout", (0, 0.0)), ("halting_bias", (-3, -3.0)), ("learning_rate", (1, 1.0)), ("step_embeddings", (False, 0))])
def test_equal_runs_have_one_name_however_their_numbers_are_spelt(field, spellings):
    """A whole number for a float, as a JSON file or a notebook may give it; the other way round is refused."""
    runs = [Run(rung="universal", task="copy", **{field: value}) for value in spellings]
    assert len({run.hash for run in runs}) == 1
    assert len({repr(run) for run in runs}) == 1


@pytest.mark.parametrize("rung", LADDER)
def test_budget_and_steps_describe_the_same_run(rung):
    by_budget = Run(rung=rung, task="copy", budget=12)
    by_steps = Run(rung=rung, task="copy", steps=by_budget.steps)
    assert by_budget == by_steps and by_budget.hash == by_steps.hash
    assert by_budget.hash != Run(rung=rung, task="copy").hash


OTHER = {  # for every field a value that is not that of Run(rung="dual_nested_ut", task="copy"), or of BASE's
    "rung": "dual_ut", "width": 192, "heads": 4, "budget": 12, "outer": 1, "inner": 1, "step_embeddings": False,
    "dropout": 0.0, "context": 150, "vocabulary": 20, "norm": "post", "scale": "unit", "window": "all",
    "halting_bias": -3.0, "ponder_weight": 0.01, "precision": "bf16", "dropout_stream": "bits", "task": "reverse",
    "length": 5, "training_steps": 4000, "batch": 32, "learning_rate": 1e-3, "eps": 1e-16, "weight_decay": 0.0,
    "seed": 1, "residual": "1/sqrt", "start": "x", "injection": "both", "sum": "mean", "readout": "mean",
    "supervision": "steps", "halting_head": "trained", "warmup": 10, "decay": "cosine", "clip": 1.0, "stop_at": 0.99,
    "window_warmup": 100}
BASE = {"halting_head": {"rung": "ar_trm"}, "window_warmup": {"rung": "ar_trm", "window": 6}}  # where it has a meaning


def test_every_field_changes_the_hash():
    """steps follow from the budget; device, threads and schedule are not fields at all."""
    assert {field.name for field in fields(Run)} == OTHER.keys() | {"steps"}
    hashes = set()
    for field, value in OTHER.items():
        base = Run(**{"rung": "dual_nested_ut", "task": "copy"} | BASE.get(field, {}))
        hashes |= {base.hash, replace(base, **{"steps": None, field: value}).hash}
    assert len(hashes) == len(OTHER) + 1 + len(BASE)


@pytest.mark.parametrize("run", PINNED.values(), ids=PINNED)
def test_a_run_survives_its_configuration(run):
    assert run_from(asdict(run)) == run


def test_a_configuration_with_an_unknown_field_is_an_error():
    with pytest.raises(ValueError, match="unknown fields breadth, depth"):
        run_from({"rung": "dense", "task": "copy", "breadth": 1, "depth": 2})


@pytest.mark.parametrize("fields, words", [
    ({"rung": "ar_trm", "window": 2, "window_warmup": 9}, "window_warmup=9 changes nothing of window=2"),
    ({"warmup": 50, "training_steps": 50, "decay": "cosine"}, "decay='cosine' changes nothing where warmup=50")])
def test_a_second_name_for_the_same_numbers_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        Run(**{"rung": "dense", "task": "copy"} | fields)
    assert [Run(rung="ar_trm", task="copy", window=3, window_warmup=1).window_at(step) for step in (1, 2)] == [2, 3]
    Run(rung="dense", task="copy", warmup=49, training_steps=50, decay="cosine")


@pytest.mark.parametrize("fields, words", [
    ({"rung": "ar_trm", "window": 6, "window_warmup": 9, "training_steps": 8},
     "window_warmup=9 is longer than training_steps=8"),
    ({"seed": 2**64}, "seed=18446744073709551616 is more than PyTorch takes"),
    ({"rung": "my_rung"}, "rung='my_rung' is not known: .*; one of your own comes with --plugin FILE.py")])
def test_what_cannot_be_run_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        Run(**{"rung": "dense", "task": "copy"} | fields)
    Run(rung="dense", task="copy", seed=2**64 - 1)


def test_a_vocabulary_too_small_for_the_tasks_is_refused():
    """Their 10 digits, 3 signs and newline are 14 characters; a bare architecture may have fewer."""
    assert Architecture(rung="dense", vocabulary=13).vocabulary == 13
    assert Run(rung="dense", task="copy", vocabulary=14).vocabulary == 14
    with pytest.raises(ValueError, match="vocabulary=13 .* 14 or more"):
        Run(rung="dense", task="copy", vocabulary=13)


def test_when_a_run_is_evaluated():
    schedule = Schedule(every=50, lengths=(10,), final_lengths=(20, 30))
    assert [schedule.lengths_at(step, 120) for step in (49, 50, 100, 119, 120)] == [(), (10,), (10,), (), (10, 20, 30)]


@pytest.mark.parametrize("given, words", [
    ({"every": 0}, "every=0 is too small"), ({"problems": 0}, "problems=0"),
    ({"every": 2.5}, "every=2.5 is not a whole number"),
    ({"lengths": 10}, r"lengths=10 is no tuple of whole numbers: write \(10,\)"),
    ({"lengths": ("10",)}, "lengths='10'"),
    ({"lengths": (0,)}, "lengths=0"), ({"other_steps": (0,)}, "other_steps=0"),
    ({"lengths": (10, 10)}, "hold 10 more than once"), ({"final_lengths": [20, 10]}, "hold 10 more than once")])
def test_a_schedule_that_cannot_be_kept_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Schedule(**{"every": 50, "lengths": (10,)} | given)


def test_a_schedule_takes_lists():
    assert Schedule(50, [10], [20], other_steps=[2]) == Schedule(50, (10,), (20,), other_steps=(2,))


@pytest.mark.parametrize("field, value, words", [
    ("step_embeddings", "false", "neither True nor False"), ("dropout", "0.1", "dropout='0.1' is not a finite number"),
    ("ponder_weight", math.nan, "ponder_weight=nan"), ("halting_bias", -math.inf, "halting_bias=-inf"),
    ("halting_bias", "low", "halting_bias='low'"), ("batch", 2.0, "batch=2.0 is not a whole number"),
    ("budget", 12.0, "budget=12.0"), ("learning_rate", math.inf, "learning_rate=inf"), ("eps", -1, "eps=-1")])
def test_a_value_of_another_kind_is_refused(field, value, words):
    with pytest.raises(ValueError, match=words):
        Run(rung="universal", task="copy", **{field: value})


def test_numpys_numbers_are_numbers():
    values = {"width": 64, "heads": 4, "budget": 12, "length": 5, "batch": 8, "seed": 3, "learning_rate": 1e-3}
    given = {name: np.float64(value) if isinstance(value, float) else np.int64(value) for name, value in values.items()}
    assert Run(rung="universal", task="copy", **given).hash == Run(rung="universal", task="copy", **values).hash
    assert Run(rung="universal", task="copy", steps=np.int64(12)) == Run(rung="universal", task="copy", steps=12)


# The lists of runs.


@pytest.mark.parametrize("profile", PROFILES)
def test_the_main_study_is_every_rung_on_every_task(profile):
    main = jobs(profile, seeds=(0, 4))
    assert {(job.run.rung, job.run.task, job.run.seed) for job in main} == {
        (rung, task, seed) for rung in LADDER for task in ("copy", "reverse", "addition") for seed in (0, 4)}
    assert len({job.run.hash for job in main}) == len(main) == 7 * 3 * 2
    assert {place(job.run) for job in main} == {(profile, "main")}


def test_a_task_outside_the_main_study_is_run_as_copy_is():
    assert (setting("smoke", "pointers") is PROFILES["smoke"]["copy"]
            and setting("cpu", "addition") is PROFILES["cpu"]["addition"])


def test_the_paper_profile_is_the_published_protocol():
    """The paper's length generalisation study, seed aside."""
    for run, schedule in jobs("paper"):
        assert (run.width, run.heads, run.budget, run.context) == (384, 6, 24, 180)
        assert (run.length, run.training_steps, run.batch) == (10, 5000, 64)
        assert (run.dropout, run.precision) == (0.1, "float32")
        assert (run.learning_rate, run.eps, run.weight_decay) == (3e-4, 1e-8, 0.01)
        assert (schedule.every, schedule.lengths, schedule.problems) == (250, (10, 20, 30, 40, 50), 100)


def test_a_run_of_no_list_has_no_place():
    assert place(Run(rung="dense", task="copy", width=12)) == ("", "")


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"profile": "tiny"}, "profile='tiny' is not known: choose one of smoke, cpu, paper"),
        ({"profile": "smoke", "study": "minor"}, "study='minor' is not known: choose one of main"),
        ({"profile": "smoke", "task": ["sort"]}, "sort"),
        ({"profile": "smoke", "rung": ["dense", "dens"]}, "dens"),  # half a mistake is one
        ({"profile": "smoke", "study": "cross"}, "the study 'cross' has no profile 'smoke': choose one of cpu"),
        (
            {"profile": "smoke", "task": ["copy"], "training_steps": [100]},
            "choose among its runs and change none. They have training_steps in .4.",
        ),
        (
            {"profile": "cpu", "study": "cross", "seeds": (0,), "window": ["all"], "supervision": ["steps"]},
            "They have supervision in .end.",
        ),
        (
            {"profile": "cpu", "study": "controls", "window": ["4"], "supervision": ["steps"]},
            "Each of these occurs, but not together",
        ),
        ({"profile": "smoke", "ring": ["dense"]}, "filter='ring' is not known: choose one of rung, "),
        ({"profile": "smoke", "rung": "dense"}, r"rung='dense' is no list of values: write rung=\[...\]"),
        ({"profile": "smoke", "budget": 12}, "budget=12 is no list"),
        ({"profile": "smoke", "seeds": 3}, "seeds=3 is no list"),
        ({"profile": "smoke", "seeds": ()}, r"seeds=\(\) is no list of values: .* with one or more"),
    ],
)
def test_runs_that_do_not_exist_are_an_error(asked, words):
    with pytest.raises(ValueError, match=words):
        jobs(**asked)


def test_every_run_of_a_study_can_be_evaluated_as_scheduled():
    """Its longest problem fits its context: found here and not at the last step."""
    for study, (_, profiles) in STUDIES.items():
        for profile in profiles:
            for job in jobs(profile, study):
                check_room(*job)

"""Records whose first steps are taken again: what agrees, what is found to differ, what can't be compared."""

import json
import math
import shutil
from dataclasses import replace

import pytest

from tarm.__main__ import main
from tarm.checking import TOLERANCE, check, first_losses, selection
from tarm.estimate import step_flop
from tarm.runs import run_from
from tarm.store import COMMITTED, Store, environment
from tarm.studies import jobs, place
from tarm.training import train

JOB, = jobs("smoke", rung=["iterative"], task=["copy"])
RUN = replace(JOB.run, dropout=0.1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one run of four steps, with dropout."""
    store = Store(tmp_path_factory.mktemp("store"))
    store.save(RUN, JOB.schedule, train(RUN, JOB.schedule), "cpu", "")
    return store


@pytest.fixture
def record(store):
    return store.load(RUN.hash)


def test_the_first_losses_are_those_of_training(record):
    """Whatever was drawn from the global stream before; recorded to five digits."""
    assert [float(f"{loss:.5g}") for loss in first_losses(RUN, 3)] == record["losses"][:3]
    assert first_losses(RUN, 3) == first_losses(RUN, 4)[:3]


def test_a_record_agrees_with_itself(record):
    done = check(record)
    assert done.agrees and done.steps == 3 and done.largest <= 5e-5  # the digits that are left out
    assert "3 losses agree" in str(done) and "1e-04" in str(done)


@pytest.mark.parametrize("change", [{"seed": 1}, {"dropout": 0.2}, {"dropout_stream": "bits"}, {"learning_rate": 2e-3}])
def test_another_run_does_not(record, change):
    losses = [float(f"{loss:.5g}") for loss in first_losses(replace(RUN, **change), 3)]
    done = check(record | {"losses": losses})
    assert not done.agrees and done.largest > TOLERANCE["float32"] and "DIFFER" in str(done)


def test_a_loss_of_ours_that_is_no_number_differs(record, monkeypatch):
    """Whichever it is: nan is neither larger nor smaller than what the others differ by."""
    for losses in [2.6, math.nan, 2.6], [math.nan, 2.6, 2.6], [2.6, 2.6, math.inf]:
        monkeypatch.setattr("tarm.checking.first_losses", lambda *_, ours=losses: ours)
        done = check(record)
        assert not done.agrees and done.largest == math.inf and "DIFFER" in str(done)


@pytest.mark.parametrize("made_on, here, compared", [
    ("cpu", "cpu", True), ("mps", "mps", True), ("NVIDIA H100", "cuda", True), ("NVIDIA H100", "mps", False),
    ("mps", "cuda", False), ("cpu", "mps", False)])
def test_masks_of_two_kinds_of_devices_are_not_compared(record, monkeypatch, made_on, here, compared):
    monkeypatch.setattr("tarm.checking.first_losses", lambda *_: record["losses"][:3])
    assert check(record | {"environment": {"device": made_on}}, device=here).agrees is compared


def test_a_compiled_record_is_compiled_again(record, monkeypatch):
    asked = []
    monkeypatch.setattr("tarm.checking.first_losses", lambda *given: asked.append(given[3]) or record["losses"][:3])
    for said in {"compiled": True}, {}:
        assert check(record | {"environment": {"device": "cpu"} | said}).agrees
    assert asked == [True, False] and environment("cpu", True).keys() - environment("cpu").keys() == {"compiled"}


def test_nothing_compared_is_no_success(store, tmp_path, capsys):
    other = Store(tmp_path / "other")
    shutil.copytree(store.root, other.root)
    path = other.record_path(RUN.hash)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"environment": {"device": "NVIDIA H100"}}))
    assert main(["check-records", "--store", str(other.root)]) == 1
    assert "none of 1 records could be compared on cpu" in capsys.readouterr().err


@pytest.mark.parametrize("change, reason", [
    ({"losses": [2.6, None]}, "diverged within the first 3 steps"), ({"losses": []}, "diverged"),
    ({"environment": {"device": "NVIDIA H100"}}, "masks were drawn on NVIDIA H100")])
def test_what_cannot_be_compared_says_why(record, change, reason):
    done = check(record | change)
    assert done.largest is None and not done.agrees and reason in str(done)


def test_without_dropout_a_record_of_another_device_is_compared(record):
    run = replace(RUN, dropout=0.0)
    made = {"configuration": record["configuration"] | {"dropout": 0.0}, "losses": first_losses(run, 2),
            "environment": {"device": "NVIDIA H100"}}
    assert check(made).agrees and check(made).steps == 2


def test_the_selection_is_the_cheapest_of_each_study_and_precision(committed):
    """One of each kind that there is, none with less arithmetic a step left out."""
    def kind(record):
        run = run_from(record["configuration"])
        return *place(run), run.precision

    chosen, cheapest = {}, {}
    for record in selection(committed):
        assert kind(record) not in chosen
        chosen[kind(record)] = step_flop(run_from(record["configuration"]))
    for record in committed:
        flop = step_flop(run_from(record["configuration"]))
        cheapest[kind(record)] = min(flop, cheapest.get(kind(record), flop))
    assert chosen == cheapest and len(chosen) >= 4 and selection(committed[::-1]) == selection(committed)


def test_the_command_says_a_line_each_and_ends_with_1_where_one_differs(store, tmp_path, capsys):
    words = ["check-records", "--store", str(store.root), RUN.hash[:8]]
    assert main([*words, "--steps", "2"]) == 0
    assert capsys.readouterr().out.startswith(f"{RUN.hash} iterative copy seed 0, float32: 2 losses agree")
    other = Store(tmp_path / "other")
    shutil.copytree(store.root, other.root)
    path = other.record_path(RUN.hash)
    changed = json.loads(path.read_text())
    changed["losses"][1] += 0.01
    path.write_text(json.dumps(changed))
    assert main(["check-records", "--store", str(other.root)]) == 1
    out, err = capsys.readouterr()
    assert "DIFFER" in out and "1 of 1 records differ" in err
    assert main(["check-records", "--store", str(tmp_path / "none")]) == 1
    assert "has no records to check" in capsys.readouterr().err
    assert main([*words, "--steps", "0"]) == 1


def test_committed_records_come_out_again(committed):
    """Two in float32 and one in bf16: `python -m tarm check-records` takes any others."""
    for record in selection(committed)[:2] + [Store(COMMITTED).load("60a4c132f200")]:
        assert check(record, 2).agrees, str(check(record, 2))

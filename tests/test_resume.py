"""A run killed at any moment and started again ends as if nothing had happened; sweeps share a store."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tarm.__main__ import main
from tarm.checkpoint import Keeper, random_streams
from tarm.evaluation import latest_accuracy
from tarm.runs import Run, Schedule
from tarm.store import Store, scores
from tarm.studies import Job
from tarm.sweep import cost
from tarm.training import Progress, Stopped, train

SWEEP = '''
import signal
import sys
from tarm.runs import Run, Schedule
from tarm.store import Store
from tarm.studies import Job
from tarm.sweep import sweep

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a script starts with & is born deaf to interrupts
    runs = [Run(rung=rung, task="copy", length=4, width=16, heads=2, budget=12, context=16, batch=8,
                training_steps=80, learning_rate=1e-3) for rung in ("universal", "ar_trm")]
    done = sweep([Job(run, Schedule(40, (4,), problems=8)) for run in runs], Store(sys.argv[1]),
                 workers=int(sys.argv[2]), threads=1, save_every=0)
    print("trained", done.finished)
'''


def start(folder, store, workers):
    script = folder / "run_sweep.py"
    script.write_text(SWEEP, encoding="utf-8")
    return subprocess.Popen([sys.executable, script, store, str(workers)], start_new_session=True,
                            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)


def numbers(store):
    """All that two stores must agree on: records but for times and the machine, and weights."""
    records = Store(store).records()
    for record in records:
        for key in "environment", "command", "finished":
            del record[key]
        for key in "training_seconds", "evaluation_seconds", "peak_memory":
            del record["ledger"][key]
    weights = [path.read_bytes() for path in sorted((store / "weights").glob("*"))]
    return json.dumps(records), weights


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    out, _ = start(folder, folder / "store", 1).communicate()
    assert "trained 2" in out
    return numbers(folder / "store")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL of a process group is POSIX's")
def test_killed_at_seeded_moments_it_ends_the_same(tmp_path, undisturbed):
    """Each life is killed some saves and a moment after it has made progress, first by itself, so that its workers have
    to notice, then with all of its processes; the last one finishes."""
    store, chance = tmp_path / "store", random.Random(2)
    killed, ended = 0, False
    while killed < 2 and not ended:
        sweep = start(tmp_path, store, 2)
        for _ in range(chance.randint(3, 12)):
            before = saves(store)
            while saves(store) == before and sweep.poll() is None:
                time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        ended = sweep.poll() is not None
        if not ended:
            (os.killpg if killed else os.kill)(sweep.pid, signal.SIGKILL)
            killed += 1
        sweep.communicate(timeout=60)  # ends when nobody has the other end of the pipe any more
    assert killed, "it finished before it could be killed even once"
    out, _ = start(tmp_path, store, 2).communicate()
    assert "trained" in out
    assert numbers(store) == undisturbed
    assert not list((store / "unfinished").glob("*.safetensors")) and not list(store.rglob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="SIGINT to one process is POSIX's")
def test_an_interrupt_of_the_sweep_alone_stops_its_workers_and_loses_nothing(tmp_path, undisturbed):
    for attempt in range(5):  # on a busy machine it may finish before the interrupt reaches it
        store = tmp_path / f"store{attempt}"
        sweep = start(tmp_path, store, 1)
        while not saves(store) and sweep.poll() is None:
            time.sleep(0.005)
        os.kill(sweep.pid, signal.SIGINT)
        sweep.communicate()
        if sweep.returncode:
            break
    assert sweep.returncode != 0 and len(Store(store).records()) < 2
    out, _ = start(tmp_path, store, 1).communicate()
    assert "trained" in out and numbers(store) == undisturbed


def saves(store):
    """What is saved of unfinished runs, as it changes with every save."""
    found = set()
    for path in (store / "unfinished").glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # finished between the two looks
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def test_two_sweeps_on_one_store_share_the_work(tmp_path, undisturbed):
    """Started together, they train each run once between them, and nothing is lost."""
    both = [start(tmp_path, tmp_path / "store", 1) for _ in range(2)]
    trained = [int(sweep.communicate()[0].split()[-1]) for sweep in both]
    assert sum(trained) == 2
    assert numbers(tmp_path / "store") == undisturbed


RUN = Run(rung="dual_ut", task="copy", length=3, width=16, heads=2, budget=4, context=8, batch=4, training_steps=12)
SCHEDULE = Schedule(4, (3,), problems=4)


def counts(ledger):
    """What of a ledger does not depend on the machine."""
    return {key: value for key, value in ledger.items() if "seconds" not in key and key != "peak_memory"}


def test_stopped_at_every_step_it_ends_the_same(tmp_path):
    """A deadline in the past saves and stops after each step; dropout's stream goes on where it was."""
    stops = 0
    while True:
        try:
            stopped = train(RUN, SCHEDULE, keeper=Keeper(tmp_path / "it", RUN, SCHEDULE, deadline=0))
            break
        except Stopped:
            stops += 1
    whole = train(RUN, SCHEDULE)
    assert stops == RUN.training_steps - 1
    assert RUN.dropout > 0 and stopped.losses == whole.losses and stopped.scores == whole.scores
    assert counts(stopped.ledger) == counts(whole.ledger)


@pytest.mark.parametrize("content", [b"", b"half", None])
def test_a_file_that_cannot_be_continued_is_refused_by_name(content, tmp_path):
    """Empty, half written, or begun on another schedule: one error that names the file and the way out."""
    path = tmp_path / "it.safetensors"
    if content is None:
        with pytest.raises(Stopped):
            train(RUN, SCHEDULE, keeper=Keeper(path, RUN, SCHEDULE, deadline=0))
        schedule = Schedule(2, (3,), problems=4)
    else:
        path.write_bytes(content)
        schedule = SCHEDULE
    with pytest.raises(ValueError, match=r"it\.safetensors.*remove it to start anew"):
        train(RUN, schedule, keeper=Keeper(path, RUN, schedule))


def test_another_kind_of_device_is_refused_and_other_steps_are_not(tmp_path):
    path = tmp_path / "it.safetensors"
    with pytest.raises(Stopped):
        train(RUN, SCHEDULE, keeper=Keeper(path, RUN, SCHEDULE, deadline=0))
    before = path.read_bytes()
    with pytest.raises(ValueError,
                       match=r"it\.safetensors was begun as .*'cpu'.*, not as .*'mps'.*remove it to start anew"):
        Keeper(path, RUN, SCHEDULE, device="mps").resume(Progress(RUN, "cpu"))
    with pytest.raises(ValueError, match=r"it\.safetensors was begun without --compile.*go on like that, or remove it"):
        Keeper(path, RUN, SCHEDULE).resume(Progress(RUN, "cpu", compiled=True))
    assert path.read_bytes() == before
    more = replace(SCHEDULE, other_steps=(1,))
    assert set(train(RUN, more, keeper=Keeper(path, RUN, more)).other_steps) == {1}


@pytest.mark.parametrize("device, name", [("cpu", "dropout"), ("cuda:1", "dropout_cuda"), ("mps", "dropout_mps")])
def test_every_device_has_a_stream_that_dropout_draws_from(device, name):
    """Beside the two of a run's own, whatever the device of its model; no device is touched."""
    progress = Progress(RUN, "cpu")
    progress.model = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=torch.device(device))]))
    streams = random_streams(progress)
    assert set(streams) == {"problems", "exploration", name}
    assert all(callable(get) and callable(restore) for get, restore in streams.values())


def test_a_run_that_has_learned_ends_early_and_is_listed_so(tmp_path, capsys):
    """One of some hundred characters is soon right by chance, and that is asked for."""
    run, schedule = replace(RUN, stop_at=1e-9), Schedule(1, (3,), problems=50)
    Store(tmp_path).save(run, schedule, train(run, schedule), "cpu", "")
    record = Store(tmp_path).load(run.hash)
    assert 12 > len(record["losses"]) == max(score["step"] for score in record["evaluations"])
    main(["list", "--store", str(tmp_path)])
    accuracy = latest_accuracy(scores(record), 3)
    assert 0 < accuracy < 1 and f"{accuracy:.1%}" in capsys.readouterr().out


def test_a_job_costs_more_with_more_steps_positions_or_passes_trained():
    """Of 24 passes ar_trm trains 3, or 24 with window="all": (24 + 48) / (24 + 6) times as much. Copies of 4 digits
    take 9 positions and 24 C^2 + 4 x 9 C FLOP each (C = 16), of 8 digits 17 positions and 24 C^2 + 4 x 17 C."""
    fields = {"rung": "ar_trm", "task": "copy", "length": 4, "width": 16, "heads": 2, "context": 24,
              "training_steps": 10}

    def times(**changed):
        return cost(Job(Run(**fields | changed), None)) / cost(Job(Run(**fields), None))

    assert times(training_steps=30) == 3
    assert times(window="all") == 72 / 30
    assert times(length=8) == pytest.approx(17 * (24 * 16 + 4 * 17) / (9 * (24 * 16 + 4 * 9)))

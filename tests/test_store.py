"""Runs are kept whole, found again, repeated never, and bitwise the same however they are trained."""

import json
import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest
import torch

from tarm import LADDER, TASKS
from tarm.decoding import generate
from tarm.evaluation import evaluate, evaluation_problems
from tarm.runs import run_from
from tarm.store import COMMITTED, SCHEMA, Store, scores, written_whole
from tarm.streams import training_stream
from tarm.studies import jobs
from tarm.sweep import stop, sweep
from tarm.tasks import unseen_problems
from tarm.training import train


JOB, = jobs("smoke", rung=["universal"], task=["copy"])


@pytest.fixture(scope="module")
def trained():
    return train(*JOB)


@pytest.fixture
def store(trained, tmp_path):
    """A store that holds the one run of JOB."""
    store = Store(tmp_path)
    store.save(*JOB, trained, "cpu", "python -m tarm train")
    return store


def files(store):
    """{path: bytes} of everything in a store."""
    return {path.relative_to(store.root): path.read_bytes() for path in store.root.rglob("*") if path.is_file()}


def test_a_record_says_what_was_run_where_and_how_it_went(store, trained):
    record = store.load(JOB.run.hash)
    assert set(record) == {"schema", "run", "configuration", "schedule", "environment", "command", "finished",
                           "diverged_at", "ledger", "losses", "evaluations", "other_steps"}
    assert (record["schema"], record["run"], record["command"]) == (SCHEMA, JOB.run.hash, "python -m tarm train")
    assert set(record["environment"]) == {"python", "torch", "system", "machine", "vectors", "cores", "threads",
                                          "device"}
    assert scores(record) == trained.scores
    assert record["ledger"] == trained.ledger and record["other_steps"] == []
    assert record["losses"] == pytest.approx(trained.losses, rel=1e-4)  # five digits are kept
    assert store.has(JOB.run) and store.records() == [record] and store.find(JOB.run.hash[:5]) == record


def test_weights_come_back_as_the_model_that_was_trained(store, trained):
    """The same logits; and it scores at the last step what the record says."""
    record = store.load(JOB.run.hash)
    model, tokens = store.model(record), torch.arange(14).unsqueeze(0)
    assert model(tokens).logits.equal(trained.model(tokens).logits)
    problems = evaluation_problems(JOB.run, 8, JOB.schedule.problems, training_stream(JOB.run.seed))
    assert evaluate(model, problems, 8, JOB.run.training_steps, JOB.run.seed) == scores(record)[-4:]


class Intruder:
    """An object whose unpickling leaves a trace."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("dump", [lambda thing, path: path.write_bytes(pickle.dumps(thing)), torch.save],
                         ids=["pickle", "torch.save"])
def test_loading_weights_never_unpickles(store, tmp_path, dump):
    dump({"head.weight": Intruder(str(tmp_path / "trace"))}, store.weights_path(JOB.run.hash))
    with pytest.raises(ValueError, match=f"{JOB.run.hash}.safetensors"):
        store.model(store.load(JOB.run.hash))
    assert not (tmp_path / "trace").exists()


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as part:
        part.write_text("half a rec")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"] and path.read_text() == "old"


def test_what_a_killed_process_left_is_no_record(store):
    (store.root / "records" / ".5c91d745a8d4.json.123.part").write_text("{")
    assert [record["run"] for record in store.records()] == [JOB.run.hash]


def damaged(**changes):
    """A function from a record's text to one with these keys changed, or taken out where the change is None."""
    def damage(text):
        record = json.loads(text) | changes
        return json.dumps({key: value for key, value in record.items() if changes.get(key, "") is not None})
    return damage


@pytest.mark.parametrize("damage, reason", [
    (lambda text: text[:len(text) // 2], ""),
    (lambda text: "", ""),
    (lambda text: "[]", ""),
    (lambda text: '{"name": "another program\'s"}', "schema"),
    (damaged(schema=SCHEMA + 1), f"schema {SCHEMA + 1}, this tarm reads {SCHEMA}"),
    (damaged(run="0" * 12), "hash"),
    (lambda text: text.replace('"seed": 0', '"seed": 1'), "hash"),
    (lambda text: text.replace("\"seed\": 0", "\"seed\": 0, \"breadth\": 3"), "unknown fields breadth"),
    (damaged(evaluations=None), "evaluations"),
    (damaged(ledger=None), "ledger"),
], ids=["half", "empty", "a list", "foreign", "another schema", "another name", "another run", "a newer field",
        "no evaluations", "no ledger"])
def test_a_record_that_cannot_be_used_is_refused_by_name(store, damage, reason):
    path = store.record_path(JOB.run.hash)
    text = path.read_text(encoding="utf-8")
    path.write_text(damage(text), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text
    with pytest.raises(ValueError, match=f"{path.name} is not a record that can be used .*{reason}"):
        store.records()


def test_a_record_of_a_newer_tarm_asks_for_an_update_first(store):
    """One that is broken asks for nothing of the kind."""
    path = store.record_path(JOB.run.hash)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"norm": "pre"', '"norm": "rms"'), encoding="utf-8")
    with pytest.raises(ValueError, match="norm='rms'.*: update tarm if a newer one made it, else `python -m tarm rm"):
        store.load(JOB.run.hash)
    path.write_text(text[:100], encoding="utf-8")
    with pytest.raises(ValueError, match=r"\): `python -m tarm rm"):
        store.load(JOB.run.hash)


def test_records_of_a_task_that_is_not_registered_are_left_out_and_named_once(store, capsys):
    """Three of one task and one of another: two lines."""
    text = store.record_path(JOB.run.hash).read_text(encoding="utf-8")
    for number, task in enumerate(("sorted", "sorted", "sorted", "doubled")):
        written = text.replace('"task": "copy"', f'"task": "{task}"').replace(JOB.run.hash, f"{number:012}")
        store.record_path(f"{number:012}").write_text(written, encoding="utf-8")
    assert [record["run"] for record in store.records()] == [JOB.run.hash]
    one, other = capsys.readouterr().err.splitlines()
    assert "sorted" in one and one.endswith("(and 2 more like it)") and "doubled" in other and "more" not in other


@pytest.mark.parametrize("prefix", ["*", "?" * 12, "["])
def test_a_prefix_is_text_and_no_pattern(store, prefix):
    with pytest.raises(ValueError, match="0 runs .* begin with"):
        store.find_hash(prefix)


def test_an_empty_prefix_names_no_run(store):
    """Where there is only one, too."""
    with pytest.raises(ValueError, match="name is empty"):
        store.find_hash("")


def test_finding_a_run_that_is_not_there(store):
    with pytest.raises(ValueError, match="0 runs .* begin with 'zzz'"):
        store.find("zzz")


def test_the_folder_is_the_one_given_or_of_the_environment_or_here(tmp_path, monkeypatch):
    monkeypatch.setenv("TARM_STORE", str(tmp_path / "elsewhere"))
    assert Store().root == tmp_path / "elsewhere"
    assert Store(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.delenv("TARM_STORE")
    assert str(Store().root) == ".tarm"


@pytest.mark.parametrize("weights", [True, False])
def test_a_store_takes_runs_from_another(store, tmp_path, weights):
    other = Store(tmp_path / "other")
    other.take(store, store.load(JOB.run.hash), weights)
    assert other.records() == store.records()
    assert other.weights_path(JOB.run.hash).exists() is weights


@pytest.mark.parametrize("losses, kept", [(None, True), ([1.0] * 4, False)], ids=["the same training", "another"])
def test_weights_stay_beside_the_record_of_their_training_only(store, tmp_path, losses, kept):
    """Where the other store has a record alone."""
    record = store.load(JOB.run.hash)
    theirs = Store(tmp_path / "theirs")
    theirs.write(record | ({"losses": losses} if losses else {}))
    store.take(theirs, theirs.load(JOB.run.hash))
    assert store.weights_path(JOB.run.hash).exists() is kept and store.records() == theirs.records()


def test_a_run_that_a_sweep_is_training_is_not_removed(store):
    with store.lock(JOB.run.hash), pytest.raises(ValueError, match=f"a sweep is at {JOB.run.hash}"):
        store.remove(JOB.run.hash)
    assert store.has(JOB.run)
    store.remove(JOB.run.hash)
    assert files(store) == {}


def test_a_run_that_diverged_is_a_record_too(tmp_path):
    """A learning rate of 1e30 leaves no finite loss after the first step; the record is JSON that any program reads."""
    run = replace(JOB.run, learning_rate=1e30)
    result = train(run, JOB.schedule)
    assert result.diverged_at == 2 and math.isfinite(result.losses[0])
    store = Store(tmp_path)
    store.save(run, JOB.schedule, result, "cpu", "")
    text = store.record_path(run.hash).read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))["diverged_at"] == 2
    assert store.records()[0]["losses"][0] == pytest.approx(result.losses[0], rel=1e-4)


# Training again, and several at a time.


def lasting(store):
    """What may not differ between two trainings: weights bit by bit, records but for time, place and command."""
    kept = []
    for record in store.records():
        for key in "finished", "environment", "command":
            del record[key]
        for key in "training_seconds", "evaluation_seconds", "peak_memory":
            del record["ledger"][key]
        kept.append((record, store.weights_path(record["run"]).read_bytes()))
    return kept


def test_training_twice_gives_the_same_bits(store, tmp_path):
    again = Store(tmp_path / "again")
    again.save(*JOB, train(*JOB), "cpu", "")
    assert lasting(again) == lasting(store)


def test_steps_that_a_record_lacks_are_evaluated_from_its_weights(store, tmp_path):
    """With the numbers that training would have left; nothing is trained again, and what there was stays."""
    before, asked = store.load(JOB.run.hash), JOB._replace(schedule=replace(JOB.schedule, other_steps=(2, 5)))
    assert store.has(*JOB) and not store.has(*asked)
    assert sweep([asked], store, workers=1, threads=1).finished == 1
    after, other = store.load(JOB.run.hash), Store(tmp_path / "other")
    other.save(*asked, train(*asked), "cpu", "")
    assert after["other_steps"] == other.load(JOB.run.hash)["other_steps"] and len(after["other_steps"]) == 2 * 4
    assert after["schedule"] == before["schedule"] | {"other_steps": [2, 5]}
    assert all(after[key] == before[key] for key in set(before) - {"other_steps", "schedule"})
    assert store.has(*asked) and sweep([asked], store, workers=1, threads=1).finished == 0


def test_without_weights_such_a_run_is_trained_again(store, tmp_path):
    bare, asked = Store(tmp_path / "bare"), JOB._replace(schedule=replace(JOB.schedule, other_steps=(2,)))
    bare.take(store, store.load(JOB.run.hash), weights=False)
    assert sweep([asked], bare, workers=1, threads=1).finished == 1
    assert (bare.has(*asked)
            and bare.weights_path(JOB.run.hash).read_bytes() == store.weights_path(JOB.run.hash).read_bytes())
    assert not any(bare.root.glob("unfinished/*"))


def test_trained_again_it_ends_where_it_ended(store, tmp_path):
    """A record that `stop_at` ended at its first evaluation, asked for with another schedule,
    under which it would go on."""
    early = replace(JOB.run, stop_at=0.001)
    job = JOB._replace(run=early, schedule=replace(JOB.schedule, every=2))
    store.save(*job, train(*job), "cpu", "")
    steps = len(store.load(early.hash)["losses"])
    assert steps < early.training_steps
    store.weights_path(early.hash).unlink()
    asked = job._replace(schedule=replace(JOB.schedule, every=early.training_steps, other_steps=(2,)))
    done = sweep([asked], store, workers=1, threads=1)
    assert ((done.finished, done.failed) == (1, []) and store.has(*asked)
            and len(store.load(early.hash)["losses"]) == steps)


@pytest.mark.parametrize("of_there", [{}, {"losses": [1.0] * 4}], ids=["the same losses", "another machine's"])
def test_a_record_that_is_there_loses_nothing(store, tmp_path, of_there):
    """Neither its evaluations with other numbers of steps, nor, where its losses are others, anything."""
    bare, asked = Store(tmp_path / "bare"), JOB._replace(schedule=replace(JOB.schedule, other_steps=(2,)))
    sweep([JOB._replace(schedule=replace(JOB.schedule, other_steps=(3,)))], store, workers=1, threads=1)
    bare.write(store.load(JOB.run.hash) | {"command": "there"} | of_there)
    there = bare.load(JOB.run.hash)
    done = sweep([asked], bare, workers=1, threads=1)
    now = bare.load(JOB.run.hash)
    if of_there:
        assert done.finished == 0 and "has other losses than the run has here" in done.failed[0] and now == there
    else:
        assert done.finished == 1 and (now["command"], bare.other_steps(now)) == ("there", {2, 3})
        assert all(one in now["other_steps"] for one in there["other_steps"])


def test_missing_steps_are_evaluated_on_as_many_problems_as_the_record_has(store):
    """Whatever the schedule that asks for them says of other evaluations."""
    sweep([JOB._replace(schedule=replace(JOB.schedule, problems=3, other_steps=(2,)))], store, workers=1, threads=1)
    record = store.load(JOB.run.hash)
    assert ({one["count"] for one in record["other_steps"]} == {JOB.schedule.problems}
            == {record["schedule"]["problems"]})


def test_jobs_may_come_one_by_one(tmp_path):
    store = Store(tmp_path)
    assert sweep((job for job in [JOB]), store, workers=1, threads=1).finished == 1 and store.has(JOB.run)


def test_a_record_that_is_not_there_is_a_value_error(tmp_path):
    with pytest.raises(ValueError, match="there is no record .*0123456789ab.json: `python -m tarm list --store"):
        Store(tmp_path).load("0123456789ab")


def test_a_script_that_sweeps_outside_its_main_part_is_told(tmp_path):
    """Each process that trains imports the script, which would begin another sweep."""
    script = tmp_path / "script.py"
    script.write_text("from tarm.store import Store\nfrom tarm.studies import jobs\nfrom tarm.sweep import sweep\n"
                      "sweep(jobs('smoke', rung=['dense'], task=['copy']), Store('runs'), workers=1)\n",
                      encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and 'under `if __name__ == "__main__":`' in done.stderr


def test_a_run_that_a_worker_does_not_know_is_refused_before_any_begins(tmp_path, monkeypatch):
    monkeypatch.setitem(LADDER, "of_this_process", LADDER["iterative"]._replace(key="of_this_process"))
    run = replace(JOB.run, rung="of_this_process", steps=None)
    with pytest.raises(ValueError, match="of_this_process: registered here.* --plugin or TARM_PLUGINS"):
        sweep([JOB, JOB._replace(run=run)], Store(tmp_path), workers=2, threads=1)
    assert not any(tmp_path.rglob("*.json"))


def test_an_interrupt_ends_the_pools_processes_and_no_other():
    context = multiprocessing.get_context("spawn")
    mine = context.Process(target=time.sleep, args=(600,))
    mine.start()
    with ProcessPoolExecutor(1, context) as pool:
        task = pool.submit(time.sleep, 600)
        while not task.running():
            time.sleep(0.01)
        stop(pool)
    assert mine.is_alive()
    mine.terminate()
    mine.join()


def test_what_another_sweep_is_completing_is_left_alone(store):
    """A finished run whose lock is held keeps its lock and what was saved of it; freed, both go."""
    unfinished = store.unfinished_path(JOB.run.hash)
    with store.lock(JOB.run.hash):
        unfinished.write_text("progress")
        store.clear_finished(JOB.run.hash)
        assert unfinished.exists() and unfinished.with_suffix(".lock").exists()
    for left in unfinished, unfinished.with_name(f".{unfinished.name}.7.part"):
        left.write_text("progress")
        store.clear_finished(JOB.run.hash)
        assert not left.exists() and not unfinished.with_suffix(".lock").exists()


@pytest.mark.parametrize("weights", sorted((COMMITTED / "weights").iterdir()), ids=lambda path: path.stem)
def test_committed_weights_give_their_records_last_evaluation(weights):
    """But for what rounding on another machine may turn: two of a thousand characters."""
    store = Store(COMMITTED)
    run = run_from((record := store.load(weights.stem))["configuration"])
    *_, last = (score for score in scores(record)
                if (score.length, score.problems, score.decoding) == (run.length, "unseen", "greedy"))
    problems = unseen_problems(TASKS[run.task], run.length, run.seed, last.count)
    right = generate(store.model(record), problems.prompt, problems.answer.shape[1]) == problems.answer
    assert last.step == run.training_steps and abs(int(right.sum()) - sum(last.correct)) <= 0.002 * right.numel()

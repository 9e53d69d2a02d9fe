"""The command line, called as a user calls it: what it prints, writes, refuses."""

import inspect
import io
import itertools
import json
import os
import queue
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch

from tarm import LADDER, TASKS, commands, gallery
from tarm.architecture import CHOICES
from tarm.__main__ import main
from tarm.decoding import complete, gumbel
from tarm.evaluation import metrics
from tarm.store import COMMITTED, PROJECT, Store
from tarm.streams import stream
from tarm.sweep import Sweep, _run_job, explain, sweep
from tarm.studies import jobs
from tarm.table import read as read_table
from tarm.training import train


COMMANDS = sorted(name for names in commands.MODULES.values() for name in names)
JOB, = jobs("smoke", rung=["universal"], task=["copy"])
ALONE = ["--jobs", "1", "--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store with one trained run, made by the command itself."""
    folder = tmp_path_factory.mktemp("store")
    words = shlex.split("train --profile smoke --rung universal --task copy")
    assert main([*words, *ALONE, "--store", str(folder)]) == 0
    return folder


@pytest.fixture
def tarm(folder, capsys):
    """tarm("list --json") -> (exit code, what it printed, its errors), on that store."""
    def call(line):
        words = shlex.split(line)
        try:
            code = main([*words, *(() if words[0] in ("ladder", "bench", "test") else ("--store", str(folder)))])
        except SystemExit as stop:  # argparse ends this way
            code = stop.code
        return code, *capsys.readouterr()
    return call


def records(folder):
    """{name: bytes} of the records of a store."""
    return {path.name: path.read_bytes() for path in (folder / "records").iterdir()}


def test_train_makes_the_run_of_the_profile(folder):
    record = Store(folder).load(JOB.run.hash)
    assert record["command"].startswith("python -m tarm train --profile smoke --rung universal --task copy")
    assert set(read_table(folder)["run"]) == {JOB.run.hash}


def test_sweep_trains_what_is_missing_and_then_nothing(tarm, folder):
    line = shlex.join(["sweep", "--profile", "smoke", "--rung", "universal,ar_trm", "--task", "copy", *ALONE])
    before = records(folder)
    assert tarm(line)[0] == 0
    after = records(folder)
    assert before.items() < after.items() and len(after) == len(before) + 1
    assert set(read_table(folder)["rung"]) == {"universal", "ar_trm"}
    assert tarm(line)[0] == 0
    assert records(folder) == after


@pytest.fixture
def asked(monkeypatch):
    """What commands give to `sweep`, a dict of its arguments a call, in place of training."""
    calls = []

    def pretend(*arguments):
        calls.append(inspect.signature(sweep).bind(*arguments).arguments)
        return Sweep(0, 0, 0, [])

    monkeypatch.setattr("tarm.commands.training.sweep", pretend)
    return calls


def test_train_takes_every_field_of_a_run(tarm, asked):
    """Values that differ from the profile's end up in the run."""
    assert tarm("train --profile smoke --rung ar_trm --task addition --length 2 --steps 1 --outer 1 --norm post "
                "--scale unit --window all --step-embeddings false --eps 1e-10 --seed 3 --training-steps 1")[0] == 0
    (job,) = asked[0]["jobs"]
    given = {"length": 2, "steps": 1, "budget": 3, "outer": 1, "norm": "post", "scale": "unit", "window": "all",
             "step_embeddings": False, "eps": 1e-10, "training_steps": 1, "width": 16, "batch": 8, "seed": 3}
    assert asdict(job.run).items() >= given.items()


def test_what_does_not_change_a_number_reaches_the_sweep(tarm, asked):
    assert tarm("train --profile smoke --rung dense --task copy --device cpu --jobs 3 --threads 2 --minutes 5 "
                "--save-every 7 --recompute --compile")[0] == 0
    given = {"device": "cpu", "workers": 3, "threads": 2, "minutes": 5, "save_every": 7, "recompute": True,
             "compiled": True}
    assert asked[0].items() >= given.items()


def test_a_record_names_no_folder_of_the_machine(tarm, asked, tmp_path):
    """However the path is written; the fixture itself adds --store and a path."""
    assert main(["train", "--profile", "smoke", "--rung", "dense", "--task", "copy",
                 f"--store={tmp_path / 'mine'}"]) == 0
    assert tarm("train --profile smoke --rung dense --task copy")[0] == 0
    assert asked[0]["command"].endswith("--task copy --store=mine")
    assert re.fullmatch(r"python -m tarm train .* --task copy --store store\d*", asked[1]["command"])


def test_evaluate_prints_a_row_per_length_problems_and_decoding(tarm):
    code, out, _ = tarm(f"evaluate {JOB.run.hash[:6]} --lengths 4,6 --problems 5")
    assert code == 0
    rows = [line.split()[:5] for line in out.splitlines()[2:]]
    assert rows == [[length, str(JOB.run.steps), problems, decoding, "5"]
                    for length, drawn in (("4", "seen"), ("6", "any"))
                    for problems in (drawn, "unseen") for decoding in ("greedy", "sampled")]
    assert "this run has met the first 32 only" in tarm(f"evaluate {JOB.run.hash[:6]}")[2]
    assert tarm(f"evaluate {JOB.run.hash[:6]} --lengths 16 --problems 2")[0] == 0  # just fits the context of 32


def test_evaluate_prints_what_training_recorded(tmp_path, capsys):
    """Of a run that ended early, after 2 of 6 steps: the same problems, and sampled with the same noise."""
    run, schedule = (replace(JOB.run, training_steps=6, stop_at=1e-9),
                     replace(JOB.schedule, lengths=(4,), final_lengths=()))
    result = train(run, schedule)
    assert len(result.losses) == 2
    Store(tmp_path).save(run, schedule, result, "cpu", "")
    assert main(["evaluate", run.hash, "--problems", "8", "--store", str(tmp_path)]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    recorded = {(score.problems, score.decoding): metrics(score) for score in result.scores if score.step == 2}
    assert {(row[2], row[3]): row[5:] for row in printed} == {
        kind: [f"{found[name][0]:.1%}" for name in ("character", "sequence", "first", "last")]
        for kind, found in recorded.items()}


def test_evaluate_takes_other_steps_than_were_trained(tarm):
    """One step less is what a call of that many steps writes, and as many as trained what is written
    without the option."""
    def rows(options):
        return [line.split() for line in tarm(f"evaluate {JOB.run.hash} {options}")[1].splitlines()[2:]]

    trained = str(JOB.run.steps)
    assert [row[1] for row in rows(f"--steps 1,{trained},9")] == ["1"] * 4 + [trained] * 4 + ["9"] * 4
    assert rows(f"--steps {trained}") == rows("")


@pytest.mark.parametrize("changes, halted", [({"halting_bias": 20.0}, True), ({"halting_bias": -20.0}, False),
                                             ({"rung": "ar_trm"}, False), ({"rung": "iterative"}, False)])
def test_evaluate_says_where_a_model_stops_earlier(tmp_path, capsys, changes, halted):
    run = replace(JOB.run, training_steps=1, steps=None, **changes)
    Store(tmp_path).save(run, JOB.schedule, train(run, JOB.schedule), "cpu", "")
    assert main(["evaluate", run.hash, "--steps", "1,3", "--problems", "5", "--store", str(tmp_path)]) == 0
    assert ("note: after 1 steps every position has halted" in capsys.readouterr().err) == halted


@pytest.mark.parametrize(
    "options, limit, seed", [("", 64, None), ("--sample", 64, 0), ("--sample --seed 1", 64, 1), ("--limit 3", 3, None)]
)
def test_generate_prints_a_completion(tarm, folder, options, limit, seed):
    """What `complete` writes, which stops at the context of 32 or the limit; another seed is another sample."""
    model = Store(folder).model(Store(folder).load(JOB.run.hash))
    noise = None if seed is None else gumbel((1, limit, model.architecture.vocabulary), stream(seed, "decoding"))
    code, out, err = tarm(f"generate {JOB.run.hash} '1234|' {options}")
    assert (code, out, err) == (0, complete(model, "1234|", limit, noise) + "\n", "")
    if seed:
        assert out != tarm(f"generate {JOB.run.hash} '1234|' --sample")[1]


def test_a_sample_draws_where_the_model_is(monkeypatch):
    """The noise is made on the CPU, and goes where the prompt goes: here to a device that holds no numbers."""
    model, seen = JOB.run.build().to("meta"), []
    monkeypatch.setattr("tarm.decoding.generate",
                        lambda model, prompt, n, noise: seen.append((prompt, noise)) or torch.tensor([[0]]))
    complete(model, "12|", 4, torch.zeros(1, 4, 14))
    assert {part.device.type for part in seen[0]} == {"meta"}


def test_generate_says_where_the_prompt_has_other_lengths_than_the_training(tarm):
    """The run was trained on 4 digits. What stands after the last sign is an answer begun, not an operand."""
    for prompt, said in {"1234|": None, "1234|12": None, "1234+1234=": None, "123": "prompts that end in '|'",
                         "12+345=": "operands of 4 digits, not of 2 or 3", "12345|": "operands of 4 digits, not of 5",
                         "1234+1=": "operands of 4 digits, not of 1"}.items():
        code, out, err = tarm(f"generate {JOB.run.hash} '{prompt}'")
        assert code == 0 and out.endswith("\n")
        if said is None:
            assert err == ""
        else:
            assert len(err.splitlines()) == 1 and f"trained on {said}" in err


def test_a_model_of_more_characters_may_write_them(tmp_path, capsys):
    """Of 400 characters 14 have a sign of their own, and a model hardly trained writes others too."""
    run = replace(JOB.run, vocabulary=400)
    Store(tmp_path).save(run, JOB.schedule, train(run, JOB.schedule), "cpu", "")
    assert main(["generate", run.hash, "1234|", "--sample", "--limit", "20", "--store", str(tmp_path)]) == 0
    assert "?" in capsys.readouterr().out


def test_ladder_is_the_table_of_rungs(tarm):
    """Steps, passes and parameters as published (width 384, budget 24)."""
    code, out, _ = tarm("ladder")
    rows = [line.split() for line in out.splitlines()[1:-2]]
    assert code == 0 and [row[1] for row in rows] == list(LADDER)
    assert out.splitlines()[-1].startswith("width 384, 6 heads, 180 positions; outside the ladder: ar_trm_cured")
    sizes = {row[1]: words for row in rows if (words := [word for word in row if word.replace(",", "").isdigit()][1:])}
    assert sizes["dense"] == ["24", "24", "42,640,142"]
    assert sizes["dual_ut"] == ["12", "24", "1,859,727"]
    assert sizes["ar_trm"][:3] == ["4", "24", "1,856,655"]


def test_list_names_every_run(tarm, folder):
    code, out, _ = tarm("list")
    assert code == 0
    header, *lines, total = out.splitlines()
    column = header.split().index("training_steps")
    steps = {line.split()[0]: line.split()[column] for line in lines}
    assert steps[JOB.run.hash] == "4"
    records = Store(folder).records()
    assert set(steps) == {record["run"] for record in records}
    hours = sum(record["ledger"]["training_seconds"] for record in records) / 3600
    assert total == f"{len(records)} run{'s' * (len(records) > 1)}, {hours:.1f} hours of training"


@pytest.mark.parametrize("options, listed", [
    ("--study main", True), ("--profile smoke", True), ("--study cross_part", False),
    ("--study main --profile cpu", False)])
def test_list_can_be_narrowed_to_a_study_and_a_profile(tarm, options, listed):
    code, out, _ = tarm(f"list --json {options}")
    assert code == 0 and (JOB.run.hash in out) == listed


def test_list_as_json_is_an_object_a_line(tarm, folder):
    code, out, _ = tarm("list --json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["run"] for line in lines] == [record["run"] for record in Store(folder).records()]
    this, = (line for line in lines if line["run"] == JOB.run.hash)
    assert (this["rung"], this["nominal_passes"], this["diverged_at"]) == ("universal", 12, None)
    assert 0 <= this["accuracy"] <= 1


def test_export_copies_the_records_of_a_profile_and_nothing_of_other_runs(tarm, folder, tmp_path, monkeypatch):
    """Into the committed folder: the runs of the profile's lists, one of its own not, and no weights or figures."""
    committed = tmp_path / "figures" / "data"
    monkeypatch.setattr("tarm.commands.published.COMMITTED", committed)
    own = replace(JOB.run, width=8)
    Store(folder).save(own, JOB.schedule, train(own, JOB.schedule), "cpu", "")
    code, out, _ = tarm("export --profile smoke")
    assert code == 0 and str(committed) in out
    listed = {run.hash for run, _ in jobs("smoke")}
    exported = {record["run"] for record in Store(committed).records()}
    assert JOB.run.hash in exported <= listed
    assert set(read_table(committed)["run"]) == exported
    assert {path.suffix for path in committed.parent.rglob("*") if path.is_file()} == {".json", ".gz", ".md"}
    assert tarm("export --profile paper")[0] == 1


def test_export_takes_nothing_of_plugins(folder, tmp_path, monkeypatch, capsys):
    """They would be among the project's own runs."""
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    monkeypatch.setenv("TARM_PLUGINS", "")  # which the command sets
    monkeypatch.setattr("tarm.commands.published.COMMITTED", tmp_path / "data")
    assert main(["--plugin", str(tmp_path / "mine.py"), "export", "--profile", "smoke", "--store", str(folder)]) == 1
    assert "would commit those of" in capsys.readouterr().err and not (tmp_path / "data").exists()


def test_export_leaves_what_is_committed_with_other_losses(tmp_path, monkeypatch, capsys):
    """As another machine has them, unless it is asked to; evaluations that are lacking are taken where
    the losses agree."""
    mine, committed = Store(tmp_path / "mine"), Store(tmp_path / "figures" / "data")
    monkeypatch.setattr("tarm.commands.published.COMMITTED", committed.root)
    other, same = (job.run.hash for job in jobs("smoke", rung=["iterative"])[:2])
    for job in jobs("smoke", rung=["iterative"])[:2]:
        mine.save(*job, train(*job), "cpu", "")

    def export(*words):
        assert main(["export", "--profile", "smoke", "--store", str(mine.root), *words]) == 0
        return capsys.readouterr().out

    export()
    before = committed.load(other)
    committed.write(before | {"losses": [1.0] * 4})
    committed.add_other_steps(committed.load(same), [{"steps": 7}])
    mine.add_other_steps(mine.load(same), [{"steps": 5}])
    assert "left as they are: 1" in export() and committed.load(other)["losses"] == [1.0] * 4
    assert "other losses" not in export("--replace") and committed.load(other) == before
    assert committed.load(same)["other_steps"] == [{"steps": 7}, {"steps": 5}]


def test_export_of_the_cpu_profile_draws_what_is_committed(tmp_path, monkeypatch):
    """The committed table and figures' rows are what the committed records give."""
    again = tmp_path / "figures" / "data"
    monkeypatch.setattr("tarm.commands.published.COMMITTED", again)
    shutil.copytree(COMMITTED / "records", again / "records")
    assert main(["export", "--profile", "cpu", "--store", str(COMMITTED)]) == 0
    tables = [path.relative_to(COMMITTED) for path in (COMMITTED / "results").iterdir()]
    assert len(tables) > 30 and len(tables) == len(list((again / "results").iterdir()))
    names = [*tables, *(f"{stem}.csv" for stem in gallery.FIGURES)]
    assert [name for name in names if (again / name).read_bytes() != (COMMITTED / name).read_bytes()] == []


def test_merge_takes_what_is_good_and_names_what_is_not(tarm, folder, tmp_path):
    other = Store(tmp_path / "other")
    good, bad = replace(JOB.run, seed=11), replace(JOB.run, seed=12)
    for run in good, bad:
        other.save(run, JOB.schedule, train(run, JOB.schedule), "cpu", "")
    path = other.record_path(bad.hash)
    path.write_text(path.read_text().replace('"seed": 12', '"seed": 13'))
    code, out, err = tarm(f"merge {shlex.quote(str(other.root))}")
    assert code == 1 and "1 records taken" in out and bad.hash in err and len(err.splitlines()) == 1
    assert Store(folder).has(good) and not Store(folder).has(bad)
    assert Store(folder).model(Store(folder).load(good.hash))


def test_merge_completes_a_record_that_lacks_weights_or_evaluations(folder, tmp_path, capsys):
    """Once; and not from another training."""
    bare, other = Store(tmp_path / "bare"), Store(tmp_path / "other")
    bare.take(Store(folder), Store(folder).load(JOB.run.hash), weights=False)
    shutil.copytree(folder, other.root)
    other.add_other_steps(other.load(JOB.run.hash), [{"steps": 5}, {"steps": 7}])
    bare.add_other_steps(bare.load(JOB.run.hash), [{"steps": 7, "mine": True}])
    path = bare.record_path(JOB.run.hash)
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"losses": [1.0] * 4}))
    assert main(["merge", str(other.root), "--store", str(bare.root)]) == 0 and (out := capsys.readouterr().out)
    assert ("that were there without" not in out
            and "there with other losses, as another machine has them, and left as they are: 1" in out)
    path.write_text(whole)
    assert main(["merge", str(other.root), "--store", str(bare.root)]) == 0
    assert "1 completed that were there without weights or evaluations" in capsys.readouterr().out
    assert bare.load(JOB.run.hash)["other_steps"] == [{"steps": 7, "mine": True}, {"steps": 5}]
    bare.write(bare.load(JOB.run.hash) | {"evaluations": []})
    assert main(["merge", str(other.root), "--store", str(bare.root)]) == 0 and (out := capsys.readouterr().out)
    assert "0 records taken" in out and f"{len(bare.records())} there already" in out
    assert "of these with the same losses and other evaluations, and left as they are: 1" in out
    assert bare.weights_path(JOB.run.hash).read_bytes() == other.weights_path(JOB.run.hash).read_bytes()


def test_a_table_goes_to_a_terminal_that_lacks_some_signs(folder, monkeypatch):
    """Windows' cp1252 has neither the minus nor the root of the rule."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="cp1252"))
    monkeypatch.setattr("sys.argv", ["tarm", "verdict", "--store", str(folder)])
    monkeypatch.delitem(sys.modules, "tarm.__main__")
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("tarm", run_name="__main__")
    sys.stdout.flush()
    assert stop.value.code == 0 and b"published numbers" in written.getvalue()


@pytest.mark.parametrize("line", ["verdict", "check-records", "export", "test", "figures --profile paper"])
def test_what_needs_the_projects_files_says_so_where_there_are_none(line, tmp_path, monkeypatch, capsys):
    """As installed from a wheel."""
    monkeypatch.setattr("tarm.store.PROJECT", tmp_path)
    assert main(shlex.split(line)) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and "take a clone of the project" in err


def test_a_variant_with_a_name_is_found_in_a_study_and_blanks_do_not_matter(tmp_path, capsys):
    """Of what has 3 passes one rung 7 has post-norm and unit scale."""
    assert main(["sweep", "--study", "depth_small", "--rung", "dense, ar_trm_cured", "--budget", "3", "--dry-run",
                 "--store", str(tmp_path), "--device", "cpu"]) == 0
    dense, cured, total = capsys.readouterr().out.splitlines()
    assert "rung=dense" in dense and "rung=ar_trm" in cured and "norm=post scale=unit" in cured


def test_rm_asks_and_takes_no_answer_for_no(tarm, folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert tarm(f"rm {JOB.run.hash}")[0] == 0
    assert Store(folder).has(JOB.run)


def test_a_damaged_record_is_named_and_hides_no_other(folder, tmp_path, capsys):
    """list shows the rest and ends with 1, a sweep of other runs goes on without it, and rm can remove it. A sweep that
    has it among its runs says so."""
    shutil.copytree(folder, tmp_path / "it")
    good = len(records(folder))
    (tmp_path / "it" / "records" / "0123456789ab.json").write_text('{"schema"', encoding="utf-8")
    here = ["--store", str(tmp_path / "it")]
    assert main(["list", *here]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + good + 1 and "0123456789ab.json is not a record that can be used" in err
    sweep_it = ["sweep", "--profile", "smoke", "--rung", "universal", "--task", "copy", *ALONE, *here]
    assert main(sweep_it) == 0
    assert len(records(tmp_path / "it")) == good + 1
    assert main(["rm", "0123456789ab", "--yes", *here]) == 0
    assert main(["list", *here]) == 0
    Store(tmp_path / "it").record_path(JOB.run.hash).write_text('{"schema"', encoding="utf-8")
    capsys.readouterr()
    assert main(sweep_it) == 1  # a record of its own is not what it says it is
    assert f"{JOB.run.hash}.json is not a record that can be used" in capsys.readouterr().err


def test_a_diverged_run_is_asked_with_a_warning(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / "it")
    path = Store(tmp_path / "it").record_path(JOB.run.hash)
    record = json.loads(path.read_text(encoding="utf-8")) | {"diverged_at": 2}
    path.write_text(json.dumps(record), encoding="utf-8")
    assert main(["generate", JOB.run.hash, "1234|", "--store", str(tmp_path / "it")]) == 0
    assert "this run diverged at step 2" in capsys.readouterr().err


def test_dry_run_estimates_and_trains_nothing(tarm, folder):
    code, out, _ = tarm("sweep --profile smoke --rung universal,dense --task copy --dry-run")
    dense, there, total = out.splitlines()
    assert code == 0 and "rung=dense" in dense and there.split()[:2] == ["there", JOB.run.hash]
    assert ("hours, evaluation included" in total
            and not [r for r in Store(folder).records() if r["configuration"]["rung"] == "dense"])


def test_minutes_save_and_leave(tmp_path, capsys):
    """Next to no time: nothing is finished, and that is said, without an error."""
    assert main(["sweep", "--profile", "smoke", "--rung", "universal,ar_trm", "--task", "copy", "--minutes", "1e-9",
                 "--store", str(tmp_path), *ALONE]) == 0
    assert "2 runs: 0 there, 0 finished now, 2 left" in capsys.readouterr().out


def test_filters_are_values_not_spellings(tarm):
    """0 is 0.0 and 1e-3 is 0.001."""
    code, out, _ = tarm("sweep --profile smoke --task copy --rung dense --dropout 0 --learning-rate 1e-3 "
                        "--step-embeddings true --dry-run")
    assert code == 0 and "hours, evaluation included" in out


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """run(job, deadline=None) -> (Outcome, its store): what a worker process does with a job, in this process."""
    monkeypatch.setattr("tarm.sweep._progress", queue.SimpleQueue())
    return lambda job, deadline=None: (_run_job(job, Store(tmp_path), "cpu", "", deadline, 60, False, False, False),
                                       Store(tmp_path))


def test_a_record_says_what_was_compiled(tmp_path, monkeypatch):
    """Not what was recomputed."""
    monkeypatch.setattr("tarm.sweep._progress", queue.SimpleQueue())
    asked = []
    monkeypatch.setattr(torch, "compile", lambda forward, **options: asked.append(options) or forward)
    for recompute, compiled in (True, False), (False, True):
        store = Store(tmp_path / str(compiled))
        assert _run_job(JOB, store, "cpu", "", None, 60, recompute, compiled, False).word == "finished"
        assert store.load(JOB.run.hash)["environment"].get("compiled", False) is compiled and len(asked) == compiled


def test_without_a_compiler_the_way_out_is_named_in_one_line(tmp_path, monkeypatch):
    """Where it compiles in earnest."""
    monkeypatch.setattr("tarm.sweep._progress", queue.SimpleQueue())
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "no-such-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch._dynamo.reset()
    outcome = _run_job(JOB, Store(tmp_path), "cpu", "", None, 60, False, True, False)
    assert outcome.word == "failed" and len(outcome.line.splitlines()) == 1
    assert "leave out --compile, which needs a C++ compiler" in outcome.line


def test_a_run_that_diverges_is_recorded(worker, capsys):
    """At a learning rate of 1e30 the second loss is not a number; the step is in the record."""
    wild = replace(JOB.run, rung="dense", learning_rate=1e30)
    outcome, store = worker(JOB._replace(run=wild))
    assert outcome.word == "finished" and "diverged at step 2" in outcome.line
    assert store.load(wild.hash)["diverged_at"] == 2
    assert main(["list", "--store", str(store.root)]) == 0 and "diverged" in capsys.readouterr().out


def test_a_run_that_is_not_evaluated_at_its_own_length_says_so(worker, capsys):
    """The program interface allows it; it is no divergence."""
    outcome, store = worker(JOB._replace(schedule=replace(JOB.schedule, lengths=(5,), final_lengths=())))
    assert outcome.word == "finished" and "not evaluated at length 4 after 4 steps" in outcome.line
    assert main(["list", "--store", str(store.root)]) == 0 and "diverged" not in capsys.readouterr().out


def test_a_run_that_cannot_go_on_fails_by_itself_with_a_line(worker, tmp_path):
    path = Store(tmp_path).unfinished_path(JOB.run.hash)
    path.parent.mkdir()
    path.write_bytes(b"garbage")
    outcome, store = worker(JOB)
    assert outcome.word == "failed" and path.name in outcome.line and len(outcome.line.splitlines()) == 1
    assert not store.has(JOB.run) and path.read_bytes() == b"garbage"


def test_a_run_that_another_process_holds_is_left_to_it(worker, tmp_path):
    with Store(tmp_path).lock(JOB.run.hash):
        outcome, store = worker(JOB)
    assert outcome.word == "busy" and not store.has(JOB.run)


def test_at_the_deadline_a_run_is_saved_and_goes_on_later(worker, tmp_path, monkeypatch):
    """Time passes a second a look: it is up in the middle of four steps."""
    seconds = itertools.count()
    monkeypatch.setattr("time.time", lambda: next(seconds))
    outcome, store = worker(JOB, deadline=3)
    assert outcome.word == "stopped" and "its progress is saved" in outcome.line
    assert store.unfinished_path(JOB.run.hash).exists() and not store.has(JOB.run)
    outcome, store = worker(JOB)
    assert outcome.word == "finished" and len(store.load(JOB.run.hash)["losses"]) == 4
    assert not store.unfinished_path(JOB.run.hash).exists()


def test_one_run_that_fails_does_not_end_the_others(tmp_path):
    """In one process of its own, which goes on with the next."""
    dense, = jobs("smoke", rung=["dense"], task=["copy"])
    path = Store(tmp_path).unfinished_path(dense.run.hash)
    path.parent.mkdir()
    path.write_bytes(b"garbage")
    done = sweep([dense, JOB], Store(tmp_path), workers=1, threads=1)
    assert done.finished == 1 and len(done.failed) == 1 and path.name in done.failed[0]
    assert Store(tmp_path).has(JOB.run) and not Store(tmp_path).has(dense.run)


def test_runs_that_failed_end_the_command_with_one_line(tarm, monkeypatch):
    monkeypatch.setattr("tarm.commands.training.sweep", lambda *_: Sweep(1, 0, 0, ["0123456789ab Dense: why"]))
    code, out, err = tarm("train --profile smoke --rung dense --task copy")
    assert (code == 1 and "1 finished now, 0 left, 1 failed" in out
            and err == "tarm: 1 runs failed, the first: 0123456789ab Dense: why\n")


def test_an_interrupt_says_how_to_go_on(tarm, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tarm.commands.training.sweep", interrupted)
    code, out, err = tarm("train --profile smoke --rung dense --task copy")
    assert code == 130 and "the same command goes on from there" in err and len(err.splitlines()) == 1
    monkeypatch.setattr("tarm.commands.keeping.show", interrupted)
    assert tarm("list")[::2] == (130, "interrupted\n")


def test_a_pipe_that_nobody_reads_ends_quietly_and_not_as_a_success(folder):
    """As `list | head` does, whatever of it is still to be written."""
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-m", "tarm", "list", "--store", str(folder)], stdout=writing,
                          stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_out_of_memory_names_what_to_lower():
    line = explain(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmuch"), JOB.run, "cuda")
    assert len(line.splitlines()) == 1 and all(word in line for word in ("cuda", "batch=8", "width=16", "--jobs"))
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**55)
    assert explain(raised.value, JOB.run, "cpu").startswith("out of memory on cpu with batch=8")


def test_rm_names_every_run_that_it_left(tmp_path, capsys):
    """And removes the others, a file that is no record among them."""
    store, runs = Store(tmp_path), [JOB.run, replace(JOB.run, seed=1)]
    for run in runs:
        store.save(run, JOB.schedule, train(run, JOB.schedule), "cpu", "")
    store.record_path("0" * 12).write_text("{}")
    held = [run.hash for run in runs]
    with store.lock(held[0]), store.lock(held[1]):
        assert main(["rm", held[0], "0" * 12, held[1], "--yes", "--store", str(tmp_path)]) == 1
    line = capsys.readouterr().err
    assert all(f"a sweep is at {one}" in line for one in held)
    assert len(store.records()) == 2


def test_an_empty_choice_is_no_choice_of_everything(tarm, asked):
    for line in "sweep --profile smoke --rung ''", f"evaluate {JOB.run.hash[:6]} --lengths ''":
        code, _, err = tarm(line)
        assert code == 1 and len(err.splitlines()) == 1 and "''" in err
    assert asked == []


def test_a_store_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert main(["train", "--profile", "smoke", "--rung", "dense", "--task", "copy", "--store", str(tmp_path / "file"),
                 *ALONE]) == 1
    assert capsys.readouterr().err.startswith("tarm: ")


# What a user may get wrong: an exit code, one line that names the value, no traceback.


@pytest.mark.parametrize("line, words", [
    ("evaluate zzz", "begin with 'zzz'"),
    ("evaluate RUN --lengths 0", "length=0"),
    ("evaluate RUN --lengths x", "'x'"),
    ("evaluate RUN --steps x", "'x'"),
    ("evaluate RUN --steps 0", "steps=0"),
    ("--plug nowhere.py ladder", "invalid choice: 'nowhere.py'"),
    ("--plugin", "--plugin: expected one argument"),
    ("evaluate RUN --lengths 50", "context"),
    ("evaluate RUN --problems 0", "problems"),
    ("evaluate RUN --device warp", "'warp'"),
    ("generate zzz 12|", "begin with 'zzz'"),
    ("generate RUN 12a", "'a' is not in the vocabulary"),
    ("generate RUN ''", "prompt is empty"),
    ("generate RUN 12| --limit -1", "limit"),
    ("generate RUN 12| --limit 0 --sample", "limit=0"),
    ("generate RUN " + "1" * 40, "context of 32"),
    ("ladder --heads 5", "heads=5"),
    ("ladder --budget 25", "nearest budgets are 24 or 26"),
    ("rm ''", "name is empty"),
    ("train --profile smoke --rung dense --task copy --batch 2.5", "batch='2.5' is not a whole number"),
    ("train --profile smoke --rung dense --task copy --dropout x", "dropout='x' is not a number"),
    ("sweep --profile smoke --rung dense,dens", "'dens'"),
    ("sweep --profile smoke --task sort", "'sort'"),
    ("sweep --profile smoke --study cause", "paper"),
    ("sweep --profile smoke --seeds 0", "seeds='0'"),
    ("sweep --profile smoke --seeds 00", "seeds='00'"),
    ("sweep --profile smoke --seeds x", "'x'"),
    ("sweep --profile smoke --seeds ''", "seeds=''"),
    ("sweep --profile smoke --rung dense --device warp", "'warp'"),
    ("train --profile smoke --rung dens --task copy", "rung='dens'"),
    ("train --profile smoke --rung dense --task sort", "task='sort'"),
    ("train --profile smoke --rung dense --task copy --outer 3", "outer=3 has no meaning for dense"),
    ("train --profile smoke --rung universal --task copy --step-embeddings maybe", "maybe"),
    ("train --profile smoke --rung dual_ut --task copy --budget 7", "nearest budgets are 6 or 8"),
    ("train --profile tiny --rung dense --task copy", "tiny"),
    ("train --profile smoke --rung dense --task copy --vocabulary 5", "vocabulary=5 .* 14 or more"),
    ("train --profile smoke --rung dense --task copy --minutes -1", "--minutes: '-1' is not a positive number"),
    ("train --profile smoke --rung dense --task copy --save-every 0", "--save-every: '0'"),
    ("sweep --profile smoke --rung dense --minutes 0 --dry-run", "--minutes: '0'"),
    ("sweep --profile smoke --rung dense --save-every nan", "--save-every: 'nan'"),
    ("sweep --profile smoke --rung dense --dry-run --threads 0", "threads=0"),
    ("sweep --profile smoke --rung dense --dry-run --jobs 0", "jobs=0"),
    ("figures --profile paper --seeds x", "'x'"),
    ("figures --profile smoke --minutes soon", "--minutes: 'soon'"),
    ("train --rung dense", "--task"),
    ("notebooks --parameter profil=smoke", "has a parameter profil:"),
    ("notebooks --parameter profile", "profile"),
    ("notebooks 99", "99"),
    ("fly", "fly"),
    ("sweep --study mine --dry-run", "'mine'.*--plugin FILE.py, before the command"),
])
def test_a_mistake_is_answered_with_one_line(tarm, line, words):
    code, out, err = tarm(line.replace("RUN", JOB.run.hash).replace("|", "'|'"))
    message = err.strip()
    assert code in (1, 2) and "\n" not in message and re.search(words, message), err
    heading = line.startswith(("evaluate", "train", "sweep", "figures", "notebooks"))
    assert len(out.splitlines()) <= (2 if heading else 0), out
    assert not re.match("tarm: (invalid literal|Trying to create|dictionary update)", message)  # Python's own words


def test_damaged_weights_are_answered_with_one_line(folder, tmp_path, capsys):
    """In a copy of the store."""
    shutil.copytree(folder, tmp_path / "copy")
    Store(tmp_path / "copy").weights_path(JOB.run.hash).write_bytes(b"nothing")
    assert main(["evaluate", JOB.run.hash, "--store", str(tmp_path / "copy")]) == 1
    err = capsys.readouterr().err
    assert "are not the weights of this run" in err and "tarm rm" in err and len(err.splitlines()) == 1


def test_weights_that_are_missing_are_no_reason_to_remove_a_run(folder, tmp_path, capsys):
    """Which would lose its record's evaluations."""
    shutil.copytree(folder, tmp_path / "copy")
    Store(tmp_path / "copy").weights_path(JOB.run.hash).unlink()
    assert main(["evaluate", JOB.run.hash, "--store", str(tmp_path / "copy")]) == 1
    err = capsys.readouterr().err
    assert "tarm merge" in err and "tarm rm" not in err and len(err.splitlines()) == 1


def test_a_committed_run_is_not_to_be_removed_for_having_no_weights(capsys):
    """They are left out on purpose."""
    there = {path.stem for path in (COMMITTED / "weights").iterdir()}
    committed = min(path.stem for path in (COMMITTED / "records").glob("*.json") if path.stem not in there)
    assert main(["generate", committed, "0|", "--store", str(COMMITTED)]) == 1
    err = capsys.readouterr().err
    assert "most committed records come without" in err and "tarm rm" not in err


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_help_shows_what_a_field_may_be_and_where_its_value_comes_from(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split()).replace("- ", "-")  # a word may be broken at its hyphen
    for allowed in *CHOICES.values(), LADDER, TASKS:
        assert ", ".join(allowed) in text
    if command == "train":
        assert "has the value that the profile gives it" in text and "--width VALUE published: 384" in text


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    listed = re.findall(r"^ {4}([\w-]+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    assert sorted(listed) == COMMANDS


def test_the_command_line_is_imported_without_what_only_some_commands_need():
    """A sweep's worker processes import it too."""
    code = ("import sys, tarm.__main__, tarm.sweep; "
            "print({'pandas', 'scipy', 'matplotlib', 'papermill'} & set(sys.modules))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=PROJECT).stdout.strip() == "set()"


def test_a_list_is_shown_without_what_draws(folder):
    """In a process of its own: neither SciPy nor matplotlib is imported."""
    code = (f"import sys; from tarm.__main__ import main; main(['list', '--store', {str(folder)!r}]); "
            "print({'scipy', 'matplotlib'} & set(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)
    assert JOB.run.hash in done.stdout and done.stdout.splitlines()[-1] == "set()", done.stderr


def test_verdicts_on_nothing_are_refused(tmp_path, capsys):
    assert main(["verdict", "--store", str(tmp_path)]) == 1
    assert "has no records that can be judged here" in capsys.readouterr().err


def test_verdicts_on_another_store_name_it(folder, capsys):
    assert main(["verdict", "--store", str(folder)]) == 0
    assert f"Made by `python -m tarm verdict --store {folder}` from its records." in capsys.readouterr().out


@pytest.mark.parametrize("words, message", [
    ("--lengths 4,40", "lengths=40: decoding copy reads 80 positions there, and this model has context=32; leave"),
    ("--steps 0", "steps=0 is too small"), ("--problems 0", "problems=0 is too small")])
def test_evaluate_refuses_what_it_cannot_do_before_the_first_row(words, message, folder, capsys):
    assert main(["evaluate", JOB.run.hash, *words.split(), "--store", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert out == "" and re.search(message, err)


@pytest.mark.parametrize("profile, runs", [("smoke", 25), ("cpu", 26)])
def test_figures_trains_what_it_draws(profile, runs, tmp_path, monkeypatch, capsys):
    """The main study and the part of the cross. Here the sweep trains nothing and leaves all of it,
    so that nothing is drawn."""
    asked = []
    monkeypatch.setattr("tarm.commands.training.sweep",
                        lambda these, *rest: asked.extend(these) or Sweep(0, 0, len(these), []))
    assert main(["figures", "--profile", profile, "--store", str(tmp_path), "--device", "cpu"]) == 1
    assert f"{runs} runs are not finished, so nothing is drawn" in capsys.readouterr().err
    assert {job.run.hash for job in asked} == {job.run.hash for study in ("main", "cross_part")
                                               for job in jobs(profile, study)}

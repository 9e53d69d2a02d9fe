"""The command line, called as a user calls it: what it prints, writes, refuses."""

import json
import re
import shlex
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from tarm import LADDER, commands
from tarm.__main__ import main, parser
from tarm.store import Store
from tarm.studies import jobs
from tarm.table import read as read_table
from tarm.training import train


COMMANDS = sorted(name.removeprefix("command_") for name in vars(commands) if name.startswith("command_"))
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
        try:
            code = main([*shlex.split(line), "--store", str(folder)])
        except SystemExit as stop:  # argparse ends this way
            code = stop.code
        return code, *capsys.readouterr()
    return call


def records(folder):
    """{name: bytes} of the records of a store."""
    return {path.name: path.read_bytes() for path in (folder / "records").iterdir()}


def test_train_makes_the_run_of_the_profile_and_its_table(folder):
    record = Store(folder).load(JOB.run.hash)
    assert record["command"].startswith("python -m tarm train --profile smoke --rung universal --task copy")
    assert set(pd.read_csv(folder / "results.csv")["run"]) == {JOB.run.hash}


def test_sweep_trains_what_is_missing_and_then_nothing(tarm, folder):
    line = shlex.join(["sweep", "--profile", "smoke", "--rung", "universal,ar_trm", "--task", "copy", *ALONE])
    before = records(folder)
    assert tarm(line)[0] == 0
    after = records(folder)
    assert before.items() < after.items() and len(after) == len(before) + 1
    assert set(pd.read_csv(folder / "results.csv")["rung"]) == {"universal", "ar_trm"}
    assert tarm(line)[0] == 0
    assert records(folder) == after


def test_train_takes_every_field_of_a_run(tarm, folder):
    """Values that differ from the profile's end up in the record."""
    code, _, _ = tarm("train --profile smoke --rung ar_trm --task addition --length 2 --steps 1 --outer 1 --norm post "
                      "--scale unit --window all --step-embeddings false --eps 1e-10 --seed 3 --training-steps 1 "
                      + shlex.join(ALONE))
    assert code == 0
    configuration, = (r["configuration"] for r in Store(folder).records() if r["configuration"]["seed"] == 3)
    given = {"length": 2, "steps": 1, "budget": 3, "outer": 1, "norm": "post", "scale": "unit", "window": "all",
             "step_embeddings": False, "eps": 1e-10, "training_steps": 1, "width": 16, "batch": 8}
    assert configuration.items() >= given.items()


def test_evaluate_prints_a_row_per_length_problems_and_decoding(tarm):
    code, out, _ = tarm(f"evaluate {JOB.run.hash[:6]} --lengths 4,6 --problems 5")
    assert code == 0
    rows = [line.split()[:4] for line in out.splitlines()[2:]]
    assert rows == [[length, problems, decoding, "5"] for length in ("4", "6") for problems in ("seen", "unseen")
                    for decoding in ("greedy", "sampled")]


@pytest.mark.parametrize("options", ["", "--sample", "--sample --seed 1", "--limit 3", "--limit 3 --sample"])
def test_generate_prints_a_completion(tarm, options):
    """Characters of the vocabulary, at most as many as asked for or fit the context of 32; the same each time."""
    line = f"generate {JOB.run.hash} '1234|' {options}"
    code, out, err = tarm(line)
    assert code == 0, err
    assert set(out) <= set("0123456789|+=\n") and len(out.rstrip("\n")) <= (3 if "limit" in options else 28)
    assert tarm(line)[1] == out


def test_ladder_is_the_table_of_rungs(tarm):
    """Steps, passes and parameters as published (width 384, budget 24)."""
    code, out, _ = tarm("ladder")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert code == 0 and [row[1] for row in rows] == list(LADDER)
    sizes = {row[1]: words for row in rows if (words := [word for word in row if word.replace(",", "").isdigit()][1:])}
    assert sizes["dense"] == ["24", "24", "42,640,142"]
    assert sizes["dual_ut"] == ["12", "24", "1,859,727"]
    assert sizes["ar_trm"][:3] == ["4", "24", "1,856,655"]


def test_list_names_every_run(tarm, folder):
    code, out, _ = tarm("list")
    assert code == 0
    assert {line.split()[0] for line in out.splitlines()[1:]} == {record["run"] for record in Store(folder).records()}


def test_list_as_json_is_an_object_a_line(tarm, folder):
    code, out, _ = tarm("list --json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["run"] for line in lines] == [record["run"] for record in Store(folder).records()]
    this, = (line for line in lines if line["run"] == JOB.run.hash)
    assert (this["rung"], this["nominal_passes"], this["diverged_at"]) == ("universal", 12, None)
    assert 0 <= this["accuracy"] <= 1


def test_export_copies_records_table_and_figures_and_nothing_of_other_runs(tarm, folder, tmp_path, monkeypatch):
    """Into the committed folder: the runs of the profile's lists, one of its own not, and no weights."""
    committed = tmp_path / "figures" / "data"
    monkeypatch.setattr(commands, "COMMITTED", committed)
    drawn = folder / "figures" / "smoke" / "data"
    drawn.mkdir(parents=True, exist_ok=True)
    (drawn.parent / "some_figure.svg").write_text("<svg/>")
    (drawn / "some_figure.csv").write_text("value")
    own = replace(JOB.run, width=8)
    Store(folder).save(own, JOB.schedule, train(own, JOB.schedule), "cpu", "")
    code, out, _ = tarm("export --profile smoke")
    assert code == 0 and str(committed.parent) in out
    listed = {run.hash for run, _ in jobs("smoke")}
    exported = {record["run"] for record in Store(committed).records()}
    assert JOB.run.hash in exported <= listed
    assert set(read_table(committed)["run"]) == exported
    assert {path.name for path in committed.parent.rglob("some_figure.*")} == {"some_figure.svg", "some_figure.csv"}
    assert not list(committed.parent.rglob("*.safetensors"))
    assert tarm("export --profile paper")[0] == 1


# What a user may get wrong: an exit code, one line that names the value, no traceback.


@pytest.mark.parametrize("line, words", [
    ("evaluate zzz", "begin with 'zzz'"),
    ("evaluate RUN --lengths 0", "length=0"),
    ("evaluate RUN --lengths x", "'x'"),
    ("evaluate RUN --lengths 50", "context"),
    ("evaluate RUN --problems 0", "problems"),
    ("evaluate RUN --device warp", "'warp'"),
    ("generate zzz 12|", "begin with 'zzz'"),
    ("generate RUN 12a", "'a' is not in the vocabulary"),
    ("generate RUN ''", "prompt is empty"),
    ("generate RUN 12| --limit -1", "limit"),
    ("generate RUN " + "1" * 40, "context of 32"),
    ("ladder --heads 5", "heads=5"),
    ("ladder --budget 7", "nearest budgets are 6 or 8"),
    ("sweep --profile smoke --rung dense,dens", "'dens'"),
    ("sweep --profile smoke --task sort", "'sort'"),
    ("sweep --profile smoke --study cause", "paper"),
    ("sweep --profile smoke --seeds 0", "seeds='0'"),
    ("sweep --profile smoke --seeds x", "'x'"),
    ("sweep --profile smoke --seeds ''", "seeds=''"),
    ("sweep --profile smoke --rung dense --device warp", "'warp'"),
    ("train --profile smoke --rung dens --task copy", "rung='dens'"),
    ("train --profile smoke --rung dense --task sort", "task='sort'"),
    ("train --profile smoke --rung dense --task copy --outer 3", "outer=3 has no meaning for dense"),
    ("train --profile smoke --rung universal --task copy --step-embeddings maybe", "maybe"),
    ("train --profile smoke --rung dual_ut --task copy --budget 7", "nearest budgets are 6 or 8"),
    ("train --profile tiny --rung dense --task copy", "tiny"),
    ("train --rung dense", "--task"),
    ("notebooks --parameter profil=smoke", "has a parameter profil:"),
    ("notebooks --parameter profile", "profile"),
    ("notebooks 99", "99"),
    ("fly", "fly"),
])
def test_a_mistake_is_answered_with_one_line(tarm, line, words):
    code, out, err = tarm(line.replace("RUN", JOB.run.hash).replace("|", "'|'"))
    assert code in (1, 2)
    message = err.strip().splitlines()[-1] if code == 2 else err.strip()  # argparse prints the usage before
    assert "\n" not in message and re.search(words, message), err
    assert not re.match("tarm: (invalid literal|Trying to create|dictionary update)", message)  # Python's own words


def test_damaged_weights_are_answered_with_one_line(tarm, folder, tmp_path):
    """In a copy of the store."""
    shutil.copytree(folder, tmp_path / "copy")
    Store(tmp_path / "copy").weights_path(JOB.run.hash).write_bytes(b"nothing")
    assert main(["evaluate", JOB.run.hash, "--store", str(tmp_path / "copy")]) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_help_holds_an_example_that_parses(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    example = text.split("example: python -m tarm ")[1]
    assert parser().parse_args(shlex.split(example)).command == name


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    listed = re.findall(r"^ {4}(\w+)(?:  |$)", capsys.readouterr().out, re.MULTILINE)
    assert sorted(listed) == COMMANDS

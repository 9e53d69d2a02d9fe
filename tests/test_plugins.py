"""The README's own task and rung, taken from it word for word, work from outside the package."""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tarm import LADDER, TASKS, gallery, notebooks, register_rung, register_task
from tarm.__main__ import main
from tarm.ladder import Iterative, Rung
from tarm.plugins import VARIABLE, check_rung, plugin_files
from tarm.profiles import PROFILES
from tarm.store import Store
from tarm.studies import members
from tarm.tasks import Problems, Task, symbol

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A folder with the README's two files in it."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    task, = (block for block in blocks if "register_task" in block)
    rung, = (block for block in blocks if "register_rung" in block)
    assert all(len(block.splitlines()) <= 20 for block in (task, rung))
    (tmp_path / "my_task.py").write_text(task, encoding="utf-8")
    (tmp_path / "my_rung.py").write_text(rung, encoding="utf-8")
    return tmp_path


def tarm(folder, *words):
    """Run `python -m tarm` there, with both plugins; -> the finished process."""
    return subprocess.run([sys.executable, "-m", "tarm", "--plugin", "my_task.py", "--plugin", "my_rung.py", *words],
                          cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"TARM_STORE": str(folder / "store")})


def test_they_are_trained_and_listed_and_without_them_the_record_says_so(folder, capsys):
    """In a process with both plugins; this one has neither."""
    trained = tarm(folder, "sweep", "--profile", "smoke", "--task", "sort", "--rung", "recall,iterative")
    assert trained.returncode == 0, trained.stderr
    runs = [json.loads(line) for line in tarm(folder, "list", "--json").stdout.splitlines()]
    assert {(run["rung"], run["task"]) for run in runs} == {("recall", "sort"), ("iterative", "sort")}
    recall, = (run["run"] for run in runs if run["rung"] == "recall")
    assert main(["evaluate", recall, "--store", str(folder / "store")]) == 1
    assert "recall comes from a plugin): name its file with --plugin" in capsys.readouterr().err.replace("sort, ", "")


def test_the_readmes_command_draws_every_rung_and_the_new_one(folder):
    """In a folder that holds the file and nothing else, by what the command does: its studies, then the chapters (those
    that draw figures; .ci/run runs them all)."""
    (folder / "my_task.py").unlink()
    line, = re.findall(r"^python -m (tarm --plugin my_rung\.py) figures --profile smoke$", README, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if name not in ("TARM_STORE", "TARM_PLUGINS")}
    for words in "sweep --study main --profile smoke", "sweep --study cross_part --profile smoke", "notebooks 00 01 09 12 --profile smoke":
        done = subprocess.run([sys.executable, "-m", *shlex.split(f"{line} {words}")], cwd=folder, capture_output=True, text=True,
                              env=environment)
        assert done.returncode == 0, done.stderr
    drawn = folder / ".tarm" / "figures" / "smoke"
    names = {path.stem: re.findall(r"<!-- (.*) -->", path.read_text(encoding="utf-8")) for path in drawn.glob("*.svg")}
    assert set(gallery.FIGURES) | set(gallery.DRAWN_BY_CHAPTERS) == set(names)
    new = {"Recall", "Recall Transformer"}
    assert [stem for stem, texts in names.items() if not new & set(texts)] == ["supervised_characters", "what_it_takes"]
    assert "Recall Transformer" not in (PROJECT / "tarm" / "ladder" / "__init__.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("by, content, words", [
    ("option", "import tarm\ndef write(:\n", "SyntaxError: invalid syntax .*line 2"),
    ("option", "import tarm\nimport nowhere\n", "in line 2: ModuleNotFoundError: No module named 'nowhere'"),
    ("option", "def half():\n    raise RuntimeError('a\\nb')\n\nhalf()\n", "in line 2: RuntimeError: a b"),
    ("variable", "import tarm\nimport nowhere\n", "in line 2: ModuleNotFoundError: No module named 'nowhere'")])
def test_a_file_that_fails_is_one_line(tmp_path, monkeypatch, capsys, by, content, words):
    """It names the file, its line and the error; nothing of Python's traceback."""
    (tmp_path / "broken.py").write_text(content, encoding="utf-8")
    if by == "option":
        monkeypatch.setenv(VARIABLE, "")  # which the command sets
        code = main(["--plugin", str(tmp_path / "broken.py"), "ladder"])
        out, err = capsys.readouterr()
    else:
        done = subprocess.run([sys.executable, "-m", "tarm", "ladder"], cwd=tmp_path, capture_output=True, text=True,
                              env=os.environ | {VARIABLE: "broken.py"})
        code, out, err = done.returncode, done.stdout, done.stderr
    assert code == 1 and out == "" and len(err.splitlines()) == 1
    assert re.search(rf"^tarm: plugin .*broken\.py failed.*{words}", err), err


def test_a_rung_that_miscounts_its_passes_is_refused():
    """Two passes a step are what the Iterative Transformer's passes_per_step does not say."""
    class Twice(Iterative):
        def step(self, f, h, x, n):
            return f(f(h))

    with pytest.raises(ValueError, match="two steps of 'twice' execute 4 block passes, not 2"):
        register_rung(Rung("twice", "Twice", "Twice", "single stream", "#000000", "two passes", Twice))
    assert "twice" not in LADDER


@pytest.mark.parametrize("mix", [
    lambda h: h + h.cumsum(1) / torch.arange(1, h.shape[1] + 1).view(1, -1, 1), lambda h: torch.roll(h, -1, 1)],
    ids=["running mean", "future"])
def test_a_rung_whose_positions_meet_outside_the_block_is_refused(mix):
    """The block alone remembers what was read, so that such a rung would decode otherwise than it was trained."""
    class Mixing(Iterative):
        def step(self, f, h, x, n):
            return f(mix(h))

    with pytest.raises(ValueError, match="'mixing' gives other logits for a text read in two parts .* inside f only"):
        register_rung(Rung("mixing", "Mixing", "Mixing", "single stream", "#000000", "mixes", Mixing))
    assert "mixing" not in LADDER


@pytest.mark.parametrize("key", LADDER)
def test_the_built_in_rungs_pass_that_check(key):
    check_rung(key)


@pytest.mark.parametrize("answer, words", [
    (lambda x: x[:, 0], r"answer of 8 problems of 'odd' is \(8,\)"), (lambda x: x[:4], r"is \(4, 4\)"),
    (lambda x: x.float(), "torch.float32: it must be .*torch.int64"), (lambda x: x + 10, "ids of one or more of the characters"),
    (lambda x: symbol(x, "a"), "'a' is not in the vocabulary")])
def test_a_task_that_writes_no_problems_is_refused(answer, words):
    with pytest.raises(ValueError, match=words):
        register_task(Task("odd", 1, lambda digits: Problems(digits[:, 0], answer(digits[:, 0]))))
    assert "odd" not in TASKS and "odd" not in PROFILES["cpu"]


def test_what_is_registered_belongs_to_the_main_study():
    """Even where somebody had asked before."""
    assert "later" not in TASKS and len(members("smoke", "main", 0)) == 7 * 3
    try:
        register_task(Task("later", 1, TASKS["copy"].write))
        assert len(members("smoke", "main", 0)) == 7 * 4
    finally:
        for settings in (TASKS, *PROFILES.values()):
            settings.pop("later", None)
        members.cache_clear()


def test_importing_with_a_file_that_fails_is_a_value_error(tmp_path):
    """Which a program may catch; the command line has it in one line."""
    code = "try:\n    import tarm\nexcept ValueError as error:\n    print('caught', error)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
                          env=os.environ | {"TARM_PLUGINS": "nowhere.py"})
    assert done.returncode == 0 and done.stdout.startswith("caught plugin ") and "nowhere.py does not exist" in done.stdout


def test_plugins_records_and_models_are_part_of_what_a_notebook_depends_on(tmp_path, monkeypatch):
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    monkeypatch.setenv("TARM_PLUGINS", os.pathsep.join(map(str, files)))
    assert plugin_files() == files
    seen = []
    monkeypatch.setattr(notebooks, "ProcessPoolExecutor", lambda *_: seen.append("started") or ThreadPoolExecutor(1))
    monkeypatch.setattr(notebooks, "run_notebook", lambda path, parameters, folder, files: seen.extend(files))
    list(notebooks.run_all("smoke", "cpu", Store(tmp_path), ["00"]))
    paths = set(map(str, seen))
    assert set(map(str, files)) < paths and all(Path(path).is_file() for path in paths - {"started", *map(str, files)})
    for part in "figures/data/records/", "notebooks/adder/records/", "notebooks/halter/records/", "tarm/ladder/":
        assert any(part in Path(path).as_posix() for path in paths)


def test_a_taken_key_and_a_missing_file_are_refused(folder, monkeypatch, capsys):
    path = folder / "my_task.py"
    path.write_text(path.read_text(encoding="utf-8").replace('"sort"', '"copy"'), encoding="utf-8")
    for words in "'copy' exists already", "my_task.py does not exist":
        monkeypatch.setenv(VARIABLE, "")
        assert main(["--plugin", str(path), "ladder"]) == 1
        err = capsys.readouterr().err
        assert words in err and len(err.splitlines()) == 1
        path.unlink(missing_ok=True)

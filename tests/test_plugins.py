"""The README's own task and rung, taken from it word for word, work from outside the package."""

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from tarm import LADDER, TASKS, build, gallery, notebooks, register_rung, register_study, register_task
from tarm.__main__ import main
from tarm.checkpoint import Keeper
from tarm.ladder import ARTRM, DualUT, Iterative, Rung, Universal
from tarm.plugins import VARIABLE, check_rung, load_plugins, plugin_files
from tarm.language_model import LanguageModel
from tarm.profiles import PROFILES
from tarm.runs import Run, Schedule
from tarm.store import Store
from tarm.studies import STUDIES, Job, jobs, members, place
from tarm.tasks import Problems, Task, symbol
from tarm.training import train

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A folder with the README's two files in it."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    task, = (block for block in blocks if "register_task" in block)
    rung, = (block for block in blocks if "register_rung" in block)
    study, = (block for block in blocks if "register_study" in block)
    assert all(len(block.splitlines()) <= 20 for block in (task, rung, study))
    (tmp_path / "my_task.py").write_text(task, encoding="utf-8")
    (tmp_path / "my_rung.py").write_text(f"{rung}\n{study}", encoding="utf-8")
    return tmp_path


def tarm(folder, *words):
    """Run `python -m tarm` there, with both plugins; -> the finished process."""
    return subprocess.run([sys.executable, "-m", "tarm", "--plugin", "my_task.py", "--plugin", "my_rung.py", *words],
                          cwd=folder, capture_output=True, text=True,
                          env=os.environ | {"TARM_STORE": str(folder / "store")})


def test_they_are_trained_and_listed_and_without_them_the_record_says_so(folder, capsys):
    """In a process with both plugins; this one has neither."""
    trained = tarm(folder, "sweep", "--profile", "smoke", "--task", "sort", "--rung", "recall,iterative", "--jobs", "1")
    assert trained.returncode == 0, trained.stderr
    runs = [json.loads(line) for line in tarm(folder, "list", "--json").stdout.splitlines()]
    assert {(run["rung"], run["task"]) for run in runs} == {("recall", "sort"), ("iterative", "sort")}
    study = tarm(folder, "sweep", "--study", "mine", "--profile", "smoke", "--seeds", "2",
                 "--dry-run").stdout.splitlines()
    assert len(study) == 2 * 2 + 1 and all("rung=recall" in line for line in study[:-1])
    recall, = (run["run"] for run in runs if run["rung"] == "recall")
    assert main(["evaluate", recall, "--store", str(folder / "store")]) == 1
    assert ("recall comes from a plugin, or from a newer tarm): name its file with --plugin"
            in capsys.readouterr().err.replace("sort, ", ""))


def test_the_readmes_script_draws_the_study_and_looks_into_a_model(folder):
    """Both commands are given in the folder, and so is the script; the figure has one bar, of the rung and the norm it
    names. And the rung's passes are traced."""
    script, = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "result_figure" in block)
    environment = {name: value for name, value in os.environ.items() if name not in ("TARM_STORE", "TARM_PLUGINS")}
    trace = """
from matplotlib.text import Text
from tarm import figures
from tarm.placement import compute_placement
small = {"width": 16, "heads": 2, "context": 24, "batch": 4, "length": 4}
traced = figures.compute_placement(compute_placement(budget=6, task="copy", **small), "")
print("traced:", *(text.get_text() for text in traced.findobj(Text)), sep="\\n")
pre = results[~results["variant"].str.contains("norm=post")]  # the main study has these runs too
other, _, _ = gallery.result_figure("performance_across_tasks", pre, "smoke", study="mine")
print("other:", *other["study"].unique(), set(other["run"]) & set(rows["run"]))
"""
    for words in (
        ["-m", "tarm", "--plugin", "my_rung.py", "sweep", "--study", "mine", "--profile", "smoke", "--jobs", "1"],
        ["-c", script + trace],
    ):
        done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
    assert (" stream " in done.stdout and "other: mine set()" in done.stdout
            and "Recall" in done.stdout.split("traced:")[1].splitlines())
    drawn = pd.read_csv(folder / "my_figures" / "data" / "mine.csv")
    assert (drawn[["study", "rung"]].values.tolist() == [["mine", "recall"]]
            and drawn["variant"].str.contains("norm=post").all())


@pytest.mark.parametrize("key, words", [
    ("ar_trm_cured", "'ar_trm_cured' is the name of a variant"), ("a,b", "the rung's key 'a,b' is no name")])
def test_a_key_that_could_not_be_asked_for_is_refused(key, words):
    with pytest.raises(ValueError, match=words):
        register_rung(Rung(key, "Name", "Name", "single stream", "#5aa02c", "nothing", LADDER["iterative"].model))
    assert key not in LADDER


def test_a_colour_that_nothing_can_draw_is_refused():
    with pytest.raises(ValueError, match="colour='5aa02c' of the rung 'green' is not known"):
        register_rung(Rung("green", "Green", "Green", "single stream", "5aa02c", "a colour", LADDER["iterative"].model))
    assert "green" not in LADDER


def test_a_colour_by_its_name_is_kept_as_web_pages_know_it(monkeypatch):
    """tab:blue is matplotlib's own."""
    register_rung(Rung("blue", "Blue", "Blue", "single stream", "tab:blue", "a colour", LADDER["iterative"].model))
    monkeypatch.setitem(LADDER, "blue", colour := LADDER.pop("blue"))
    assert colour.colour == "#1f77b4"


def test_the_readmes_command_draws_every_rung_and_the_new_one(folder):
    """In a folder that holds the file and nothing else, by what the command does: the main study, then the chapters
    (the one that draws it; .ci/run runs them all)."""
    (folder / "my_task.py").unlink()
    line, = re.findall(r"^python -m (tarm --plugin my_rung\.py) figures --profile smoke$", README, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if name not in ("TARM_STORE", "TARM_PLUGINS")}
    for words in "sweep --study main --profile smoke --jobs 1", "notebooks 09 --profile smoke":
        done = subprocess.run([sys.executable, "-m", *shlex.split(f"{line} {words}")], cwd=folder, capture_output=True,
                              text=True, env=environment)
        assert done.returncode == 0, done.stderr
    drawn = folder / ".tarm" / "figures" / "smoke"
    names = {path.stem: re.findall(r"<!-- (.*) -->", path.read_text(encoding="utf-8")) for path in drawn.glob("*.svg")}
    assert set(gallery.FIGURES) - {"what_it_takes"} == set(names)
    new = {"Recall", "Recall Transformer"}
    assert [stem for stem, texts in names.items() if not new & set(texts)] == []
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


SIZE = {"width": 16, "heads": 2, "context": 8, "dropout": 0, "steps": 2}
TOKENS = torch.tensor([[1, 2, 3, 10]])


def test_variants_keep_what_a_rung_of_ones_own_changes(monkeypatch):
    """Its updates stay where a variant changes something else; one that would put its loop aside is refused."""
    class Loud(DualUT):
        def into_z(self, x, y, z, s):
            return 3 * x + y + z + s

    class Alone(ARTRM):
        def step(self, f, state, x, n):
            y, z = state
            return f(x + y), z

    class Looping(Loud):
        def core(self, *arguments):
            return super().core(*arguments)

    for model in Loud, Alone, Looping:
        monkeypatch.setitem(LADDER, model.__name__,
                            Rung(model.__name__, "One", "One", "two streams", "#000000", "one", model))
    for change in {"readout": "mean"}, {"supervision": "steps"}, {"start": "x"}:
        own, builtin = (build(rung, **SIZE, **change)(TOKENS).logits for rung in ("Loud", "dual_ut"))
        assert not own.allclose(builtin)
    once, twice = build("Alone", supervision="steps-optimised", **SIZE).calls(TOKENS)
    assert not once.logits.allclose(twice.logits)
    for change in {"readout": "mean"}, {"supervision": "steps"}:
        with pytest.raises(ValueError, match="Looping has a core or a reading of its own"):
            build("Looping", **SIZE, **change)
    assert build("Looping", start="x", **SIZE)(TOKENS).steps == 2


def test_a_file_that_fails_leaves_nothing_registered(folder, monkeypatch):
    """So that it can be mended and loaded again in the same process."""
    path = folder / "my_task.py"
    monkeypatch.setenv(VARIABLE, str(path))
    task = path.read_text(encoding="utf-8")
    before = set(TASKS), {name: set(tasks) for name, tasks in PROFILES.items()}
    # of different lengths, by which Python tells a file that changed within a second
    for end in "nowhere", "nothing_here":
        path.write_text(f"{task}\n{end}", encoding="utf-8")
        with pytest.raises(ValueError, match=f"NameError: name '{end}'"):
            load_plugins()
    assert before == (set(TASKS), {name: set(tasks) for name, tasks in PROFILES.items()})
    path.write_text(task, encoding="utf-8")
    load_plugins()
    new, = set(TASKS) - before[0]
    for registry in TASKS, *PROFILES.values():
        registry.pop(new)


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


def test_a_rung_whose_texts_meet_is_refused():
    class Together(Iterative):
        def step(self, f, h, x, n):
            return f(h + h.mean(0, keepdim=True))

    with pytest.raises(ValueError, match="'together' gives other logits for a text beside another one"):
        register_rung(Rung("together", "Together", "Together", "single stream", "#000000", "texts meet", Together))
    assert "together" not in LADDER


def test_a_rung_that_updates_a_stream_it_does_not_name_is_refused():
    """Else a norm for each stream would fail later."""
    class Third(DualUT):
        def step(self, f, state, x, n):
            y, z = state
            return y, f(x + y + f(x + y + z, "q"), "z")

    with pytest.raises(ValueError, match="'third' updates the stream q, and has y, z: name them all in its `streams`"):
        register_rung(Rung("third", "Third", "Third", "dual stream", "#000000", "a third stream", Third))
    assert "third" not in LADDER


@pytest.mark.parametrize("register, given, words", [
    (register_task, "sort", "'sort' is not a task: register_task takes a tarm.tasks.Task"),
    (register_rung, Iterative, "is not a rung: register_rung takes a tarm.ladder.Rung"),
    (register_task, Task("odd", 1, lambda digits: (digits[:, 0], digits[:, 0])), "write of 'odd' returns a tuple")])
def test_what_is_no_task_or_rung_is_not_registered(register, given, words):
    with pytest.raises(ValueError, match=words):
        register(given)


def test_a_rung_may_bring_a_norm_of_its_own():
    """In the places that the README names; one left out, and the first batch shows it."""
    class Rooted(DualUT):
        def __init__(self, architecture):
            super().__init__(architecture)
            width = architecture.width
            for block in self.block:
                block.norm1, block.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)
                if architecture.norm == "reentry":
                    block.reentry = nn.ModuleDict({name: nn.RMSNorm(width) for name in self.streams})
            self.final_norm = nn.RMSNorm(width)

    try:
        register_rung(Rung("rooted", "Rooted", "Rooted", "dual stream", "#000000", "RMS norms", Rooted))
        for norm in "pre", "post", "reentry":
            model = build("rooted", norm=norm, **SIZE)
            assert not any(isinstance(module, nn.LayerNorm) for module in model.modules())
            assert model(TOKENS).logits.isfinite().all()
    finally:
        LADDER.pop("rooted", None)
        members.cache_clear()


def test_weights_that_two_layers_share_are_saved(tmp_path, monkeypatch):
    """As where the head reads with the token embedding."""
    class Tied(Iterative):
        def __init__(self, architecture):
            super().__init__(architecture)
            self.head.weight = self.token_embedding.weight

    try:
        register_rung(Rung("tied", "Tied", "Tied", "single stream", "#000000", "one table of characters", Tied))
        run = Run(rung="tied", task="copy", length=3, training_steps=2, batch=2, **SIZE | {"context": 8})
        store, schedule = Store(tmp_path), Schedule(1, (3,), problems=2)
        result = train(run, schedule, keeper=Keeper(store.unfinished_path(run.hash), run, schedule, seconds=0))
        store.save(run, schedule, result, "cpu", "")
        model = store.model(store.load(run.hash))
        assert model.head.weight is model.token_embedding.weight and model(TOKENS).logits.equal(
            result.model.cpu().eval()(TOKENS).logits)
    finally:
        LADDER.pop("tied", None)
        members.cache_clear()


def test_a_rung_without_a_core_is_refused():
    class Empty(LanguageModel):
        pass

    with pytest.raises(ValueError, match="the model of the rung 'empty' has no core"):
        register_rung(Rung("empty", "Empty", "Empty", "single stream", "#000000", "nothing", Empty))
    assert "empty" not in LADDER


def test_a_parameter_without_a_value_is_refused():
    """What torch.empty makes is whatever was in memory, another model each time.
    With a value it stays as it was made."""
    class Empty(Iterative):
        make = staticmethod(torch.empty)

        def __init__(self, architecture):
            super().__init__(architecture)
            self.h_init = torch.nn.Parameter(self.make(architecture.width))

    class Filled(Empty):
        make = staticmethod(torch.ones)

    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ValueError, match="'empty' leaves h_init as torch.empty made it"):
        register_rung(Rung("empty", "Empty", "Empty", "single stream", "#000000", "a state", Empty))
    assert "empty" not in LADDER and not torch.are_deterministic_algorithms_enabled()
    try:
        register_rung(Rung("filled", "Filled", "Filled", "single stream", "#000000", "a state", Filled))
        assert (build("filled", width=8, heads=1).h_init == 1).all()
    finally:
        LADDER.pop("filled", None)
        members.cache_clear()


def test_a_rung_that_does_not_spend_the_budgets_is_refused():
    """Before a sweep of anything else would fail with it."""
    class Five(Iterative):
        @staticmethod
        def passes_per_step(outer, inner):
            return 5

    with pytest.raises(ValueError, match="a step of 'five' takes 5 block passes.* take 1, 2, 3 or 6"):
        register_rung(Rung("five", "Five", "Five", "single stream", "#000000", "five passes", Five))
    assert "five" not in LADDER


def test_a_rung_that_halts_without_catching_up_is_refused():
    """ACT whose loop leaves characters behind that later ones would read further."""
    class Forgetful(Universal):
        def core(self, x, f, steps, halting, generator, past):
            if past is not None:
                past.catch_up = lambda *_: None
            return super().core(x, f, steps, halting, generator, past)

    with pytest.raises(ValueError, match="'forgetful' gives other logits for a text read one character at a time"):
        register_rung(Rung("forgetful", "Forgetful", "Forgetful", "single stream", "#000000", "forgets", Forgetful))
    assert "forgetful" not in LADDER


@pytest.mark.parametrize("key", LADDER)
def test_the_built_in_rungs_pass_that_check(key):
    check_rung(key)


@pytest.mark.parametrize("answer, words", [
    (lambda x: x[:, 0], r"answer of 8 problems of 'odd' is \(8,\)"), (lambda x: x[:4], r"is \(4, 4\)"),
    (lambda x: x.float(), "torch.float32: it must be .*torch.int64"),
    (lambda x: x + 10, "ids of one or more of the characters"),
    (lambda x: symbol(x, "a"), "'a' is not in the vocabulary")])
def test_a_task_that_writes_no_problems_is_refused(answer, words):
    with pytest.raises(ValueError, match=words):
        register_task(Task("odd", 1, lambda digits: Problems(digits[:, 0], answer(digits[:, 0]))))
    assert "odd" not in TASKS and "odd" not in PROFILES["cpu"]


def test_a_task_whose_prompt_is_shared_by_problems_is_refused():
    """Its "unseen" problems would be met in training."""
    for operands in 1, 2:
        with pytest.raises(ValueError, match="'parity' writes the same prompt for several problems"):
            register_task(Task("parity", operands, lambda digits: Problems(digits[:, 0] % 2, digits[:, 0])))
    for field in "length", "seed":
        with pytest.raises(ValueError, match=f"{field} cannot be given for a task"):
            register_task(Task("other", 1, TASKS["copy"].write), **{field: 3})


def test_a_task_that_draws_or_has_a_distribution_of_another_length_is_refused():
    def noisy(digits):
        return Problems(digits[:, 0], torch.randint(10, digits[:, 0].shape))

    with pytest.raises(ValueError, match="'noisy' writes other problems when it is given the same digits again"):
        register_task(Task("noisy", 1, noisy))
    with pytest.raises(ValueError, match="a distribution of 2 characters at length 4, and answers of 4"):
        register_task(Task("short", 1, TASKS["copy"].write, lambda length: torch.full((2, 10), 0.1)))


def test_a_task_that_needs_more_room_says_so_and_gets_it():
    """Three numbers of 50 digits in the paper profile; a context of 256 is enough."""
    three = Task("three", 3, lambda digits: Problems(digits.flatten(1), digits[:, 0]))
    with pytest.raises(ValueError, match="three of .* digits takes .* positions, context=.* has fewer"):
        register_task(three)
    assert "three" not in TASKS and "three" not in PROFILES["cpu"]
    try:
        register_task(three, context=256)
        assert {job.run.context for job in jobs("cpu", task=["three"])} == {256}
    finally:
        for settings in (TASKS, *PROFILES.values()):
            settings.pop("three", None)
        members.cache_clear()


@pytest.mark.parametrize("fields, words", [({"budget": 9}, "budget of 9 exactly"),
                                           ({"norm": "reentry"}, "norm=reentry has no meaning for dense"),
                                           ({"width": 40}, "at profile 'paper': heads=6 .*hold at every profile"),
                                           ({"lenght": 3}, "'odd' cannot be run .*'lenght'")])
def test_a_task_whose_fields_do_not_suit_every_rung_is_refused(fields, words):
    """Else the main study, which has it for every rung, could not be listed."""
    with pytest.raises(ValueError, match=words):
        register_task(Task("odd", 1, TASKS["copy"].write), **fields)
    assert "odd" not in TASKS and len(members("smoke", "main", 0)) == 7 * 3


def test_a_task_is_looked_at_at_every_length():
    def counted(digits):
        return Problems(digits[:, 0], torch.full_like(digits[:, 0], digits.shape[2]))

    with pytest.raises(ValueError, match="answer of 'counted' at 20 digits must be ids"):
        register_task(Task("counted", 1, counted))


@pytest.mark.parametrize("words", [["-c", "import my_rung, sys; assert 'torch._dynamo' not in sys.modules"],
                                   ["-c", "import tarm, my_rung"], ["link/my_rung.py"]])
def test_a_plugin_that_is_named_can_be_imported_too(folder, words):
    """As the README's script does; it is registered once, by whatever path, and without PyTorch's compiler, whose
    import takes as long as all the rest."""
    (folder / "real").mkdir()
    (folder / "my_rung.py").rename(folder / "real" / "my_rung.py")
    (folder / "link").symlink_to("real")
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True,
                          env=os.environ | {VARIABLE: "link/my_rung.py", "PYTHONPATH": str(folder / "link")})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_study_of_ones_own_is_swept_like_any_other():
    """Its jobs, by name; not one whose list changes, or is none."""
    def mine(profile, seed):
        return [Job(Run(rung="iterative", task="copy", budget=6, norm=norm, seed=seed), Schedule(50, (10,)))
                for norm in ("pre", "post")]

    drawn = iter(range(100))
    for wrong in (
        (lambda profile, seed: []),
        (lambda profile, seed: [3]),
        (lambda profile, seed: mine(profile, next(drawn))),
        lambda profile, seed: mine(profile, 0),
    ):
        with pytest.raises(ValueError, match="the study 'mine' gives no list of jobs"):
            register_study("mine", wrong)
    with pytest.raises(ValueError, match=r"trains on length=6 and evaluates at \(10,\): .*schedule.lengths, 6"):
        register_study("mine", lambda profile, seed: [job._replace(run=replace(job.run, length=6))
                                                      for job in mine(profile, seed)])
    for name, profiles, words in ("cross", ("cpu",), "'cross' exists already"), ("mine", (), "'mine' has no profile"):
        with pytest.raises(ValueError, match=words):
            register_study(name, mine, profiles)
    try:
        register_study("mine", mine, profiles="cpu")  # one name is a list of one
        found = jobs("cpu", "mine", (0, 1))
        assert [(job.run.norm, job.run.seed) for job in found] == [("pre", 0), ("post", 0), ("pre", 1), ("post", 1)]
        assert place(found[0].run) == ("cpu", "mine")
    finally:
        STUDIES.pop("mine", None)
        members.cache_clear()


def test_a_plugin_may_import_what_lies_beside_it(tmp_path):
    """From whatever folder the command is given."""
    (tmp_path / "my_layers.py").write_text("answer = 42\n", encoding="utf-8")
    (tmp_path / "my_plugin.py").write_text("import my_layers\nprint(my_layers.answer)\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", "import tarm"], cwd=PROJECT, capture_output=True, text=True,
                          env=os.environ | {VARIABLE: str(tmp_path / "my_plugin.py")})
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


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
    assert (done.returncode == 0 and done.stdout.startswith("caught plugin ")
            and "nowhere.py does not exist" in done.stdout)


def test_plugins_records_and_models_are_part_of_what_a_notebook_depends_on(tmp_path, monkeypatch):
    files = [tmp_path / "one.py", tmp_path / "two.py"]
    (beside := tmp_path / "layers.py").write_text("", encoding="utf-8")  # which a plugin may import
    monkeypatch.setenv("TARM_PLUGINS", os.pathsep.join(map(str, files)))
    assert plugin_files() == files
    seen = []
    monkeypatch.setattr(notebooks, "ProcessPoolExecutor", lambda *_: seen.append("started") or ThreadPoolExecutor(1))
    monkeypatch.setattr(notebooks, "contents", lambda files: seen.extend(files) or "their hash")
    given = []
    monkeypatch.setattr(notebooks, "run_notebook", lambda path, parameters, folder, inputs: given.append(inputs))
    list(notebooks.run_all("smoke", "cpu", Store(tmp_path), ["00"]))
    assert given == ["their hash"]
    paths = set(map(str, seen))
    assert ({str(beside), *map(str, files)} < paths
            and all(Path(path).is_file() for path in paths - {"started", *map(str, files)}))
    for part in ("figures/data/results/", "figures/data/records/", "figures/data/weights/", "notebooks/adder/records/",
                 "notebooks/halter/records/", "tarm/ladder/"):
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

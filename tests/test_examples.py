"""Every command's --help ends with an example, and the example works as printed;
so do the commands that the texts name."""

import argparse
import re
import shlex
import shutil

import nbformat
import pytest

from tarm.__main__ import main, parser
from tarm.store import COMMITTED, PROJECT, Store
from tarm.studies import jobs
from tarm.sweep import sweep


subparsers, = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
EXAMPLES = {name: sub.epilog.removeprefix("example: python -m tarm ") for name, sub in subparsers.choices.items()}
# .ci/run runs the first three so or more, and the last is what runs this file
ELSEWHERE = {"figures", "notebooks", "site", "test"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder as a user has it: smoke runs in .tarm, one committed record, another store."""
    folder = tmp_path_factory.mktemp("made")
    store, committed = Store(folder / ".tarm"), Store(folder / "figures" / "data")
    sweep(jobs("smoke", rung=["universal"], task=["copy"]), store, workers=1, threads=1)
    record = Store(COMMITTED).load("000e7994f2b3")  # any one
    committed.take(Store(COMMITTED), record)
    committed.take(Store(COMMITTED), Store(COMMITTED).load("3c99494164ee"))  # the one of check-records
    Store(folder / "other" / ".tarm").take(Store(COMMITTED), record)
    store.take(committed, record)
    return folder


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - ELSEWHERE))
def test_example_works(name, made, tmp_path, monkeypatch, capsys):
    here = tmp_path / "here"
    shutil.copytree(made, here)
    monkeypatch.chdir(here)
    monkeypatch.delenv("TARM_STORE", raising=False)
    for module in "models", "published":
        monkeypatch.setattr(f"tarm.commands.{module}.COMMITTED", here / "figures" / "data")
    assert shlex.split(EXAMPLES[name])[0] == name
    assert main(shlex.split(EXAMPLES[name])) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def test_the_examples_left_out_are_words_that_parse():
    for name in ELSEWHERE:
        assert parser().parse_args(shlex.split(EXAMPLES[name])).command == name


def written_commands():
    """Every `python -m tarm ...` in the README, in that of the data and in the chapters, as words."""
    chapters = [cell.source for path in sorted((PROJECT / "notebooks").glob("[0-9]*.ipynb"))
                for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    readmes = [(PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "figures/data/README.md")]
    found = re.findall(r"python -m tarm ([^`\n#]+)", "\n".join(readmes + chapters))
    return sorted({line.strip() for line in found} - {"--help"})


@pytest.mark.parametrize("line", written_commands())
def test_what_is_written_in_the_texts_can_be_typed(line, monkeypatch):
    """It parses, and where it trains there are runs to train."""
    words = shlex.split(line)
    given = parser().parse_args(words)
    if given.command in ("sweep", "train") and not given.plugin:  # tests/test_plugins.py has those
        asked = []
        for name in "train_and_report", "list_with_estimate":
            monkeypatch.setattr(f"tarm.commands.training.{name}", lambda these, arguments: asked.append(these))
        assert main(words) == 0 and asked[0]


def test_there_are_many_such_commands():
    assert len(written_commands()) > 20

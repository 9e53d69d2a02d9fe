"""Every chapter's puzzles: as committed they say "not yet", with the answer given they say "right"."""

import re

import nbformat
import pytest

from tarm.notebooks import NOTEBOOKS
from tarm.puzzles import NOT_YET, check


def puzzles():
    """(chapter, number, what to fill in, its check, the answer behind <details>) for each puzzle."""
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        places = [i for i, cell in enumerate(cells) if "puzzle" in cell.metadata.get("tags", [])]
        for number, i in enumerate(places, 1):
            assert "check" in cells[i + 1].metadata.get("tags", []), f"{path.stem}, puzzle {number}: no check"
            answer = re.search(r"<details><summary>Answer</summary>\n\n```python\n(.*?)```", cells[i + 2].source, re.S)
            yield pytest.param(cells[i].source, cells[i + 1].source, answer and answer[1], id=f"{path.stem}-{number}")


@pytest.mark.parametrize("unfilled, checking, answer", list(puzzles()))
def test_a_puzzle_says_not_yet_and_its_answer_is_right(unfilled, checking, answer, capsys):
    """Each of the two cells runs by itself: a reader may come straight to them."""
    assert "..." in unfilled
    run_both(unfilled, checking)
    assert capsys.readouterr().out.strip() == NOT_YET
    run_both(answer, checking)
    first, *more = capsys.readouterr().out.splitlines()
    assert first == "right" and more  # and it shows what the answer does


def run_both(code, checking):
    namespace = {}
    exec(code, namespace)
    exec(checking, namespace)


def test_every_chapter_has_two_or_three():
    counts = {}
    for puzzle in puzzles():
        chapter = puzzle.id.rsplit("-", 1)[0]
        counts[chapter] = counts.get(chapter, 0) + 1
    assert set(counts.values()) <= {2, 3}
    assert len(counts) == len(list(NOTEBOOKS.glob("[0-9]*.ipynb")))


@pytest.mark.parametrize("yours, printed, holds", [
    (..., NOT_YET, False), (4, "right", True), (4.0001, "right", True), (5, "not right: yours gives 5", False)])
def test_values(yours, printed, holds, capsys):
    assert check(yours, 4) is holds
    assert capsys.readouterr().out.strip() == printed


@pytest.mark.parametrize("yours, printed", [
    (lambda a, b: a + b, "right"), (lambda a, b: a, "not right for 1, 2: yours gives 1"),
    (lambda a, b: [a] + b, "not right: TypeError: can only concatenate list (not \"int\") to list"),
    (lambda a, b: ..., NOT_YET), (..., NOT_YET)])
def test_functions(yours, printed, capsys):
    check(yours, lambda a, b: a + b, (1, 2), (3, 4))
    assert capsys.readouterr().out.strip() == printed

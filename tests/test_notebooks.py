"""The notebooks are ready to read as committed, and are run with parameters, once per change."""

import ast
import re

import nbformat
import pytest

from tarm import notebooks
from tarm.notebooks import NOTEBOOKS, contents, run_notebook
from tarm.store import Store

CHAPTERS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def test_there_are_notebooks():
    """Else the tests below would pass on nothing."""
    assert [path.name[:2] for path in CHAPTERS] == [f"{n:02}" for n in range(len(CHAPTERS))]
    assert CHAPTERS


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return request.param


def code_of(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def tags_of(cell):
    return set(cell.metadata.get("tags", []))


def prose_of(path):
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def outputs_of(path):
    return [output for cell in code_of(path) for output in cell.outputs]


def test_has_one_cell_of_parameters(chapter):
    assert sum("parameters" in tags_of(cell) for cell in code_of(chapter)) == 1


def test_is_valid_and_was_run_from_top_to_bottom(chapter):
    nbformat.validate(nbformat.read(chapter, as_version=4))
    cells = code_of(chapter)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for output in outputs_of(chapter) if output.output_type == "error"]
    assert not [output for output in outputs_of(chapter) if output.get("name") == "stderr"]
    # an address, another each time
    assert " at 0x" not in str([output.get("data", output.get("text")) for output in outputs_of(chapter)])


def test_cells_and_their_lines_are_short(chapter):
    """Cells of claims, which the pages fold, may be longer."""
    for cell in code_of(chapter):
        lines = cell.source.splitlines()
        assert len(lines) <= (20 if "claims" in tags_of(cell) else 18), cell.source
        assert [line for line in lines if len(line) > 100] == []


def prints_claims_alone(cell):
    printed = "".join(output.get("text", "\nand a table or figure") for output in cell.outputs)
    return bool(printed) and all(re.search(": (True|not so here)$", line) for line in printed.splitlines())


def names(cell):
    """(the names that a cell's code binds, those that it reads)."""
    nodes = list(ast.walk(ast.parse(cell.source)))
    bound = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    used = [node for node in nodes if isinstance(node, ast.Name)]
    return (bound | {node.id for node in used if isinstance(node.ctx, ast.Store)},
            {node.id for node in used if isinstance(node.ctx, ast.Load)})


def test_what_only_checks_the_prose_is_tagged_and_what_a_reader_needs_is_not(chapter):
    """From chapter 11 on, which read records. The pages fold these cells: nothing of one is used in an open one."""
    folded = set()
    for cell in code_of(chapter) if chapter.name >= "11" else ():
        bound, read = names(cell)
        if "claims" in tags_of(cell):
            assert prints_claims_alone(cell), cell.source
            folded |= bound
        else:
            assert not prints_claims_alone(cell) or tags_of(cell) & {"puzzle", "check"}, cell.source
            assert read & folded - bound == set(), cell.source
            folded -= bound


def test_is_more_prose_than_code(chapter):
    """In words. Puzzles are not counted, which a reader writes rather than reads, nor checks of them and of prose."""
    code = [cell.source for cell in code_of(chapter) if not {"puzzle", "check", "claims"} & tags_of(cell)]
    assert len(prose_of(chapter).split()) > 1.5 * len(" ".join(code).split())


def test_says_how_long_it_takes_and_asks_a_question(chapter):
    opening = nbformat.read(chapter, as_version=4).cells[0].source
    assert opening.startswith(f"# {int(chapter.name[:2])} · ") and "**Question of this chapter:**" in opening
    assert re.search(r"Reading takes about .* minutes; all cells together run in .*seconds", opening)


def test_leads_to_the_chapter_before_and_the_next_and_nowhere_else(chapter):
    links = re.findall(r"\]\(([^)]+\.ipynb)\)", prose_of(chapter))
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []
    here = CHAPTERS.index(chapter)
    assert {path.name for path in CHAPTERS[max(0, here - 1):here + 2] if path != chapter} <= set(links)


def test_few_cells_are_left_uncompared_and_each_is_followed_by_a_check(chapter):
    """A tag may tell nbval to ignore an output; then the next code cell asserts something that holds everywhere."""
    cells = code_of(chapter)
    ignored = [i for i, cell in enumerate(cells) if "nbval" in " ".join(tags_of(cell))]
    assert len(ignored) <= 2
    for i in ignored:
        assert re.search(r"\b(claim|assert)\b", cells[i + 1].source)


def test_claims_something_that_can_fail(chapter):
    assert sum(len(re.findall(r"\bclaim\(|\bassert\b", cell.source)) for cell in code_of(chapter)) >= 3


def test_pictures_have_a_text_for_those_who_do_not_see_them(chapter):
    for output in outputs_of(chapter):
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                metadata = output.metadata | output.metadata.get(kind, {})
                assert len(metadata.get("alt", "")) > 20, output.metadata
        for picture in re.findall("<svg [^>]*>", output.get("data", {}).get("text/html", "")):
            assert re.search("role='img'.*aria-label='.{8,}'", picture), picture


def test_is_small_enough_for_git(chapter):
    assert chapter.stat().st_size < 500_000


def test_shows_nothing_of_the_machine_that_ran_it(chapter):
    """No folder of the one who committed it, and not when each cell ran, which would make every diff longer."""
    text = chapter.read_text(encoding="utf-8")
    assert "iopub" not in text
    assert str(NOTEBOOKS.parent) not in text and "/tmp/" not in text and "/home/" not in text


# Running one.


@pytest.fixture
def notebook(tmp_path):
    """A notebook of two cells: its parameter, and a line that fails when that is 0."""
    path = tmp_path / "source" / "01-tiny.ipynb"
    path.parent.mkdir()
    cells = [nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
             nbformat.v4.new_code_cell("print(12 // n)")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def printed(path):
    return "".join(output.text for output in outputs_of(path) if output.output_type == "stream")


def test_a_mistyped_parameter_is_refused_before_anything_runs(notebook, tmp_path):
    with pytest.raises(ValueError, match="01-tiny.ipynb has no parameter m: it has n"):
        run_notebook(notebook, {"m": 2}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_notebook_is_run_once_per_change(notebook, tmp_path):
    """Of its parameters, its source, or a file that it depends on; and leaves its own source alone."""
    out, data, source = tmp_path / "out", tmp_path / "data.csv", notebook.read_bytes()
    data.write_text("1")
    assert run_notebook(notebook, {"n": 3}, out, contents([data])) and printed(out / notebook.name) == "4\n"
    assert not run_notebook(notebook, {"n": 3}, out, contents([data]))
    assert run_notebook(notebook, {"n": 4}, out, contents([data])) and printed(out / notebook.name) == "3\n"
    data.write_text("2")
    assert run_notebook(notebook, {"n": 4}, out, contents([data]))
    assert [path.name for path in out.iterdir()] == [notebook.name]
    assert notebook.read_bytes() == source


def test_a_failing_notebook_leaves_what_it_did(notebook, tmp_path):
    """A result from before stays."""
    out = tmp_path / "out"
    run_notebook(notebook, {"n": 3}, out)
    with pytest.raises(RuntimeError, match="01-tiny.ipynb failed .*ZeroDivisionError.*01-tiny.failed.ipynb"):
        run_notebook(notebook, {"n": 0}, out)
    assert any(output.output_type == "error" for output in outputs_of(out / "01-tiny.failed.ipynb"))
    assert printed(out / notebook.name) == "4\n"


def test_several_notebooks_run_side_by_side_and_are_told_in_order(notebook, tmp_path, monkeypatch):
    """The first that fails ends it: the call raises its error."""
    paths = [notebook, notebook.with_name("02-tiny.ipynb")]
    paths[1].write_bytes(notebook.read_bytes())
    monkeypatch.setattr(notebooks, "numbered", lambda: paths)
    store = Store(tmp_path / "store")
    assert (list(notebooks.run_all("smoke", "cpu", store, parameters={"n": 4}, workers=2))
            == [(path, True) for path in paths])
    assert [printed(store.root / "notebooks" / "smoke" / path.name) for path in paths] == ["3\n"] * 2
    with pytest.raises(RuntimeError, match="01-tiny.ipynb failed in cell .*ZeroDivisionError"):
        list(notebooks.run_all("smoke", "cpu", store, parameters={"n": 0}, workers=2))
    with pytest.raises(ValueError, match="jobs=0"):
        list(notebooks.run_all("smoke", "cpu", store, workers=0))

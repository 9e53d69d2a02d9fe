"""The README's own task and rung, taken from it word for word, work from outside the package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path):
    """A folder with the README's two files in it."""
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
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


def test_they_are_trained_listed_and_drawn(folder):
    trained = tarm(folder, "sweep", "--profile", "smoke", "--task", "sort", "--rung", "recall,iterative")
    assert trained.returncode == 0, trained.stderr
    runs = [json.loads(line) for line in tarm(folder, "list", "--json").stdout.splitlines()]
    assert {(run["rung"], run["task"]) for run in runs} == {("recall", "sort"), ("iterative", "sort")}

    script = """
import sys; from pathlib import Path
from tarm import gallery, table
rows, points, figure = gallery.result_figure("performance_across_tasks", table.read(Path("store")), "smoke")
gallery.save(figure, rows, "it", Path("."))
print(sorted(set(rows["rung"])), points["chance"].between(0.1, 0.6).all())
"""
    drawn = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True,
                           env=os.environ | {"TARM_PLUGINS": os.pathsep.join(["my_task.py", "my_rung.py"])})
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stdout.strip() == "['iterative', 'recall'] True"
    assert "Recall Transformer" not in (PROJECT / "tarm" / "ladder" / "__init__.py").read_text(encoding="utf-8")
    assert (folder / "it.svg").exists()


def test_a_taken_key_and_a_missing_file_are_refused(folder):
    text = (folder / "my_task.py").read_text(encoding="utf-8").replace('"sort"', '"copy"')
    (folder / "my_task.py").write_text(text, encoding="utf-8")
    taken = tarm(folder, "ladder")
    assert taken.returncode == 1 and "'copy' exists already" in taken.stderr and len(taken.stderr.splitlines()) == 1
    (folder / "my_task.py").unlink()
    missing = tarm(folder, "ladder")
    assert missing.returncode == 1 and "my_task.py does not exist" in missing.stderr

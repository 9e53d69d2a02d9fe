"""How the code is laid out."""

import pytest

from tarm.store import PROJECT

FILES = sorted(path for folder in ("tarm", "tests") for path in (PROJECT / folder).rglob("*.py"))
assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_lines_have_120_characters_at_most(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [(number, line) for number, line in enumerate(lines, 1) if len(line) > 120] == []

"""What the README states in numbers is what the code gives."""

import re
from pathlib import Path

import pytest

from tarm import LADDER, Architecture

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rung", LADDER)
def test_the_ladder_table_holds_the_parameters_of_the_published_size(rung):
    row, = re.findall(rf"^\| \d \| {re.escape(LADDER[rung].name)} \|.*$", README, re.MULTILINE)
    assert row.split("|")[-2].strip() == f"{Architecture(rung=rung).count_parameters():,}"


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert len(links) > 5
    assert [link for link in links if not (Path(__file__).parent.parent / link).exists()] == []

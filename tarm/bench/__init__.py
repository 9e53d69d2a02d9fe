"""What it costs: ratios measured in one run on the machine at hand, each pair one after the other.

Every function of PARTS measures one thing and yields Rows; `measure` runs them all.
"""

import torch

from ..architecture import at_least, choose
from .alternatives import choices
from .machine import growth, matmul, studies
from .processes import at_a_time, memory
from .ratios import caching, evaluation, steps
from .rounds import Bench, Row
from .tried import dropped

PARTS = (matmul, steps, evaluation, caching, choices, dropped, growth, at_a_time, memory, studies)


def measure(bench, threads=1, only=None, report=lambda row: None):
    """Run every part, or `only` those named, on `threads` threads; report(row) as each is done; -> [Row].

    Raises ValueError for a part that does not exist, and numbers below 1.
    """
    names = [name.strip() for name in only.split(",")] if only else [part.__name__ for part in PARTS]
    for name in names:
        choose("part", name, [part.__name__ for part in PARTS])
    for name, number in ("pairs", bench.pairs), ("problems", bench.problems), ("threads", threads):
        at_least(1, name, number)
    before, rows = torch.get_num_threads(), []
    torch.set_num_threads(threads)
    try:
        for part in (part for part in PARTS if part.__name__ in names):
            for found in part(bench):
                report(found)
                rows.append(found)
    finally:
        torch.set_num_threads(before)
    return rows

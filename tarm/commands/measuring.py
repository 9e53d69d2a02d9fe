"""The command that measures what things cost on this machine."""

import pandas as pd
import torch

from .. import bench, cost_figures, gallery
from ..table import write
from .options import choose_device


def command_bench(arguments):
    """Print every row as it is measured, then write bench.csv, bench.svg and bench.png; of one that is ended early
    bench-unfinished.csv, and with --part nothing."""
    what = bench.Bench(arguments.profile, choose_device(arguments.device), arguments.pairs, arguments.problems)
    print(f"{arguments.profile} profile, {what.device}, {arguments.threads} thread(s); "
          "median [lowest, highest] of as many rounds as a row says", flush=True)
    found = []

    def keep(row):
        print_row(row)
        found.append(row)

    def table():
        return pd.DataFrame(found).assign(profile=arguments.profile, device=what.device, threads=arguments.threads,
                                          torch=torch.__version__)

    try:
        bench.measure(what, arguments.threads, arguments.part, keep)
    except BaseException:
        if found and not arguments.part:
            write(table(), arguments.out / "data" / "bench-unfinished.csv")
            print(f"what was measured so far: {arguments.out}", flush=True)
        raise
    if not arguments.part:
        gallery.save(cost_figures.bench(table()), table(), "bench", arguments.out)
        print(f"figure and table: {arguments.out}")


def print_row(row):
    x = f" {row.x:g}" if row.x else ""
    spread = f"[{row.low:.4g}, {row.high:.4g}] {row.unit}, {row.pairs} {row.over}" if row.over != "none" else row.unit
    print(f"{row.part + x:40} {row.subject:28} {row.value:10.4g} {spread}", flush=True)

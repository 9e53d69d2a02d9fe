"""Benches for processes of their own, which import this module and nothing of the tests."""

import os
from pathlib import Path

import torch

from tarm.bench import Bench


class Written(Bench):
    """What is timed is noted in a file, since it happens in other processes, with the process and its threads:
    3 seconds with one thread, 2 with more."""

    def seconds(self, function):
        super().seconds(function)
        with Path(os.environ["TARM_TEST_TURNS"]).open("a") as file:
            file.write(f"{os.getpid()} {torch.get_num_threads()}\n")
        return 3 if torch.get_num_threads() == 1 else 2


class OneFails(Bench):
    """In the process of seed 1 nothing can be run."""

    def run(self, rung="dense", seed=0, **fields):
        if seed:
            raise MemoryError("no room")
        return super().run(rung, seed=seed, **fields)

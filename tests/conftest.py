"""Options shared by all tests."""

from pathlib import Path

import torch


def pytest_addoption(parser):
    parser.addoption("--reference", type=Path, default=Path(__file__).parent / "reference",
                     help="folder of reference values to check the seven rungs against")


def pytest_configure():
    torch.set_num_threads(1)  # models this small gain nothing from more

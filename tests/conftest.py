"""Options and fixtures shared by all tests."""

import gc
from pathlib import Path

import pytest
import torch

from tarm.store import COMMITTED, Store


def pytest_addoption(parser):
    parser.addoption("--reference", type=Path, default=Path(__file__).parent / "reference",
                     help="folder of reference values to check the seven rungs against")


def pytest_configure():
    torch.set_num_threads(1)  # models this small gain nothing from more


def pytest_collection_finish():
    """Training collects garbage before it measures memory:
    what is imported by now need not be looked through each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def committed():
    """The committed records, read once."""
    return Store(COMMITTED).records()

"""Options shared by all tests."""

from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--reference", type=Path, default=Path(__file__).parent / "reference",
                     help="folder of reference values to check the seven rungs against")

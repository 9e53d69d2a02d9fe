"""Named random streams: one seed gives independent generators, and each purpose has its own."""

import hashlib

import torch


def stream_seed(seed, *name):
    """A 63-bit seed for the stream of this name under `seed`: a hash, the same everywhere."""
    text = "/".join(map(str, (seed, *name)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed, *name):
    """A CPU generator for the named stream, so that every device sees the same numbers.

    The names in use in the package: initialisation, dropout (whose seed goes to the global stream), exploration,
    unseen, other, decoding, chance, room, prompts and chapter. Training problems are the exception: they come from
    `training_stream`.
    """
    return torch.Generator().manual_seed(stream_seed(seed, *name))


def training_stream(seed):
    """The stream of training problems: seeded with the run's seed itself, as published, so that
    a run with seed 1337 draws the published problems (arXiv 2603.08082)."""
    return torch.Generator().manual_seed(seed)

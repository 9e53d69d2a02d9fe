"""The streams as a linear recurrence: what nested two-stream refinement does to size and influence, by hand.

Forget the block's own updates, so that a pass hands on what it reads: as it is (norm="pre"), or brought to size 1
(norm="post" or "reentry"). What is left is arithmetic on the pair (y, z), done L + 1 times a cycle.
"""

import numpy as np


def cycle(L, norm="pre", size=1.0):
    """(matrix (2, 2), entry (2,)): a cycle takes the pair (y, z) to matrix @ (y, z) + entry * x.

    norm="pre": L times z <- x + y + z, then y <- y + z. With a norm: the same for small deviations
    from the fixed point y = z = x, at a right angle to it (what lies along it a norm removes), where
    what z reads has the size 2 + `size` and what y reads 2; size is that of x beside streams of size 1.
    Raises ValueError for L below 1, and for a norm that does not exist.
    """
    if L < 1:
        raise ValueError(f"L={L} is too small: a cycle has 1 update of z or more")
    if norm not in ("pre", "post", "reentry"):
        raise ValueError(f"norm={norm!r} is not known: choose one of pre, post, reentry")
    z_reads, y_reads = (1, 1) if norm == "pre" else (2 + size, 2)
    matrix, entry = np.eye(2), np.zeros(2)
    for into, read, takes_x in [(1, z_reads, True)] * L + [(0, y_reads, False)]:
        one = np.eye(2)
        one[into] = 1 / read
        matrix, entry = one @ matrix, one @ entry
        entry[into] += takes_x / read
    return matrix, entry


def growth(L, norm="pre", size=1.0):
    """The factor by which a cycle multiplies the streams, or with a norm a deviation from the fixed point: the
    largest eigenvalue. norm="pre": (L + 2 + sqrt(L (L + 4))) / 2, since trace L + 2 and determinant 1."""
    return float(np.abs(np.linalg.eigvals(cycle(L, norm, size)[0])).max())


def size_of_y(L, cycles, x=2**0.5, start=1.0):
    """The size (RMS) of y after so many cycles without a norm, when x, y_init and z_init (of the sizes x, start and
    start) have nothing to do with each other, so that squares add up:
    y = ((M^K)_11 - 1) x + (M^K)_11 y_init + (M^K)_12 z_init."""
    of_y, of_z = np.linalg.matrix_power(cycle(L)[0], cycles)[0]
    return float(np.sqrt(((of_y - 1) * x) ** 2 + (of_y**2 + of_z**2) * start**2))


def influence(L, cycles, norm="pre", size=1.0):
    """What the input that enters in each cycle adds to the last y, (cycles,): the first cycle first."""
    matrix, entry = cycle(L, norm, size)
    return np.array([(np.linalg.matrix_power(matrix, cycles - 1 - k) @ entry)[0] for k in range(cycles)])


def share(L, cycles, window=1, norm="pre", size=1.0):
    """The share of the last `window` of the cycles in that influence, in (0, 1].

    With norm="pre" nearly (lambda^window - 1) / (lambda^cycles - 1), lambda being the growth. Raises ValueError for a
    window that is not from 1 to cycles.
    """
    if not 1 <= window <= cycles:
        raise ValueError(f"window={window} is not a number of the cycles, of which there are {cycles}: "
                         f"choose one from 1 to {cycles}")
    found = influence(L, cycles, norm, size)
    return float(found[-window:].sum() / found.sum())

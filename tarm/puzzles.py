"""Puzzles: a line to fill in, and a check that says at once whether it is right."""

import torch

NOT_YET = "not yet: put your answer where the ... is, run that cell, then this one"


def check(yours, truth, *inputs):
    """Compare an answer with the truth, print one line, and say whether it is right.

    Without inputs the two are values; with inputs they are functions, tried on each of them (a tuple is
    several arguments). An answer that is still ... is "not yet". Numbers and tensors are equal within
    1e-4 of their size.
    """
    try:
        if not inputs or yours is ...:
            return _judge([(yours, truth, "")])
        pairs = [one if isinstance(one, tuple) else (one,) for one in inputs]
        return _judge([(yours(*one), truth(*one), f" for {', '.join(map(_short, one))}") for one in pairs])
    except Exception as error:  # whatever a reader's answer may raise
        print(f"not right: {type(error).__name__}: {error}")
        return False


def _judge(cases):
    for mine, right, where in cases:
        if mine is ...:
            print(NOT_YET)
            return False
        if not _equal(mine, right):
            print(f"not right{where}: yours gives {_short(mine)}")
            return False
    print("right")
    return True


def _equal(mine, right):
    if isinstance(right, (str, bool)) or right is None:
        return mine == right
    mine, right = torch.as_tensor(mine).double(), torch.as_tensor(right).double()
    return mine.shape == right.shape and torch.allclose(mine, right, rtol=1e-4, atol=1e-8)


def _short(value):
    """A value in a few words."""
    if torch.is_tensor(value):
        return f"a tensor of shape {tuple(value.shape)}" if value.numel() > 6 else str(value.tolist())
    return repr(value)

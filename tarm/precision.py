"""Matrix products of bfloat16 numbers (bf16), at a float32 product's pace where a CPU has no instructions for them.

A bf16 number has eight significant bits, so the product of two is exact in float32. A bf16 product of matrices adds these up
in float32 and rounds each sum to bf16; so does one that is given the same numbers in float32, and only the order of the
additions may differ, as between any two machines.
"""

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

PRODUCTS = {F.linear, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.baddbmm}  # those that a block makes

NARROW = ("DEFAULT", "NO AVX", "AVX2")  # what PyTorch calls a CPU whose vectors have less than 512 bits


def rounded(arg):
    """A tensor rounded to bf16, as float32; anything else as it is."""
    return arg.bfloat16().float() if isinstance(arg, torch.Tensor) else arg


class RoundedProducts(TorchFunctionMode):
    """Within it the products of a block round what they are given, and what they return, to bf16, and multiply in float32.
    A gradient passes the same roundings."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func not in PRODUCTS:
            return func(*args, **(kwargs or {}))
        return func(*map(rounded, args), **{name: rounded(arg) for name, arg in (kwargs or {}).items()}).bfloat16()


def bf16_products(device):
    """A context in which matrix products on that device take bf16 numbers and return them: `torch.autocast`, and
    `RoundedProducts` on a CPU without vectors of 512 bits, where PyTorch 2.13 takes tens of times as long over the former.
    Not where a compiler reads along: it drops a rounding to bf16 and back."""
    narrow = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() in NARROW
    return RoundedProducts() if narrow and not torch.compiler.is_compiling() else torch.autocast(device.type, torch.bfloat16)

"""Matrix products of bfloat16 numbers (bf16), at about float32's pace where a CPU has no instructions for them.

A bf16 number has eight significant bits, so the product of two is exact in float32. A bf16 product of matrices adds
these up in float32 and rounds each sum to bf16; so does one that is given the same numbers in float32. What may differ
is the order of the additions, as between any two machines, and in the scores of attention, whose sums are scaled as
well, whether they are rounded before that or once. It takes memory: a float32 copy of every weight in each pass,
so that a step on few problems needs more than in float32.
"""

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# What a block multiplies with, and what a hook or a rung of one's own is likely to; `torch.autocast` casts for more.
PRODUCTS = {F.linear, torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.baddbmm,
            torch.bmm, torch.Tensor.bmm, torch.mm, torch.Tensor.mm, torch.addmm, torch.einsum}
# Of an x86 CPU that has no vectors of 512 bits, and of one that PyTorch knows nothing of, as it names them
NARROW = torch.backends.cpu.get_cpu_capability() in ("AVX2", "NO AVX", "DEFAULT")


class RoundedProducts(TorchFunctionMode):
    """Within it PRODUCTS of float32 and bf16 tensors round what they are given, and what they return, to bf16, and
    multiply in float32. A gradient passes the same roundings. Other products, and other numbers, are left alone."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.Tensor)]
        ours = given and all(arg.dtype in (torch.float32, torch.bfloat16) for arg in given) and "out" not in kwargs
        if func not in PRODUCTS or not ours:
            return func(*args, **kwargs)
        return func(*map(rounded, args), **{name: rounded(arg) for name, arg in kwargs.items()}).bfloat16()


def rounded(arg):
    """A tensor rounded to bf16, as float32; anything else as it is."""
    return arg.bfloat16().float() if isinstance(arg, torch.Tensor) else arg


def bf16_products(device):
    """A context in which matrix products on that device take bf16 numbers and return them: `torch.autocast`, and
    `RoundedProducts` on a NARROW CPU, where PyTorch 2.13 takes ten times as long and more over the former. Not under
    `torch.compile`, which drops a rounding to bf16 and back."""
    if torch.compiler.is_compiling() or device.type != "cpu" or not NARROW:
        return torch.autocast(device.type, torch.bfloat16)
    return RoundedProducts()

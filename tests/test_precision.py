"""bf16 products made in float32 are those of PyTorch's autocast."""

import pytest
import torch
from torch.nn import functional as F

from tarm.block import Block
from tarm.precision import PRODUCTS, RoundedProducts, bf16_products

CALLS = {
    "linear": lambda h, weight: F.linear(h, weight),
    "linear with a bias": lambda h, weight: F.linear(h, weight, weight[:, 0]),
    "linear, by name": lambda h, weight: F.linear(input=h, weight=weight),
    "matmul": lambda h, weight: torch.matmul(h, weight.T),
    "@": lambda h, weight: h @ weight.T,
    "baddbmm": lambda h, weight: torch.baddbmm(torch.ones(1, 1), h, weight.T.expand(len(h), -1, -1), alpha=0.25),
    "bmm": lambda h, weight: torch.bmm(h, weight.T.expand(len(h), -1, -1)),
    "einsum": lambda h, weight: torch.einsum("btc,dc->btd", h, weight),
}


def autocast():
    return torch.autocast("cpu", torch.bfloat16)


def eighths(*shape, seed):
    """Numbers that bf16 has, plus a little that it rounds away. Sums of their products are exact in float32,
    in any order."""
    random = torch.Generator().manual_seed(seed)
    whole = torch.randint(-8, 9, shape, generator=random) / 8
    return (whole + torch.where(whole == 0, 0, whole * 2**-12)).requires_grad_()


def with_gradients(context, call, *inputs):
    """What the call returns in that context, and the gradients of the inputs."""
    with context():
        out = call(*inputs)
    return out.dtype, out, *torch.autograd.grad(out, inputs, torch.ones_like(out))


@pytest.mark.parametrize("name", CALLS)
def test_a_product_is_autocasts_to_the_last_bit(name):
    inputs = eighths(3, 5, 16, seed=0), eighths(24, 16, seed=1)
    dtype, *ours = with_gradients(RoundedProducts, CALLS[name], *inputs)
    theirs_dtype, *theirs = with_gradients(autocast, CALLS[name], *inputs)
    assert dtype == theirs_dtype == torch.bfloat16
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(ours, theirs))
    assert not torch.equal(ours[0].float(), CALLS[name](*inputs))  # which rounds nothing


def test_each_product_of_a_block_is_listed():
    """What the operator @ calls differs between versions of PyTorch,
    and one that is missed would take tens of times as long."""
    made = []

    class Watch(RoundedProducts):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            made.extend([func] * (func in PRODUCTS))
            return super().__torch_function__(func, types, args, kwargs)

    block = Block(16, 2, 0.1, precision="bf16")
    with Watch():
        block.mlp(block.attention(torch.randn(2, 5, 16)))
    assert len(made) == 6  # q, k and v together, scores, their weights @ v, out; in, out


@pytest.mark.parametrize("numbers", [torch.tensor([[257]]), torch.tensor([[1 + 2**-20]], dtype=torch.float64)])
def test_other_numbers_are_left_alone(numbers):
    """As by autocast: whole numbers, and those of a float64 model; also in a list."""
    for context in RoundedProducts, autocast:
        with context():
            assert torch.equal(numbers @ torch.ones_like(numbers), numbers)
            assert torch.equal(torch.einsum("ij,jk->ik", [numbers, torch.ones_like(numbers)]), numbers)


@pytest.mark.parametrize("training", [True, False])
def test_a_block_agrees_with_autocast(training, monkeypatch):
    """Sums may be added in another order, and one that lies at the middle of two bf16 numbers be rounded
    the other way."""
    block = Block(16, 2, 0.1, precision="bf16").train(training)
    h = torch.randn(4, 9, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found = []
    for context in RoundedProducts, autocast:
        monkeypatch.setattr("tarm.block.bf16_products", lambda device, context=context: context())
        torch.manual_seed(1)
        out = block(block(h))
        found.append([out, *torch.autograd.grad(out.square().sum(), (h, *block.parameters()))])
    for ours, theirs in zip(*found):
        assert ours.dtype == theirs.dtype == torch.float32
        assert (ours - theirs).norm() <= 2**-7 * theirs.norm()


@pytest.mark.parametrize("narrow, compiling, context", [
    (True, False, RoundedProducts), (False, False, torch.autocast), (True, True, torch.autocast)])
def test_autocast_is_used_where_vectors_are_wide_and_by_the_compiler(narrow, compiling, context, monkeypatch):
    monkeypatch.setattr("tarm.precision.NARROW", narrow)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiling)
    assert isinstance(bf16_products(torch.device("cpu")), context)


@pytest.mark.parametrize("narrow", [True, False])
def test_a_block_is_one_graph_to_the_compiler(narrow, monkeypatch):
    monkeypatch.setattr("tarm.precision.NARROW", narrow)
    block, h = Block(16, 2, 0.0, precision="bf16"), torch.randn(2, 5, 16)
    with autocast():
        expected = block.attention(block.norm1(h))
    compiled = torch.compile(lambda h: block.in_precision(block.attention, block.norm1(h)), backend="eager",
                             fullgraph=True)
    assert torch.equal(compiled(h), expected)

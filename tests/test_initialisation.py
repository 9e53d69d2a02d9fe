"""Parameters: how many, and where they start."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from tarm import LADDER, Architecture, build
from tarm.runs import Run

PUBLISHED_SIZES = {  # the authors' models at width 384, heads 6, budget 24, context 180
    "dense": 42_640_142, "iterative": 1_853_966, "iterative_step": 1_863_182, "universal": 1_863_567,
    "dual_ut": 1_859_727, "dual_nested_ut": 1_856_655, "ar_trm": 1_856_655}
SMALL = {"width": 64, "heads": 4, "budget": 12, "context": 40}


@pytest.mark.parametrize("rung", LADDER)
def test_number_of_parameters_is_the_published_one(rung):
    """Counted without memory; what the count says of a small model is what the model built has."""
    published = Architecture(rung=rung, width=384, heads=6, budget=24, context=180)
    assert published.count_parameters() == PUBLISHED_SIZES[rung]
    built = build(rung, **SMALL)
    assert built.architecture.count_parameters() == sum(p.numel() for p in built.parameters())


def test_a_run_is_initialised_from_its_own_seed():
    """Unless another is given; an architecture has none, and begins with 0."""
    run = Run(rung="dense", task="copy", seed=5, budget=1, width=8, heads=1)
    weights = [model.state_dict()["token_embedding.weight"]
               for model in (run.build(), run.build(5), run.build(0), replace(run, seed=0).build())]
    assert weights[0].equal(weights[1]) and weights[2].equal(weights[3]) and not weights[0].equal(weights[2])


def test_counting_does_not_import_the_compiler():
    """PyTorch's, whose import takes longer than all else that `tarm ladder` does."""
    code = ("import sys, tarm; "
            "print(*(tarm.Architecture(rung=rung).count_parameters() for rung in tarm.LADDER), "
            "'torch._dynamo' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*map(str, PUBLISHED_SIZES.values()), "False"]


def assert_normal(tensor, std):
    """Mean 0 and this standard deviation, each within five standard errors."""
    n = tensor.numel()
    assert abs(tensor.mean().item()) < 5 * std / math.sqrt(n)
    assert tensor.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * n))


@pytest.mark.parametrize("rung", LADDER)
@pytest.mark.parametrize("scale", ["published", "unit", "input", "states"])
def test_every_parameter_starts_as_the_paper_says(rung, scale):
    """N(0, 0.02^2) but for norms, biases and the binary halting head;
    scale="unit" and "states" change y_init and z_init only."""
    if scale in ("input", "states") and LADDER[rung].family != "dual stream":
        pytest.skip("the rung has no states")
    model = build(rung, scale=scale, **SMALL)
    checked = set()
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all() and (module.bias == 0).all()
        elif name == "q_halt":
            assert (module.weight == 0).all() and (module.bias == -5).all()
        elif isinstance(module, (nn.Linear, nn.Embedding)):
            assert_normal(module.weight, 0.02)
            assert getattr(module, "bias", None) is None or (module.bias == 0).all()
        else:
            continue
        checked |= {f"{name}.{part}" for part, _ in module.named_parameters()}
    rest = {name: p for name, p in model.named_parameters() if name not in checked}
    assert rest.keys() == ({"y_init", "z_init"} if "y" in LADDER[rung].model.streams else set())
    for p in rest.values():
        assert_normal(p, 1 if scale in ("unit", "states") else 0.02)


@pytest.mark.parametrize(
    "scale, expected", [("published", 0.02 * math.sqrt(2)), ("unit", 1), ("input", 1), ("states", 0.02 * math.sqrt(2))]
)
def test_size_of_the_input(scale, expected):
    """x sums two tables of standard deviation 0.02; unit scale divides by what that makes."""
    x = build("dual_ut", scale=scale, **SMALL).embed(torch.arange(14).repeat(2, 2))
    assert x.std().item() == pytest.approx(expected, rel=0.1)


def test_initial_halting_bias_is_the_field():
    assert build("universal", halting_bias=-3.0, **SMALL).act_halt.bias.item() == -3


@pytest.mark.parametrize("rung", LADDER)
def test_what_rungs_share_starts_equal_under_one_seed(rung):
    """Tables, first block and head are those of the Dense Transformer of the same seed, and of no other."""
    one, dense, other = build(rung, seed=3, **SMALL), build("dense", seed=3, **SMALL), build("dense", seed=4, **SMALL)
    reference, different = dict(dense.named_parameters()), dict(other.named_parameters())
    shared = {name: p for name, p in one.named_parameters() if name in reference}
    assert shared.keys() >= {"token_embedding.weight", "position_embedding.weight", "block.0.mlp.in.weight"}
    assert all(p.equal(reference[name]) for name, p in shared.items())
    assert not one.token_embedding.weight.equal(different["token_embedding.weight"])


def test_a_layer_norm_of_any_name_starts_at_one_and_zero(monkeypatch):
    """As in a rung of one's own, what else it has staying as it was made, the same under one seed."""
    class Named(LADDER["iterative"].model):
        def __init__(self, architecture):
            super().__init__(architecture)
            self.ln, self.rms, self.own = (nn.LayerNorm(architecture.width), nn.RMSNorm(architecture.width),
                                           nn.Linear(8, 8))
            self.gate, self.mixing = nn.Parameter(torch.ones(1)), nn.Parameter(torch.rand(architecture.width))

    monkeypatch.setitem(LADDER, "named", LADDER["iterative"]._replace(key="named", model=Named))
    one, again, other = (build("named", seed=seed, **SMALL) for seed in (0, 0, 1))
    assert ((one.ln.weight == 1).all() and (one.ln.bias == 0).all() and (one.rms.weight == 1).all()
            and one.gate.item() == 1)
    assert_normal(one.own.weight, 0.02)
    assert one.mixing.equal(again.mixing) and not one.mixing.equal(other.mixing) and one.mixing.min() >= 0


def test_building_leaves_the_callers_random_stream_alone():
    before = torch.get_rng_state()
    build("universal", **SMALL)
    assert torch.get_rng_state().equal(before)


def test_no_two_parameters_start_with_the_same_numbers():
    """Each has a stream of its own: the twelve blocks of the Dense Transformer are twelve different ones."""
    firsts = [p.flatten()[0].item() for name, p in build("dense", **SMALL).named_parameters() if p.dim() > 1]
    assert len(set(firsts)) == len(firsts)

"""Every rung computes what the published code computes: logits, loss, passes, gradient norms.

The files come from the published code run in float64 (see reference/README.md). Check another
folder of the same format with `pytest tests/test_reference.py --reference DIR`.
"""

import json

import pytest
import torch
from safetensors.torch import load_file

from tarm import LADDER, Architecture


def pytest_generate_tests(metafunc):
    folder = metafunc.config.getoption("--reference")
    names = sorted(path.stem for path in folder.glob("*.json"))
    if not names:
        raise pytest.UsageError(f"no reference files (*.json) in {folder}")
    metafunc.parametrize("name", names)


@pytest.fixture
def case(name, request):
    folder = request.config.getoption("--reference")
    expected = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return expected, load_file(folder / f"{name}.safetensors")


def load(expected, tensors):
    """The rung with the file's configuration and parameters, in float64."""
    rung = LADDER[expected["rung"]].model
    used = ["width", "heads", "steps"]  # a field that the rung has no use for may hold anything
    used += ["outer", "inner"] if rung.nested else []
    used += ["ponder_weight"] if rung.halting_head == "act_halt" else []
    used += ["step_embeddings"] if rung.with_step_embeddings else []
    given = {field: expected[field] for field in used if expected[field] is not None}
    model = Architecture(rung=expected["rung"], vocabulary=expected["vocab"], context=expected["context"],
                         dropout=0.0, **given).build().double()
    parameters = {key.removeprefix("parameter/"): value.double()
                  for key, value in tensors.items() if key.startswith("parameter/")}
    model.load_state_dict(parameters)
    return model.train(expected["mode"] == "train")


def test_reference(case):
    expected, tensors = case
    model = load(expected, tensors)
    calls = []
    for block in model.block:
        block.register_forward_hook(lambda *_: calls.append(1))
    output = model(tensors["tokens"], steps=expected["steps_at_call"], halting=expected["halting"] == "on")
    loss = model.loss(output, tensors["targets"])
    loss.backward()

    torch.testing.assert_close(output.logits, tensors["logits"], atol=1e-9, rtol=0)
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-8)
    if expected["ponder"] is None:
        assert output.ponder is None
    else:
        assert output.ponder.item() == pytest.approx(expected["ponder"], rel=1e-8)
    if expected["steps_taken"] is not None:
        assert output.steps == expected["steps_taken"]
    assert len(calls) == expected["realised_passes"]
    assert model.architecture.budget == expected["nominal_passes"]
    assert sum(p.numel() for p in model.parameters()) == expected["n_parameters"]

    norms = {name: None if p.grad is None else p.grad.norm().item() for name, p in model.named_parameters()}
    assert norms.keys() == expected["gradient_norms"].keys()
    for name, norm in expected["gradient_norms"].items():
        if norm is None:
            assert norms[name] is None, name
        else:
            assert norms[name] == pytest.approx(norm, rel=1e-8), name

"""torch.autograd and torch.func: values, texts and errors beside PyTorch's, and what needs no PyTorch to be told."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

import funcdiff.compat.torch as ours
from funcdiff.errors import UnsupportedError
from tests.compat.autograd_programs import FUNCTIONAL, FUNCTIONAL_SETUP, PROGRAMS
from tests.compat.both import agree


@pytest.mark.parametrize("name", PROGRAMS)
def test_prints_what_pytorch_prints(name):
    agree(PROGRAMS[name])


@pytest.mark.parametrize("expression", FUNCTIONAL)
def test_functional(expression):
    agree(FUNCTIONAL_SETUP + expression)


# --- without PyTorch --------------------------------------------------------------------------------------


def test_leaves_share_no_gradients():
    x, y = (ours.ones(3, requires_grad=True) for _ in range(2))
    ((x + y) * 2).sum().backward()
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    x.grad.zero_()
    assert y.grad.tolist() == [2.0, 2.0, 2.0]


def test_a_gradient_is_not_what_the_caller_gave():
    x = ours.ones(3, requires_grad=True)
    seed = ours.ones(3)
    x.clone().backward(seed)
    (g,) = ours.autograd.grad(x + 0, x, seed)
    x.grad.zero_()
    g.zero_()
    assert seed.tolist() == [1.0, 1.0, 1.0]


def test_graphs_leave_no_cycles():
    import gc

    gc.collect()
    gc.disable()
    try:
        x = ours.ones(1000, requires_grad=True)
        y = (x * 2).sin() * x
        y[0] = 3.0
        seen = weakref.ref(y.grad_fn), weakref.ref(y)
        y.sum().backward()
        del y
        assert [r() for r in seen] == [None, None]
    finally:
        gc.enable()


def test_recording_is_a_switch_of_the_thread():
    said = []
    with ours.no_grad():
        thread = threading.Thread(target=lambda: said.append(ours.is_grad_enabled()))
        thread.start()
        thread.join()
        assert not ours.is_grad_enabled()
    assert said == [True]


def test_a_decorated_generator_switches_only_its_own_code():
    @ours.no_grad()
    def numbers():
        for _ in range(2):
            yield ours.is_grad_enabled()

    assert [(inside, ours.is_grad_enabled()) for inside in numbers()] == [(False, True)] * 2


def test_numpy_warnings_stay_away():
    x = ours.tensor([0.0, -1.0, 1e38])
    assert ours.log(x).tolist()[0] == -np.inf
    assert (x * x).tolist()[2] == np.inf
    with pytest.warns(RuntimeWarning):
        np.log(np.zeros(1))


def test_views_share_memory_with_numpy():
    a = np.zeros(3, np.float32)
    x = ours.from_numpy(a)
    x[1] = 5
    assert a.tolist() == [0.0, 5.0, 0.0]
    assert np.shares_memory(x[1:].numpy(), a)


def test_numpys_functions_give_tensors():
    assert repr(np.sin(ours.zeros(2))) == "tensor([0., 0.])"
    with pytest.raises(RuntimeError, match="detach"):
        np.sin(ours.zeros(2, requires_grad=True))


def test_complex_gradients_are_pytorchs():
    z = ours.tensor([1 + 2j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    assert z.grad.tolist() == pytest.approx([2 + 4j])


def test_pickles_keep_values():
    x = ours.tensor([1.0, 2.0], requires_grad=True)
    y = pickle.loads(pickle.dumps(x))
    assert y.tolist() == [1.0, 2.0]
    assert y.requires_grad
    assert pickle.loads(pickle.dumps(ours.float32)) is ours.float32


def test_files_hold_data_only(tmp_path):
    model = ours.nn.Linear(2, 3)
    path = tmp_path / "model"
    ours.save({"model": model.state_dict(), "epoch": 3, "list": [1, (2.5, None)]}, path)
    found = ours.load(path)
    assert found["epoch"] == 3
    assert found["list"] == [1, (2.5, None)]
    other = ours.nn.Linear(2, 3)
    other.load_state_dict(found["model"])
    assert ours.equal(other.weight, model.weight)
    with pytest.raises(TypeError, match="state_dict"):
        ours.save(model, path)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(ValueError, match="was not written by"):
        ours.load(path)


@pytest.mark.parametrize(
    "use",
    [
        lambda: ours.distributed,
        lambda: ours.jit,
        lambda: ours.bfloat16,
        lambda: ours.zeros(2, device="cuda"),
        lambda: ours.zeros(2).to("mps"),
        lambda: ours.nn.CTCLoss,
        lambda: ours.autograd.profiler.profile(use_cuda=True),
    ],
)
def test_out_of_scope_says_so(use):
    with pytest.raises(UnsupportedError, match=r"funcdiff\.compat\.torch"):
        use()


def in_a_new_process(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_funcdiff_does_not_import_the_shim():
    assert in_a_new_process("import sys, funcdiff; print('funcdiff.compat' in sys.modules)") == "False"


def test_registered_as_torch():
    code = (
        "import funcdiff.compat.torch; funcdiff.compat.torch.register()\n"
        "import torch; from torch.autograd import Function; import torch.nn.functional as F; from torch import nn, optim\n"
        "from torch.utils.data import DataLoader; import torch.autograd.forward_ad as fwAD\n"
        "print(F.relu(torch.tensor([-1., 2.])), torch.__name__)"
    )
    assert in_a_new_process(code) == "tensor([0., 2.]) funcdiff.compat.torch"


def test_profiler_counts_and_exports(tmp_path):
    import json

    profiler = ours.autograd.profiler
    x = ours.ones(2, 3, requires_grad=True)
    before = ours.Tensor.__mul__
    with profiler.profile(record_shapes=True) as p, profiler.record_function("block"):
        (x * x).sum().backward()
    assert ours.Tensor.__mul__ is before
    counts = {e.key: e.count for e in p.key_averages()}
    assert counts["aten::mul"] == 1
    assert counts["block"] == 1
    assert "MulBackward0" in counts
    assert "[2, 3]" in p.key_averages(group_by_input_shape=True).table(sort_by="cpu_time_total")
    p.export_chrome_trace(str(tmp_path / "trace.json"))
    assert json.loads((tmp_path / "trace.json").read_text())

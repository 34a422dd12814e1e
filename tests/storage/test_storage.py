"""`Tape.save` and `fd.load`: what comes back, and what is refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from random import Random

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import funcdiff as fd
from funcdiff.core.primitive import REGISTRY
from funcdiff.core.trees import flatten
from funcdiff.storage.archive import from_bytes, to_bytes
from tests.fuzz.test_mutation_programs import MutationBuilder
from tests.fuzz.test_mutation_programs import random_program as random_mutation_program
from tests.fuzz.test_random_programs import random_program
from tests.primitives.test_registry import PRIMITIVES

X = np.array([0.3, -1.2, 2.5])

Y = np.array([1.5, 0.7, -0.4])


def is_set_up_with_objects(params):
    """Tell whether settings hold factors or patterns of matrices, which are neither text nor arrays."""
    own = ("funcdiff", "scipy.sparse.linalg")
    return any(type(v).__module__.startswith(own) or type(v).__name__ == "SuperLU" for v in params.values())


def same(tape, *args):
    """The tape that comes back from a file prints and computes the same."""
    again = from_bytes(to_bytes(tape))
    assert str(again) == str(tape)
    found, found_tree = flatten(again.run(*args))
    expected, expected_tree = flatten(tape.run(*args))
    assert found_tree == expected_tree
    for a, b in zip(found, expected, strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert_array_equal(a, b)
    assert to_bytes(again) == to_bytes(tape)
    return again


# --- round trips -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in PRIMITIVES if PRIMITIVES[n].samples is not None])
def test_every_primitive(name):
    primitive = PRIMITIVES[name]
    for args, params in primitive.samples(np.random.default_rng(0)):
        values = list(map(np.asarray, args))
        if is_set_up_with_objects(params):
            with pytest.raises(fd.errors.UnsupportedError, match="cannot be saved"):
                same(fd.trace(lambda *v, params=params: primitive.function(*v, **params))(*values), *values)
            continue
        with np.errstate(all="ignore"):
            same(fd.trace(lambda *v, params=params: primitive.function(*v, **params))(*values), *values)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed):
    for program in (random_program(seed), random_mutation_program(Random(seed), MutationBuilder)):
        x = program.x
        loss = lambda x, program=program: sum(np.sum(a) for a in program(x))  # noqa: E731
        same(fd.trace(lambda x, program=program: program(x))(x), x)
        same(fd.trace(fd.grad(loss))(x), x)


def test_nested_arguments_names_and_guards(tmp_path):
    def f(params, x):
        y = np.zeros_like(x)
        y[1:] = params["w"] * x[1:] if x[0] > 0 else x[1:]
        return {"y": (y, [y.sum()]), 3: None, "c": (1 + 2j) * x, "n": np.float32(0.1) * np.nan}

    args = ({"w": 2.0, "b": [X]}, X)
    tape = fd.trace(f)(*args)
    tape.save(tmp_path / "f.fdt")
    again = fd.load(tmp_path / "f.fdt")
    assert str(again).splitlines()[-1] == str(tape).splitlines()[-1]
    assert str(flatten(again.run(*args))) == str(flatten(tape.run(*args)))
    with pytest.raises(fd.errors.TapeError, match="another path"):
        again.run({"w": 2.0, "b": [X]}, -X)


def test_a_loaded_tape_differentiates():
    tape = fd.trace(lambda x: np.sum(np.sin(x) * x))(X)
    again = same(tape, X)
    assert_array_equal(fd.grad(again.run)(X), fd.grad(tape.run)(X))
    assert_array_equal(fd.hessian(again.run)(X), fd.hessian(tape.run)(X))
    assert again.to_source() == tape.to_source()


def test_files_hold_no_folders(tmp_path):
    text = zipfile.ZipFile(io.BytesIO(to_bytes(fd.trace(lambda x: x * 2)(X)))).read("tape.json").decode()
    assert "test_storage.py" in text
    assert "/" not in text.replace("</", "")


def test_primitives_of_the_user_by_name():
    f = fd.primitive(lambda x: x**3, partials=[lambda out, x: 3 * x**2], name="storage_cube")
    try:
        data = to_bytes(fd.trace(lambda x: f(x) * 2)(X))
        assert_array_equal(from_bytes(data).run(X), X**3 * 2)
    finally:
        REGISTRY.pop("storage_cube")
    with pytest.raises(fd.errors.TapeError, match=r"'storage_cube', which is not registered"):
        from_bytes(data)


def test_an_interrupted_save_leaves_the_older_file(tmp_path):
    path = tmp_path / "f.fdt"
    fd.trace(np.sin)(0.5).save(path)
    before = path.read_bytes()

    @fd.custom_jvp
    def g(x):
        return x

    g.defjvp(lambda p, t: (p[0], t[0]))
    with pytest.raises(fd.errors.UnsupportedError, match="rules of its own"):
        fd.trace(lambda x: g(x))(0.5).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["f.fdt"]


class Point:
    def __init__(self, x):
        self.x = x


fd.register_pytree_node(Point, lambda p: ((p.x,), None), lambda aux, c: Point(*c))


def test_other_containers_are_refused():
    with pytest.raises(fd.errors.UnsupportedError, match="nested in a Point"):
        to_bytes(fd.trace(lambda p: p.x)(Point(1.0)))


# --- what is refused -----------------------------------------------------------------------------------------


def rewritten(change, data=None):
    """A file whose JSON was changed."""
    data = data or to_bytes(fd.trace(lambda x: np.sum(x * np.arange(3.0)))(X))
    source = zipfile.ZipFile(io.BytesIO(data))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "tape.json":
                tape = json.loads(content)
                content = json.dumps(change(tape) or tape)
            archive.writestr(name, content)
    return buffer.getvalue()


def setting(name, value):
    return lambda tape: tape["records"][-1]["with"].__setitem__(name, value)


HOSTILE = {
    "another format": lambda t: t.update(format="pickle"),
    "no version": lambda t: t.pop("version"),
    "a version that is no number": lambda t: t.update(version="1"),
    "an unknown primitive": lambda t: t["records"][0].update(do="__import__"),
    "a primitive that is no word": lambda t: t["records"][0].update(do=["sin"]),
    "an unknown setting": setting("out", 3),
    "a setting of unknown kind": setting("axis", ["eval", "1"]),
    "a function as a setting": setting("axis", ["lens", "sum"]),
    "a dict as a setting": setting("axis", {"a": 1}),
    "a use before definition": lambda t: t["records"][0].update(of=[17, 0]),
    "a negative number": lambda t: t["records"][0].update(of=[-1, 0]),
    "a missing array": lambda t: t["records"][0].update(of=[0, [["array", 5]]]),
    "two definitions": lambda t: t["records"][0].update(to=t["inputs"]),
    "a wrong shape": lambda t: t["records"][0].update(to=[[1, [4], "<f8"]]),
    "a negative length": lambda t: t["inputs"][0].__setitem__(1, [-3]),
    "a dtype of objects": lambda t: t["inputs"][0].__setitem__(2, "|O"),
    "a dtype of records": lambda t: t["inputs"][0].__setitem__(2, "f8,f8"),
    "an unknown structure": lambda t: t.update(in_tree=["set", 0]),
    "a structure of the wrong size": lambda t: t.update(out_tree=["tuple", 0, 1]),
    "no records": lambda t: t.pop("records"),
    "records that are no list": lambda t: t.update(records={"0": 1}),
    "text instead of a tape": lambda t: "tape",
    "a list instead of a tape": lambda t: [t],
    "a guard outside": lambda t: t.update(guards=[[0, ["array", 0], 99, ""]]),
    "guards out of order": lambda t: t.update(guards=[[0, ["array", 0], 1, ""], [0, ["array", 0], 0, ""]]),
    "a guard without value": lambda t: t.update(guards=[[0, 5, 0, ""]]),
    "names of what is not there": lambda t: t.update(input_names=["x", "y", "z"]),
    "too many operands": lambda t: t["records"][0].update(of=[0, 0, 0]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name):
    with pytest.raises(fd.errors.TapeError):
        from_bytes(rewritten(HOSTILE[name]))


def test_newer_files():
    with pytest.raises(fd.errors.TapeError, match="install a newer funcdiff"):
        from_bytes(rewritten(lambda t: t.update(version=2)))


def test_deep_nesting():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tape.json", "[" * 100_000)
    with pytest.raises(fd.errors.TapeError, match=r"not a tape|damaged"):
        from_bytes(buffer.getvalue())


def with_array(content, name="arrays/0.npy", compression=zipfile.ZIP_STORED):
    data = to_bytes(fd.trace(lambda x: np.sum(x * np.arange(3.0)))(X))
    source = zipfile.ZipFile(io.BytesIO(data))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("tape.json", source.read("tape.json"))
        archive.writestr(name, content)
    return buffer.getvalue()


class Explosive:
    """Shows that it was unpickled."""

    unpickled = False

    def __reduce__(self):
        return (setattr, (Explosive, "unpickled", True))


def npy(array, **settings):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **settings)
    return buffer.getvalue()


def test_pickles_in_arrays_are_not_read():
    objects = np.empty(3, object)
    objects[:] = [Explosive()] * 3
    with pytest.raises(fd.errors.TapeError, match="holds object"):
        from_bytes(with_array(npy(objects, allow_pickle=True)))
    assert not Explosive.unpickled
    with pytest.raises(fd.errors.TapeError):
        from_bytes(with_array(pickle.dumps(Explosive())))
    assert not Explosive.unpickled


def test_arrays_that_are_not_what_they_say():
    good = npy(np.arange(3.0))
    for content in (
        b"",
        good[:20],
        good[:-1],
        good + b"0",
        good.replace(b"(3,)", b"(9,)"),
        good.replace(b"(3,)", b"3**9"),
    ):
        with pytest.raises(fd.errors.TapeError):
            from_bytes(with_array(content))
    large = good.replace(b"(3,), }" + b" " * 12, b"(3000000000000,), }")
    with pytest.raises(fd.errors.TapeError):
        from_bytes(with_array(large))


def test_archives_that_are_not_ours():
    with pytest.raises(fd.errors.TapeError, match="compressed"):
        from_bytes(with_array(npy(np.arange(3.0)), compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(fd.errors.TapeError):
        from_bytes(with_array(npy(np.arange(3.0)), name="../0.npy"))
    for data in (b"", b"PK", b"\x80\x04K\x01.", pickle.dumps(Explosive())):
        with pytest.raises(fd.errors.TapeError, match="not a tape"):
            from_bytes(data)
    assert not Explosive.unpickled


def test_truncated_and_damaged_files():
    """Whatever is cut off or changed: a tape that computes, or the error that says so."""
    data = to_bytes(fd.trace(lambda x: np.sum(np.sin(x) * np.arange(3.0)))(X))
    rng = np.random.default_rng(0)
    for length in range(0, len(data), 37):
        with pytest.raises(fd.errors.TapeError):
            from_bytes(data[:length])
    refused = 0
    for _ in range(300):
        changed = bytearray(data)
        for place in rng.integers(len(data), size=3):
            changed[place] = rng.integers(256)
        try:
            from_bytes(bytes(changed))
        except fd.errors.TapeError:
            refused += 1
    assert refused > 200


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        fd.load(tmp_path / "none.fdt")
    (tmp_path / "text.fdt").write_text("hello")
    with pytest.raises(fd.errors.TapeError, match=r"text\.fdt is not a tape"):
        fd.load(tmp_path / "text.fdt")


# --- pickles ------------------------------------------------------------------------------------------------


def energy(x):
    return np.sum(np.sin(x) ** 2 * x)


def wave(x):
    return np.sin(x) * x


TRANSFORMED = {
    "grad": (lambda: fd.grad(energy), (X,)),
    "grad with settings": (lambda: fd.grad(energy, argnums=(0,)), (X,)),
    "value_and_grad": (lambda: fd.value_and_grad(energy), (X,)),
    "elementwise_grad": (lambda: fd.elementwise_grad(wave), (X,)),
    "jacobian": (lambda: fd.jacobian(wave, mode="forward"), (X,)),
    "jacfwd": (lambda: fd.jacfwd(wave, chunk_size=2), (X,)),
    "jacrev": (lambda: fd.jacrev(wave), (X,)),
    "hessian": (lambda: fd.hessian(energy, mode="reverse-over-reverse"), (X,)),
    "laplacian": (lambda: fd.laplacian(energy), (X,)),
    "vmap": (lambda: fd.vmap(energy, in_axes=1), (np.stack([X, Y]),)),
    "vmap of grad": (lambda: fd.vmap(fd.grad(energy)), (np.stack([X, Y]),)),
    "hvp": (lambda: fd.hvp(energy), (X, Y)),
    "vjp": (lambda: fd.vjp(wave), (X, Y)),
    "jvp": (lambda: fd.jvp(wave), (X, Y)),
    "checkpoint": (lambda: fd.grad(fd.checkpoint(energy)), (X,)),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed_functions_are_pickled(name):
    make, args = TRANSFORMED[name]
    f = make()
    again = pickle.loads(pickle.dumps(f))
    assert again.__name__ == f.__name__
    for a, b in zip(flatten(again(*args))[0], flatten(f(*args))[0], strict=True):
        assert_array_equal(a, b)


def test_tapes_are_pickled():
    tape = fd.trace(energy)(X)
    assert str(pickle.loads(pickle.dumps(tape))) == str(tape)


def test_transformed_functions_are_methods_where_functions_are():
    class Model:
        scale = 3.0

        def loss(self, x):
            return self.scale * np.sum(x**2)

        slope = fd.grad(loss, argnums=1)

    assert_array_equal(Model().slope(X), 6 * X)
    assert (
        repr(Model.slope)
        == "<function grad(test_transformed_functions_are_methods_where_functions_are.<locals>.Model.loss)>"
    )

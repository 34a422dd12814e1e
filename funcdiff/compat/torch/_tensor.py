"""`Tensor`: an array, its place in the graph, and nothing else.

The operations are attached by the modules of `funcdiff.compat.torch.ops` (see the package's docstring).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from funcdiff.compat.torch import _errors as text
from funcdiff.compat.torch._dtypes import CPU, FROM_NUMPY, Default, Size, as_numpy, check_device, strided
from funcdiff.compat.torch._graph import LEAF, accumulate_node, target
from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch._state import EVER, STATE
from funcdiff.core.recording import TracedArray, concrete
from funcdiff.errors import MappedControlFlowError

_scalar_types = (bool, int, float, complex)


class InferenceVersion(list[int]):
    """The version counter of a tensor made in inference mode: it has none."""

    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError(text.INFERENCE_SAVED)


class _View:
    """Of which tensor, and how, another one is a view.

    Attributes
    ----------
    parent : Tensor
        The tensor that was looked at, which may be a view itself.
    lens, params : primitive function, dict
        How.
    seen : int
        The version for which the view's edge is right.
    forbidden : str
        Why autograd does not allow to write through the view; empty if it does.
    """

    __slots__ = ("forbidden", "lens", "params", "parent", "seen")

    forbidden: str
    lens: Any
    params: dict[str, Any]
    parent: Tensor
    seen: int

    @property
    def root(self) -> Tensor:
        """The tensor whose memory is seen."""
        found = self.parent
        while found.base is not None:
            found = found.base.parent
        return found

    @property
    def path(self) -> tuple[Any, ...]:
        """The lenses that lead there from the root."""
        step = ((self.lens, self.params),)
        return step if self.parent.base is None else (*self.parent.base.path, *step)


class Tensor:
    """An n-dimensional array whose operations build a graph while they run.

    Attributes
    ----------
    value : ndarray or TracedArray
        The elements; traced inside a `torch.func` transform.
    edge : object
        None if no gradient is wanted, `LEAF`, or the node (or `Output` of one) that made the tensor.
    version : list
        The version counter, shared with views; after a write also the edge it left behind.
    base : _View or None
        Of what the tensor is a view.
    """

    __slots__ = ("__dict__", "__weakref__", "base", "edge", "value", "version")
    __array_priority__ = 1000.0
    __module__ = "torch"

    value: Any
    edge: Any
    version: Any
    base: Any
    _grad: Tensor | None = None
    _hooks: Any = None
    _after: Any = None
    is_sparse = is_quantized = is_cuda = is_meta = is_mkldnn = is_nested = False
    is_cpu = True
    names: tuple[None, ...] = ()

    if TYPE_CHECKING:  # the operations, attached elsewhere

        def __add__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def detach(self) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return refuse("Tensor", name)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], Tensor):
            found = wrap(args[0].value, cls)
            found.version = args[0].version
            return found
        if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray)):
            return wrap(np.array(args[0], Default.real), cls)
        return wrap(np.zeros(tuple(args), Default.real), cls)

    # --- what it is -------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The lengths of the axes."""
        return Size(self.value.shape)

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the length of one axis."""
        return Size(self.value.shape) if dim is None else self.value.shape[dim]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.value.shape)

    def dim(self) -> int:
        """Return the number of axes."""
        return len(self.value.shape)

    ndimension = dim

    def numel(self) -> int:
        """Return the number of elements."""
        return int(self.value.size)

    nelement = numel

    @property
    def dtype(self) -> Any:
        """The data type."""
        return FROM_NUMPY[self.value.dtype]

    @property
    def device(self) -> Any:
        """Where the tensor lies: the CPU."""
        return CPU

    @property
    def layout(self) -> Any:
        """How the elements lie: strided."""
        return strided

    def get_device(self) -> int:
        """Return the number of the device, -1 for the CPU."""
        return -1

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return int(self.value.dtype.itemsize)

    element_size = property(lambda self: lambda: self.itemsize)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self.itemsize * self.numel()

    def is_floating_point(self) -> bool:
        """Tell whether the elements are real floating-point numbers."""
        return bool(self.value.dtype.kind == "f")

    def is_complex(self) -> bool:
        """Tell whether the elements are complex numbers."""
        return bool(self.value.dtype.kind == "c")

    def is_signed(self) -> bool:
        """Tell whether the type has negative numbers."""
        return self.value.dtype.kind in "ifc"

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Tell whether the elements lie in C order."""
        return bool(plain(self).flags.c_contiguous)

    def stride(self, dim: int | None = None) -> Any:
        """Return the step of each axis, in elements."""
        steps = tuple(s // self.itemsize for s in plain(self).strides)
        return steps if dim is None else steps[dim]

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return int(plain(self).ctypes.data)

    def storage_offset(self) -> int:
        """Return where in its memory the tensor begins, in elements."""
        x = plain(self)
        return int(x.ctypes.data - owner_of(x).ctypes.data) // self.itemsize

    # --- its place in the graph -------------------------------------------------------------------

    def current(self) -> Any:
        """Return the edge of a view, made anew if what it looks at has been written since."""
        view = self.base
        version = self.version
        if type(version) is InferenceVersion or view.seen == version[0]:
            return self.edge
        from funcdiff.compat.torch._views import regenerate

        return regenerate(self)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients with respect to the tensor, or through it, are wanted."""
        edge = self.edge if self.base is None else self.current()
        return edge is not None or (type(self.value) is TracedArray and _wants_gradient(self.value))

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        edge = self.edge if self.base is None else self.current()
        if edge is not None and edge is not LEAF:
            if not wanted:
                raise RuntimeError(text.NOT_A_LEAF_FLAG)
            return
        if wanted and self.value.dtype.kind not in "fc":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if wanted and type(self.value) is TracedArray:
            raise RuntimeError(
                "You are attempting to call Tensor.requires_grad_() (or perhaps using torch.autograd.functional.* APIs) "
                "inside of a function being transformed by a functorch transform. This is unsupported, please attempt to "
                "use the functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call requires_grad_() outside "
                "of a function being transformed instead."
            )
        if wanted and type(self.version) is InferenceVersion and not STATE.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
            )
        self.edge = LEAF if wanted else None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set whether gradients are wanted; return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor is no result of a recorded operation."""
        edge = self.edge if self.base is None else self.current()
        return edge is None or edge is LEAF

    @property
    def grad_fn(self) -> Any:
        """The node that made the tensor, None for a leaf."""
        edge = self.edge if self.base is None else self.current()
        return None if edge is None or edge is LEAF else target(edge)[0]

    @property
    def output_nr(self) -> int:
        """The number of the tensor among the outputs of its node."""
        edge = self.edge
        return 0 if edge is None or edge is LEAF else target(edge)[1]

    @property
    def _version(self) -> int:
        if type(self.version) is InferenceVersion:
            raise RuntimeError("Inference tensors do not track version counter.")
        return int(self.version[0])

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward has left here."""
        found = self._grad
        if found is None and not self.is_leaf and not self.retains_grad:
            warnings.warn(text.GRAD_OF_NON_LEAF, UserWarning, stacklevel=2)
        return found

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self.__dict__.pop("_grad", None)
            return
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value.value.shape != self.value.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
                f"'{list(self.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )
        if value.value.dtype != self.value.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{_lower(value)}' to a tensor with grad_dtype "
                f"'{self.dtype.type_name}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). "
                "You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set "
                "grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break downstream systems "
                "that assume they match."
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self.__dict__.pop("_grad", None)

    @property
    def data(self) -> Tensor:
        """The same memory, unknown to the graph and to its version counters."""
        out: Tensor = wrap(self.value)
        return out

    @data.setter
    def data(self, value: Tensor) -> None:
        if value.value is not self.value:
            self.value = value.value

    def detach_(self) -> Tensor:
        """Cut the tensor from its history."""
        if self.base is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
                "detach_() cannot be called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as the solution."
            )
        self.edge = None
        return self

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradients of the tensor to the `grad` of the leaves it was made from."""
        from funcdiff.compat.torch.autograd import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is no leaf."""
        if type(self.value) is TracedArray:
            raise text.unsupported(
                "retain_grad inside torch.func transforms", "Return the tensor, or differentiate by it."
            )
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.is_leaf:
            from funcdiff.compat.torch._hooks import retain

            retain(self)

    @property
    def retains_grad(self) -> bool:
        """Whether the gradient of a tensor that is no leaf is kept."""
        return "_retains" in self.__dict__

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Call ``hook(grad)`` when the gradient of the tensor is known; what it returns takes its place."""
        from funcdiff.compat.torch._hooks import register

        return register(self, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Any:
        """Call ``hook(tensor)`` after a gradient has been added to the leaf's."""
        from funcdiff.compat.torch._hooks import register_after

        return register_after(self, hook)

    # --- as Python and NumPy see it ---------------------------------------------------------------

    def item(self) -> Any:
        """Return the only element as a Python number."""
        if self.value.size != 1:
            raise RuntimeError(f"a Tensor with {self.value.size} elements cannot be converted to Scalar")
        return plain(self, text.MAPPED_ITEM).item()

    def tolist(self) -> Any:
        """Return the elements as nested lists."""
        return plain(self).tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """Return the elements as an ndarray that shares the memory."""
        if not force and self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return plain(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        x = self.numpy()
        return np.array(x, dtype, copy=copy)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return wrap(np.asarray(array))

    def __len__(self) -> int:
        if not self.value.shape:
            raise TypeError("len() of a 0-d tensor")
        return int(self.value.shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.value.shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __bool__(self) -> bool:
        if self.value.size != 1:
            what = "more than one value" if self.value.size else "no values"
            raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
        return bool(plain(self, text.MAPPED_BRANCH).item())

    def _as_number(self, kind: Any) -> Any:
        if self.value.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return kind(plain(self, text.MAPPED_ITEM).item())

    def __float__(self) -> float:
        return float(self._as_number(float))

    def __int__(self) -> int:
        return int(self._as_number(int))

    def __complex__(self) -> complex:
        return complex(self._as_number(complex))

    def __index__(self) -> int:
        if self.value.dtype.kind not in "biu" or self.value.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(plain(self, text.MAPPED_ITEM).item())

    def __contains__(self, element: Any) -> bool:
        other = element.value if isinstance(element, Tensor) else element
        if not isinstance(other, (*_scalar_types, np.ndarray)):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
            )
        return bool(np.any(plain(self) == other))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        from funcdiff.compat.torch._printing import show

        return show(self)

    def __format__(self, spec: str) -> str:
        if not self.value.shape and type(self) is Tensor and type(self.value) is not TracedArray:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment. "
                " If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
                "see https://github.com/pytorch/pytorch/pull/103001"
            )
        out = memo[id(self)] = wrap(np.array(plain(self)), type(self))
        out.edge = self.edge
        if self._grad is not None:
            out._grad = self._grad.__deepcopy__(memo)
        return out

    def __reduce__(self) -> Any:
        kind = type(self)
        own = kind.__name__ if kind.__module__.partition(".")[0] == "torch" else kind
        return _rebuild, (own, np.array(plain(self)), self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__})


new_tensor = object.__new__
_ndarray, _asarray = np.ndarray, np.asarray


def wrap(value: Any, cls: Any = Tensor) -> Any:
    """Make a tensor of an array, without history."""
    out = new_tensor(cls)
    out.value = value if type(value) is _ndarray or type(value) is TracedArray else _asarray(value)
    out.edge = out.base = None
    out.version = InferenceVersion([0]) if EVER.inference and STATE.inference else [0]
    return out


def owner_of(x: Any) -> Any:
    """Return the array in whose memory an array lies."""
    found = base = x
    while (base := getattr(base, "base", None)) is not None:
        found = base if isinstance(base, np.ndarray) else found
    return found


def _rebuild(cls: Any, value: Any, requires_grad: bool) -> Any:
    if isinstance(cls, str):  # one of PyTorch's, which the module `torch` may not be there to name
        from funcdiff.compat.torch.nn.parameter import Buffer, Parameter

        known: dict[str, Any] = {"Tensor": Tensor, "Parameter": Parameter, "Buffer": Buffer}
        cls = known[cls]
    return wrap(value, cls).requires_grad_(requires_grad)


def plain(x: Any, refusal: str = text.NO_STORAGE) -> Any:
    """Return the elements of a tensor as an ndarray; of a mapped one this is an error."""
    value = x.value
    if type(value) is np.ndarray:
        return value
    try:
        return np.asarray(concrete(value))
    except MappedControlFlowError:
        raise RuntimeError(refusal) from None


def _wants_gradient(value: Any) -> bool:
    """Tell whether the newest transform that follows a value is one of reverse mode, and differentiates by it."""
    from funcdiff.compat.torch._recorder import GRAPH

    return value.recorder is GRAPH or (value.recorder.tape is not None and value.place >= 0)


def _lower(x: Tensor) -> str:
    return x.dtype.type_name.lower()  # type: ignore[no-any-return]


__all__ = [
    "LEAF",
    "InferenceVersion",
    "Tensor",
    "accumulate_node",
    "as_numpy",
    "check_device",
    "plain",
    "wrap",
]

"""`Module`: parameters, buffers and modules inside modules, by name."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from funcdiff.compat.torch._errors import unsupported
from funcdiff.compat.torch._hooks import RemovableHandle, add
from funcdiff.compat.torch._state import STATE
from funcdiff.compat.torch._tensor import Tensor
from funcdiff.compat.torch.autograd.function import Function
from funcdiff.compat.torch.nn.parameter import Buffer, Parameter


class IncompatibleKeys(NamedTuple):
    """What a state dict lacks, and what it has too much."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class _TakesKeywords:
    """A hook that is given the keyword arguments of the call too."""

    takes_keywords = True

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook

    def __call__(self, *args: Any) -> Any:
        return self.hook(*args)


def _spoken(x: Any) -> str:
    """Return what PyTorch calls the type of a value."""
    if isinstance(x, Tensor):
        return str(x.type())
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


class _Boundary(Function):
    """The identity, as a node at which the hooks of a module can see gradients."""

    @staticmethod
    def forward(ctx: Any, *xs: Any) -> Any:
        ctx.set_materialize_grads(False)
        return tuple(x.detach() for x in xs)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads


class Module:
    """A part of a model: parameters, buffers and modules found by name, and a `forward`.

    Examples
    --------
    >>> import funcdiff.compat.torch as torch
    >>> class Line(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = torch.nn.Parameter(torch.ones(1))
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> Line()(torch.tensor([2.0]))
    tensor([2.], grad_fn=<MulBackward0>)
    """

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        set_ = super().__setattr__
        set_("training", True)
        set_("_parameters", {})
        set_("_buffers", {})
        set_("_not_saved", set())
        set_("_modules", {})
        set_("_forward_hooks", {})
        set_("_forward_pre_hooks", {})
        set_("_backward_hooks", {})
        set_("_backward_pre_hooks", {})

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; subclasses say how."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output, with the hooks around."""
        d = self.__dict__
        if not (
            d["_forward_hooks"] or d["_forward_pre_hooks"] or d["_backward_hooks"] or d["_backward_pre_hooks"]
        ):
            return self.forward(*args, **kwargs)
        for hook in list(d["_forward_pre_hooks"].values()):
            if getattr(hook, "takes_keywords", False):
                found = hook(self, args, kwargs)
                if found is not None:
                    args, kwargs = found
                continue
            found = hook(self, args)
            if found is not None:
                args = found if isinstance(found, tuple) else (found,)
        seen: dict[str, Any] = {}
        if d["_backward_hooks"] and STATE.recording:
            args = self._enter(args, seen)
        out = self.forward(*args, **kwargs)
        for hook in list(d["_forward_hooks"].values()):
            keywords = getattr(hook, "takes_keywords", False)
            found = hook(self, args, kwargs, out) if keywords else hook(self, args, out)
            if found is not None:
                out = found
        if (d["_backward_hooks"] or d["_backward_pre_hooks"]) and STATE.recording:
            out = self._leave(out, seen)
        return out

    def _enter(self, args: tuple[Any, ...], seen: dict[str, Any]) -> tuple[Any, ...]:
        places = [n for n, a in enumerate(args) if isinstance(a, Tensor)]
        if not any(args[n].requires_grad for n in places):
            seen["no inputs"] = len(args)
            return args
        passed = _Boundary.apply(*(args[n] for n in places))
        given = list(args)
        for n, x in zip(places, passed, strict=True):
            given[n] = x

        def after(grad_inputs: Any, grad_outputs: Any) -> Any:
            grads: list[Any] = [None] * len(args)
            for n, g in zip(places, grad_inputs, strict=True):
                grads[n] = g
            for hook in list(self.__dict__["_backward_hooks"].values()):
                found = hook(self, tuple(grads), seen.get("grad_outputs"))
                if found is not None:
                    grads = list(found if isinstance(found, tuple) else (found,))
            return tuple(grads[n] for n in places)

        passed[0].grad_fn.register_hook(after)
        return tuple(given)

    def _leave(self, out: Any, seen: dict[str, Any]) -> Any:
        outs = out if isinstance(out, (tuple, list)) else (out,)
        if not any(isinstance(o, Tensor) and o.requires_grad for o in outs):
            return out
        passed = _Boundary.apply(*outs)

        def before(grad_outputs: Any) -> Any:
            for hook in list(self.__dict__["_backward_pre_hooks"].values()):
                found = hook(self, grad_outputs)
                if found is not None:
                    grad_outputs = found if isinstance(found, tuple) else (found,)
            seen["grad_outputs"] = grad_outputs
            if "no inputs" in seen:
                warnings.warn(
                    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
                    "gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module."
                    "register_full_backward_hook for more details.",
                    UserWarning,
                    stacklevel=2,
                )
                for hook in list(self.__dict__["_backward_hooks"].values()):
                    hook(self, (None,) * seen["no inputs"], grad_outputs)
            return grad_outputs

        passed[0].grad_fn.register_prehook(before)
        return type(out)(passed) if isinstance(out, (tuple, list)) else passed[0]

    def _call_with(self, given: Mapping[str, Any], args: Any, kwargs: Any) -> Any:
        """Call with other parameters and buffers in place of the module's own."""
        places = {}
        for prefix, module in self.named_modules():
            for owner in (module._parameters, module._buffers):
                for name in owner:
                    places[f"{prefix}.{name}" if prefix else name] = owner, name
        given = {name: value for name, value in given.items() if name in places}
        old = {name: places[name][0][places[name][1]] for name in given}
        try:
            for name, value in given.items():
                owner, key = places[name]
                owner[key] = value
            return self(*args, **kwargs)
        finally:
            for name, value in old.items():
                owner, key = places[name]
                owner[key] = value

    # --- attributes ---------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        d = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if kind in d and name in d[kind]:
                return d[kind][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        d = self.__dict__
        if isinstance(value, (Parameter, Module)):
            if "_parameters" not in d:
                what = "parameters" if isinstance(value, Parameter) else "module"
                raise AttributeError(f"cannot assign {what} before Module.__init__() call")
            d.pop(name, None)
            for kind in ("_parameters", "_buffers", "_modules"):
                d[kind].pop(name, None)
            d["_parameters" if isinstance(value, Parameter) else "_modules"][name] = value
        elif isinstance(value, Buffer) and "_buffers" in d:
            self.register_buffer(name, value, value.persistent)
        elif "_parameters" in d and name in d["_parameters"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_spoken(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            d["_parameters"][name] = None
        elif "_modules" in d and name in d["_modules"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_spoken(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            d["_modules"][name] = None
        elif "_buffers" in d and name in d["_buffers"]:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{_spoken(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)"
                )
            d["_buffers"][name] = value
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Any) -> None:
        """Enter a parameter, or None."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_spoken(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To express '{name}' "
                "as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def _check_name(self, kind: str, name: Any, known: Mapping[str, Any]) -> None:
        """Refuse names that a parameter, buffer or module cannot have."""
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_spoken(name)}")
        if "." in name:
            what = f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else "")
            raise KeyError(what)
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in known:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Enter a tensor that is not optimised."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_spoken(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        not_saved = self.__dict__["_not_saved"]
        (not_saved.discard if persistent else not_saved.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Enter a module."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_spoken(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = module

    register_module = add_module

    # --- what is inside ----------------------------------------------------------------------------

    def named_modules(
        self, memo: Any = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Give the module and all inside, with their names."""
        memo = set() if memo is None else memo
        if id(self) in memo and remove_duplicate:
            return
        memo.add(id(self))
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                inner = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, inner, remove_duplicate)

    def modules(self) -> Iterator[Any]:
        """Give the module and all inside."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """Give the modules directly inside, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Any]:
        """Give the modules directly inside."""
        for _, module in self.named_children():
            yield module

    def _named(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        for place, module in self.named_modules(prefix=prefix) if recurse else [(prefix, self)]:
            for name, x in module.__dict__[kind].items():
                if x is None or (remove_duplicate and id(x) in seen):
                    continue
                seen.add(id(x))
                yield (f"{place}.{name}" if place else name), x

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Give the parameters, with their names."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Any]:
        """Give the parameters."""
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Give the buffers, with their names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """Give the buffers."""
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def get_submodule(self, target: str) -> Any:
        """Return the module of a dotted name."""
        found: Any = self
        for name in target.split(".") if target else []:
            if name not in found._modules:
                raise AttributeError(f"{type(found).__name__} has no attribute `{name}`")
            found = found._modules[name]
        return found

    def get_parameter(self, target: str) -> Any:
        """Return the parameter of a dotted name."""
        return self._get(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Any:
        """Return the buffer of a dotted name."""
        return self._get(target, "_buffers", "a buffer")

    def _get(self, target: str, kind: str, spoken: str) -> Any:
        place, _, name = target.rpartition(".")
        module = self.get_submodule(place)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[kind]:
            raise AttributeError(f"`{name}` is not {spoken}")
        return module.__dict__[kind][name]

    # --- state ----------------------------------------------------------------------------------------

    def state_dict(self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Return the parameters and buffers by name."""
        found: Any = OrderedDict() if destination is None else destination
        for place, module in self.named_modules(prefix=prefix.rstrip("."), remove_duplicate=False):
            lead = f"{place}." if place else ""
            for name, x in module._parameters.items():
                if x is not None:
                    found[lead + name] = x if keep_vars else x.detach()
            for name, x in module._buffers.items():
                if x is not None and name not in module.__dict__["_not_saved"]:
                    found[lead + name] = x if keep_vars else x.detach()
        return found

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take over parameters and buffers by name."""
        own = self.state_dict(keep_vars=True)
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        problems = []
        if strict and missing:
            problems.append("Missing key(s) in state_dict: " + ", ".join(f'"{k}"' for k in missing) + ". ")
        if strict and unexpected:
            problems.append(
                "Unexpected key(s) in state_dict: " + ", ".join(f'"{k}"' for k in unexpected) + ". "
            )
        for name, x in own.items():
            if name not in state_dict:
                continue
            new = state_dict[name]
            if new.value.shape != x.value.shape:
                problems.append(
                    f"size mismatch for {name}: copying a param with shape {new.shape} from checkpoint, the shape in current model is "
                    f"{x.shape}."
                )
            elif assign:
                self._assign(name, x, new)
            else:
                np.copyto(x.value, new.value, casting="unsafe")
                x.version[0] += 1
        if problems:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems)
            )
        return IncompatibleKeys(missing, unexpected)

    def _assign(self, name: str, old: Any, new: Any) -> None:
        """Put a tensor of a state in the place of a parameter or buffer."""
        place, _, own = name.rpartition(".")
        owner = self.get_submodule(place)
        if isinstance(old, Parameter):
            if not isinstance(new, Parameter):
                new = Parameter(new, requires_grad=old.requires_grad)
            owner._parameters[own] = new
        else:
            owner._buffers[own] = new

    def train(self, mode: bool = True) -> Self:
        """Set the mode of training, which dropout and batch normalisation heed."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set the mode of evaluation."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters."""
        for p in self.parameters():
            if p._grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p._grad = p._grad.detach()
                    p._grad.zero_()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters want gradients."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def apply(self, fn: Callable[[Any], None]) -> Self:
        """Call a function with every module inside, and this one last."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _convert(self, change: Callable[[Any], Any]) -> Self:
        for module in self.modules():
            for owner in (module._parameters, module._buffers):
                for x in owner.values():
                    if x is not None:
                        x.data = change(x.detach())
                        if x._grad is not None:
                            x._grad = change(x._grad)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert the floating-point parameters and buffers; the device is always the CPU."""
        return self._convert(lambda x: x.to(*args, **kwargs) if x.is_floating_point() else x)

    def type(self, dst_type: Any) -> Self:
        """Convert all parameters and buffers."""
        return self._convert(lambda x: x.type(dst_type))

    def float(self) -> Self:
        """Convert to single precision."""
        return self._convert(lambda x: x.float() if x.is_floating_point() else x)

    def double(self) -> Self:
        """Convert to double precision."""
        return self._convert(lambda x: x.double() if x.is_floating_point() else x)

    def half(self) -> Self:
        """Convert to half precision."""
        return self._convert(lambda x: x.half() if x.is_floating_point() else x)

    def cpu(self) -> Self:
        """Return the module, which is on the CPU."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Refuse to move."""
        return self.to("cuda")

    # --- hooks -----------------------------------------------------------------------------------------

    def _hook(self, kind: str, hook: Any, prepend: bool, with_kwargs: bool = False) -> RemovableHandle:
        hooks = self.__dict__[kind]
        handle = add(hooks, _TakesKeywords(hook) if with_kwargs else hook)
        if prepend:
            entries = list(hooks.items())
            hooks.clear()
            hooks.update([entries[-1], *entries[:-1]])
        return handle

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)``, or with keywords before the output, after `forward`."""
        if always_call:
            raise unsupported("hooks with always_call=True", "Catch the exception of the call instead.")
        return self._hook("_forward_hooks", hook, prepend, with_kwargs)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)``, or with keywords too, before `forward`."""
        return self._hook("_forward_pre_hooks", hook, prepend, with_kwargs)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when both are known."""
        return self._hook("_backward_hooks", hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the gradients of the module."""
        return self._hook("_backward_pre_hooks", hook, prepend)

    # --- as text ---------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the settings, for the text that shows the module."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = []
        for name, module in self._modules.items():
            text = repr(module)
            children.append(f"({name}): " + text.replace("\n", "\n  "))
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        if not lines and not children:
            return f"{self._get_name()}()"
        return self._get_name() + "(\n  " + "\n  ".join(lines + children) + "\n)"

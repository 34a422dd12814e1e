"""`torch.optim`: steps along gradients."""

# ruff: noqa: F401  (a namespace)

from __future__ import annotations

from typing import Any

from funcdiff.compat.torch._not_covered import refuse
from funcdiff.compat.torch.optim import lr_scheduler
from funcdiff.compat.torch.optim.lbfgs import LBFGS
from funcdiff.compat.torch.optim.more_steps import ASGD, Adadelta, Adamax, NAdam, RAdam, Rprop
from funcdiff.compat.torch.optim.optimizer import Optimizer
from funcdiff.compat.torch.optim.steps import SGD, Adagrad, Adam, AdamW, RMSprop


def __getattr__(name: str) -> Any:
    return refuse("optim", name)

"""Writes optim.npz: what torch's optimizers, clipping and two small training runs compute.

Run from the repository's root, in an environment with `pip install torch==2.13.0 numpy`:

    python -m tests.oracles.make_optim_oracles

Every optimizer case starts from the same two parameters `w` (3×2) and `b` (2), kept side by side as rows of
eight numbers, and takes the same twelve gradients; their sizes run from 1e-9 to 10, so that every ε's place
shows. `arguments` are the constructor's; the fact `changes` gives the hyperparameters that change before a
step, `without_b` the steps in which `b` has no gradient at all.
Groups: `inputs` (`start`, `gradients`) and `parameters` (the rows after each step, by dtype).
Clipping cases: `inputs` has `gradients`, one set a row; `outputs` the clipped ones, by dtype.
Training cases: `inputs` has `x` and `y`; `start` and `end` are state dicts; `outputs` has `losses`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from tests.oracles.case import Case, write
from torch import nn

STEPS = 12
SLOW = {"5": {"lr": 0.01}}  # the learning rate falls before the sixth step
CASES = {
    "sgd": ("SGD", {"lr": 0.1}, SLOW),
    "sgd_default": ("SGD", {}, {}),
    "sgd_weight_decay": ("SGD", {"lr": 0.1, "weight_decay": 0.1}, {**SLOW, "8": {"weight_decay": 0.3}}),
    "sgd_momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}, {**SLOW, "8": {"momentum": 0.5}}),
    "sgd_dampening": (
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        {**SLOW, "8": {"dampening": 0.1}},
    ),
    "sgd_nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, SLOW),
    "sgd_maximize": (
        "SGD",
        {"lr": 0.1, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.1, "maximize": True},
        SLOW,
    ),
    "adagrad": ("Adagrad", {}, {"5": {"lr": 0.1}}),
    "adagrad_all": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
        {**SLOW, "8": {"lr_decay": 0.1, "eps": 1e-2}},
    ),
    "adagrad_maximize": ("Adagrad", {"lr": 0.1, "maximize": True}, SLOW),
    "rmsprop": ("RMSprop", {}, {"5": {"lr": 0.1}}),
    "rmsprop_alpha": ("RMSprop", {"lr": 0.1, "alpha": 0.9, "eps": 1e-4}, {**SLOW, "8": {"alpha": 0.7}}),
    "rmsprop_centered": ("RMSprop", {"lr": 0.01, "alpha": 0.9, "centered": True}, {"5": {"lr": 0.003}}),
    "rmsprop_momentum": ("RMSprop", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, SLOW),
    "rmsprop_all": (
        "RMSprop",
        {
            "lr": 0.01, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.5, "centered": True,
            "maximize": True,
        },
        {"5": {"lr": 0.003}},
    ),
    "adadelta": ("Adadelta", {}, {"5": {"lr": 0.5}}),
    "adadelta_all": (
        "Adadelta",
        {"lr": 2.0, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
        {"5": {"lr": 0.5}, "8": {"rho": 0.8}},
    ),
    "adam": ("Adam", {}, {"5": {"lr": 0.1}}),
    "adam_betas": (
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3},
        {**SLOW, "8": {"betas": (0.7, 0.9), "eps": 1e-2}},
    ),
    "adam_amsgrad": ("Adam", {"lr": 0.1, "betas": (0.9, 0.7), "amsgrad": True}, SLOW),
    "adam_weight_decay": ("Adam", {"lr": 0.1, "weight_decay": 0.1}, SLOW),
    "adam_decoupled": ("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}, SLOW),
    "adam_maximize": (
        "Adam",
        {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True, "betas": (0.9, 0.7), "maximize": True},
        SLOW,
    ),
    "adamw": ("AdamW", {}, {"5": {"lr": 0.1}}),
    "adamw_all": (
        "AdamW",
        {"lr": 0.1, "betas": (0.8, 0.7), "eps": 1e-3, "weight_decay": 0.2, "amsgrad": True},
        {**SLOW, "8": {"weight_decay": 0.5}},
    ),
    "adamax": ("Adamax", {}, {"5": {"lr": 0.1}}),
    "adamax_all": (
        "Adamax",
        {"lr": 0.1, "betas": (0.8, 0.7), "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
        {**SLOW, "8": {"betas": (0.7, 0.9)}},
    ),
    "nadam": ("NAdam", {}, {"5": {"lr": 0.1}}),
    "nadam_all": (
        "NAdam",
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.1},
        {**SLOW, "8": {"momentum_decay": 0.3}},
    ),
    "nadam_decoupled": (
        "NAdam",
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
        SLOW,
    ),
    "radam": ("RAdam", {}, {"5": {"lr": 0.1}}),
    "radam_all": ("RAdam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}, SLOW),
    "radam_decoupled": (
        "RAdam",
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
        SLOW,
    ),
}  # fmt: skip
DTYPES = {"f64": torch.float64, "f32": torch.float32}

Row = np.ndarray[Any, np.dtype[np.float64]]
Changes = dict[str, dict[str, Any]]


def halves(row: Row, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """`w` and `b` from a row of eight numbers."""
    return torch.tensor(row[:6].reshape(3, 2), dtype=dtype), torch.tensor(row[6:], dtype=dtype)


def row(w: torch.Tensor, b: torch.Tensor) -> Row:
    return np.concatenate([w.detach().numpy().ravel(), b.detach().numpy()])


def start_and_gradients() -> tuple[Row, Row]:
    """Numbers that f32 holds, so that both dtypes start from the same; one gradient is zero."""
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=8), random.normal(size=(STEPS, 8))
    gradients *= 10.0 ** np.linspace(-9, 1, 8)
    gradients[3] = 0.0
    return start.astype(np.float32).astype(np.float64), gradients.astype(np.float32).astype(np.float64)


def optimizer_case(
    name: str,
    kind: str,
    arguments: dict[str, Any],
    changes: Changes | None = None,
    groups: Callable[..., Any] = lambda w, b: [w, b],
    without_b: tuple[int, ...] = (),
) -> Case:
    """Twelve steps; in those of `without_b`, `b` has no gradient at all."""
    start, gradients = start_and_gradients()
    after = {}
    for dtype_name, dtype in DTYPES.items():
        torch.set_default_dtype(dtype)  # that of NAdam's running product of momenta
        w, b = (nn.Parameter(p) for p in halves(start, dtype))
        optimizer = getattr(torch.optim, kind)(groups(w, b), **arguments)
        rows = []
        for step, gradient in enumerate(gradients):
            for group in optimizer.param_groups:
                group.update((changes or {}).get(str(step), {}))
            w.grad, b.grad = halves(gradient, dtype)
            if step in without_b:
                b.grad = None
            optimizer.step()
            rows.append(row(w, b))
        after[dtype_name] = np.stack(rows)
    inputs = {"start": start, "gradients": gradients}
    facts = {"changes": changes or {}, "without_b": without_b}
    return Case(name, kind, arguments, {"inputs": inputs, "parameters": after}, facts)


def optimizers() -> Iterator[Case]:
    for name, (kind, arguments, changes) in CASES.items():
        yield optimizer_case(name, kind, arguments, changes)
    slow_b = {"lr": 0.5, "betas": (0.5, 0.9)}
    yield optimizer_case(
        "groups", "Adam", {"lr": 0.1}, groups=lambda w, b: [{"params": [w]}, {"params": [b], **slow_b}]
    )
    yield optimizer_case("skipped", "Adam", {"lr": 0.1}, without_b=tuple(range(1, STEPS, 2)))


def clipping() -> Iterator[Case]:
    random = np.random.default_rng(1)
    gradients = random.normal(size=(5, 8)).astype(np.float32).astype(np.float64)
    gradients[1] *= 1e-3
    gradients[2] = 0.0
    gradients[3, 2] = np.inf
    gradients[4, 7] = np.nan
    for function in ("clip_grad_norm_", "clip_grad_value_"):
        for limit in (0.5, 0.1):
            clipped = {}
            for dtype_name, dtype in DTYPES.items():
                rows = []
                for gradient in gradients:
                    w, b = (nn.Parameter(torch.zeros_like(p)) for p in halves(gradient, dtype))
                    w.grad, b.grad = halves(gradient, dtype)
                    getattr(nn.utils, function)([w, b], limit)
                    rows.append(row(w.grad, b.grad))
                clipped[dtype_name] = np.stack(rows)
            yield Case(
                f"{function}-{limit}",
                function,
                {"limit": limit},
                {"inputs": {"gradients": gradients}, "outputs": clipped},
            )


def state_dict(model: nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy().copy() for key, value in model.state_dict().items()}


def training() -> Iterator[Case]:
    """Batches of 12 rows, the data again and again."""
    torch.manual_seed(0)
    x, y = torch.randn(48, 6, dtype=torch.float64), torch.randint(0, 3, (48,))
    batches = [torch.arange(12 * step, 12 * step + 12) % 48 for step in range(12)]

    mlp = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()
    start, losses = state_dict(mlp), []
    adam = torch.optim.Adam(mlp.parameters(), lr=0.02)
    for rows in batches[:10]:
        adam.zero_grad()
        loss = nn.functional.cross_entropy(mlp(x[rows]), y[rows])
        loss.backward()
        adam.step()
        losses.append(loss.item())
    inputs = {"x": x.numpy(), "y": y.numpy()}
    groups = {
        "inputs": inputs,
        "start": start,
        "outputs": {"losses": np.array(losses)},
        "end": state_dict(mlp),
    }
    yield Case("train-batch_norm", "Adam", {"lr": 0.02}, groups)

    # Four batches an update, clipped to a norm that most updates exceed.
    mlp = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    start, losses = state_dict(mlp), []
    arguments = {"lr": 0.2, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    sgd = torch.optim.SGD(mlp.parameters(), **arguments)
    for step, rows in enumerate(batches):
        loss = nn.functional.cross_entropy(mlp(x[rows]), y[rows])
        (loss / 4).backward()
        losses.append(loss.item())
        if step % 4 == 3:
            nn.utils.clip_grad_norm_(mlp.parameters(), 0.2)
            sgd.step()
            sgd.zero_grad()
    groups = {
        "inputs": inputs,
        "start": start,
        "outputs": {"losses": np.array(losses)},
        "end": state_dict(mlp),
    }
    yield Case("train-accumulate", "SGD", arguments, groups, {"accumulate": 4, "clip_norm": 0.2})


if __name__ == "__main__":
    write("optim", [*optimizers(), *clipping(), *training()])

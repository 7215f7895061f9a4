"""One torch call with its backward, as a `Case`: how every maker in this folder turns torch into arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tests.oracles.case import Case


def cotangent(shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """A fixed, uneven cotangent: cos 1, cos 2, …; a backward that permutes elements cannot hide in it."""
    count = int(np.prod(shape))
    return torch.from_numpy(np.cos(1.0 + np.arange(count)).reshape(tuple(shape))).to(dtype)


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().clone().numpy()


def leaves(arrays: Mapping[str, np.ndarray], differentiate: Sequence[str] | None) -> dict[str, torch.Tensor]:
    """Tensors of their own; those named in `differentiate` (None: all floating ones) ask for a gradient."""
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and (differentiate is None or name in differentiate):
            tensor.requires_grad_()
    return tensors


def backward(output: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, np.ndarray]]:
    """The groups `outputs`, `cotangents`, `gradients`; a leaf without influence has gradient zero."""
    fed = cotangent(output.shape, output.dtype)
    asked = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    groups = {"outputs": {"output": array(output)}}
    if asked and output.requires_grad:
        given = torch.autograd.grad(output, list(asked.values()), fed, allow_unused=True)
        groups["cotangents"] = {"output": array(fed)}
        groups["gradients"] = {
            name: array(torch.zeros_like(tensor) if gradient is None else gradient)
            for (name, tensor), gradient in zip(asked.items(), given, strict=True)
        }
    return groups


def functional_case(
    name: str,
    function: str,
    inputs: Mapping[str, np.ndarray],
    arguments: Mapping[str, Any] | None = None,
    differentiate: Sequence[str] | None = None,
    call: Callable[..., torch.Tensor] | None = None,
) -> Case:
    """`F.function(**inputs, **arguments)`; where torch raises, the fact `error` holds class and message.

    `call` stands in for torch's function where its kernel holds a float64 constant in float32.
    """
    arguments = dict(arguments or {})
    tensors = leaves(inputs, differentiate)
    try:
        output = (call or getattr(F, function))(**tensors, **arguments)
    except (ValueError, IndexError, RuntimeError) as error:
        message = f"{type(error).__name__}: {error}"
        return Case(name, function, arguments, {"inputs": inputs}, {"error": message})
    return Case(name, function, arguments, {"inputs": inputs, **backward(output, tensors)})

"""Embedding: a row of a table for each index.

nn.Embedding(1000, 64)     # i64[N,T] -> f32[N,T,64]; weight f32[1000,64]
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from graphc.errors import OpAttributeError, ShapeError
from graphc.nn import functional as F
from graphc.nn import init
from graphc.nn.linear import empty_parameter
from graphc.nn.module import Module
from graphc.nn.parameter import Parameter
from graphc.types import f32


class Embedding(Module):
    """`weight[input]`, starting with N(0, 1); the row `padding_idx` starts at 0 and gets no gradient.

    An index outside the table raises IndexRangeError when the graph runs.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, dtype: object = f32
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise OpAttributeError(f"Embedding: padding_idx is {padding_idx}, but there are {num_embeddings} rows")
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        self.weight = empty_parameter((num_embeddings, embedding_dim), dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Self:
        """An embedding with this table, which optimizers leave alone unless `freeze` is False."""
        table = np.asarray(embeddings)
        if table.ndim != 2:
            raise ShapeError(f"Embedding: the table is a matrix, but this one has shape {table.shape}")
        rows, columns = table.shape
        layer = cls(rows, columns, padding_idx, dtype=table.dtype)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def forward(self, input: Any) -> Any:
        """i64[…] -> f32[…, embedding_dim]."""
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """`1000, 64, padding_idx=0`."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"

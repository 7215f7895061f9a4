"""The functions of the Python array API standard (2024.12) on traced tensors, and what networks need beyond it.

    >>> from graphc import array as xp
    >>> g = trace(lambda x: xp.mean(xp.exp(x), axis=0), f32["N", 3])

All of them are on the public face too: `gc.mean`, `gc.exp`. `graphc.array.coverage` lists the names of the standard and
says which are left out, and why.
"""

from __future__ import annotations

from graphc.array import (
    arithmetic,
    composites,
    constants,
    creation,
    cumulative,
    data_types,
    gathering,
    joining,
    linear_algebra,
    logic,
    manipulation,
    padding,
    reductions,
    sorting,
    subscripts,
    transcendental,
)  # fmt: skip
from graphc.array.arithmetic import *  # noqa: F403
from graphc.array.composites import *  # noqa: F403
from graphc.array.constants import *  # noqa: F403
from graphc.array.creation import *  # noqa: F403
from graphc.array.cumulative import *  # noqa: F403
from graphc.array.data_types import *  # noqa: F403
from graphc.array.gathering import *  # noqa: F403
from graphc.array.joining import *  # noqa: F403
from graphc.array.linear_algebra import *  # noqa: F403
from graphc.array.logic import *  # noqa: F403
from graphc.array.manipulation import *  # noqa: F403
from graphc.array.padding import *  # noqa: F403
from graphc.array.reductions import *  # noqa: F403
from graphc.array.sorting import *  # noqa: F403
from graphc.array.subscripts import *  # noqa: F403
from graphc.array.transcendental import *  # noqa: F403

__all__: list[str] = []
__all__ += arithmetic.__all__
__all__ += composites.__all__
__all__ += constants.__all__
__all__ += creation.__all__
__all__ += cumulative.__all__
__all__ += data_types.__all__
__all__ += gathering.__all__
__all__ += joining.__all__
__all__ += linear_algebra.__all__
__all__ += logic.__all__
__all__ += manipulation.__all__
__all__ += padding.__all__
__all__ += reductions.__all__
__all__ += sorting.__all__
__all__ += subscripts.__all__
__all__ += transcendental.__all__

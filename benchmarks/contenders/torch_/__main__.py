"""The process of this contender."""

from benchmarks.contenders.serve import serve
from benchmarks.contenders.torch_ import imports, load

serve(imports, load)

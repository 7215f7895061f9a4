"""The process of this contender."""

from benchmarks.contenders.onnxruntime_ import imports, load
from benchmarks.contenders.serve import serve

serve(imports, load)

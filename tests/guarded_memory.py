"""Memory whose end is guarded: who reads or writes one byte too many stops the process."""

import ctypes
import mmap

import numpy as np


class Guarded:
    """Memory that ends where the next byte is out of bounds: the page behind it can be neither read nor written."""

    def __init__(self, size):
        self.size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        self.pages = mmap.mmap(-1, self.size + mmap.PAGESIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.pages))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mprotect(ctypes.c_void_p(start + self.size), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0

    def array(self, shape, dtype):
        """An array whose last byte is the last that may be touched."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(self.pages, dtype, int(np.prod(shape)), self.size - size).reshape(shape)

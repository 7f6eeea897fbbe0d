"""Keep released memory in the process: on glibc, giving it back costs up to two thirds of the time."""

import ctypes
import sys

# Numbers of glibc's malloc.h: blocks of up to this size come from the heap, and it is not shrunk below it.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT = 2**30  # bytes


def keep_memory() -> None:
    """Let this process reuse the pages of freed tensors instead of returning them to the system.

    By default glibc maps every tensor beyond a moving threshold anew, and the system clears it page
    by page at first touch: as much work as the network itself at a batch of 4,096, and different
    from run to run, because the threshold follows what was freed before. Other allocators: no change.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(MMAP_THRESHOLD, KEPT)
        mallopt(TRIM_THRESHOLD, KEPT)

"""Freed memory stays with the process: page faults are counted by the system, not timed."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from ppglib.fast import keep_memory
if sys.argv[1] == "keep":
    keep_memory()
faults = []
for i in range(12):
    big, small = torch.ones(2**23), [torch.ones(2**19) for _ in range(4)]
    del big, small
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[3])
"""


def faults(how: str) -> int:
    return int(
        subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told to keep memory")
def test_tensors_that_come_and_go_fault_no_pages():
    assert faults("leave") > 10 * max(faults("keep"), 10)

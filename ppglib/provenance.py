"""What made a number: versions and device, for records and for the head of every notebook."""

import os
import platform

import numpy as np
import torch


def device_name() -> str:
    """The GPU's name, or the processor's as its maker spells it."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return processor_name()


def processor_name() -> str:
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities.get("cpu_name") or platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": device_name(),
        "cores": str(os.cpu_count()),
    }


def line() -> str:
    """One line for people: Python 3.11.7, torch 2.13.0, ..."""
    return ", ".join(f"{name} {value}" for name, value in versions().items())

"""What made a number: the processor or GPU, and the versions."""

import os
import platform

import numpy as np
import torch


def device_name() -> str:
    """The GPU's name, or the processor's as its maker spells it."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()


def processor_name() -> str:
    """The processor's name, as its maker spells it."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # older torch cannot tell
    return capabilities.get("cpu_name") or platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """python, torch, numpy, device and cores of this machine."""
    installed = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    return installed | {"device": device_name(), "cores": str(os.cpu_count())}

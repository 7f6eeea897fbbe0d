"""JupyterLab as `make lab` starts it: rooted at the checkout, the first notebook open, nothing that asks or calls out."""

import logging
import socket
import sys
import warnings

from jupyter_core.paths import jupyter_runtime_dir

sys.path.insert(0, "tools")
from keep import before_saving  # noqa: E402

c = get_config()  # noqa: F821
c.LabApp.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.LabApp.app_settings_dir = "tools/lab"  # no question about news, no look for updates, no language servers
c.LabApp.news_url = None
c.LabApp.extension_manager = "readonly"  # the other one asks PyPI
c.LabApp.log_level = logging.WARNING
c.ServerApp.jpserver_extensions = {"jupyter_lsp": False}  # it lists every language server that is not installed
c.ServerApp.log_level = logging.ERROR  # below are trust, pings and links of extensions; the address is told above
warnings.filterwarnings("ignore", "Overriding existing pre_save_hook")  # the server reads its settings twice
c.ContentsManager.pre_save_hook = before_saving  # so that running and saving changes nothing for git
# As in ppglib.reproduce: over TCP others on the machine could listen. Sockets are named after the kernel's file, each its own,
# because kernels that start together would choose the same numbers; their paths have about 100 characters.
if hasattr(socket, "AF_UNIX") and len(jupyter_runtime_dir()) < 48:
    c.KernelManager.transport = "ipc"

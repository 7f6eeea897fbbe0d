"""What is kept of a notebook that was run. `make` sets this up as a filter of git, which calls: keep.py PATH < notebook.
JupyterLab, as `make lab` starts it, saves no more than that either; git looks at the size of a file before it filters.

Outputs stay in cells tagged keep_output, with counts as a clean run leaves them; times, versions, widgets and the name
of the kernel go. Of a cell tagged `varies`, for whose figure networks are trained, git keeps the figure that it has,
because every kind of processor draws another: until the cell is changed, or FIGURES=new is in the environment.

keep.py --write PATH ... does the same to files where they are, but for the last."""

import json
import os
import subprocess
import sys
from pathlib import Path

# jsonschema, which nbformat loads, would build a grammar of web addresses, for two seconds of every `git add`.
sys.modules.setdefault("rfc3987_syntax", None)
import nbformat  # noqa: E402

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def kept(text: str, before: str | None = None) -> str:
    """What is kept of a notebook, given what git has of it."""
    notebook, earlier = nbformat.reads(text, as_version=4), {}
    if before and os.environ.get("FIGURES") != "new":
        earlier = {cell.id: cell for cell in nbformat.reads(before, as_version=4).cells}
    notebook.metadata = nbformat.NotebookNode(kernelspec=KERNEL)
    count = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.NotebookNode({"tags": tags} if tags else {})
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = cell.outputs if "keep_output" in (tags or []) else []
        same = earlier.get(cell.id)
        if "varies" in (tags or []) and same and same.source == cell.source and same.get("outputs"):
            cell.outputs = same.outputs
        for output in cell.outputs:
            if output.output_type in ("execute_result", "display_data"):
                output.metadata = nbformat.NotebookNode()
            if output.output_type == "execute_result":
                output.execution_count = count
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def in_git(path: str) -> str | None:
    """The notebook as git has it, or None if it has none."""
    done = subprocess.run(["git", "cat-file", "blob", f":{path}"], capture_output=True)
    return None if done.returncode else done.stdout.decode()


def before_saving(model: dict, path: str, **_) -> None:
    """A hook of Jupyter: notebooks that git has are saved as git keeps them, all others as they are."""
    if model["type"] == "notebook" and (before := in_git(path)):
        model["content"] = json.loads(kept(json.dumps(model["content"]), before))


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        for path in map(Path, sys.argv[2:]):
            path.write_text(kept(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    else:
        result = kept(sys.stdin.buffer.read().decode(), in_git(sys.argv[1]))
        sys.stdout.buffer.write(result.encode())

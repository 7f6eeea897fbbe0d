"""What git keeps of a notebook that was run. `make` sets it up as a filter, which git calls: keep.py PATH < notebook.

Outputs stay in cells tagged keep_output, with counts as a clean run leaves them; times, versions, widgets and the name
of the kernel go. Of a cell tagged `varies`, for whose figure networks are trained, git keeps the figure that it has,
because every kind of processor draws another: until the cell is changed, or FIGURES=new is in the environment.

keep.py --write PATH ... does the same to files where they are, but for the last."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def kept(text: str, before: str | None = None) -> str:
    """What is kept of a notebook, given what git has of it."""
    notebook = nbformat.reads(text, as_version=4)
    earlier = {cell.id: cell for cell in nbformat.reads(before, as_version=4).cells} if before else {}
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
    """The notebook as git has it, or None if it is new or figures are to be."""
    if os.environ.get("FIGURES") == "new":
        return None
    done = subprocess.run(["git", "cat-file", "blob", f":{path}"], capture_output=True)
    return None if done.returncode else done.stdout.decode()


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        for path in map(Path, sys.argv[2:]):
            path.write_text(kept(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    else:
        result = kept(sys.stdin.buffer.read().decode(), in_git(sys.argv[1]))
        sys.stdout.buffer.write(result.encode())

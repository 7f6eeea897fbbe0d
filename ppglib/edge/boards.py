"""C code on three emulated Cortex-M cores: instructions counted, and bytes of flash and RAM."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from ppglib.edge.c_code import PARTS, number
from ppglib.edge.extra import program, run
from ppglib.files import InputError
from ppglib.task import BINS, LENGTH

FLAGS = ("-mthumb", "-mfloat-abi=hard", "-O2", "-ffunction-sections", "-fdata-sections", "-std=gnu11")
EMULATED = (  # an instruction a nanosecond, and what the program says to our stdout
    "-icount", "shift=0", "-display", "none", "-serial", "none", "-monitor", "none",
    "-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out",
)  # fmt: skip


class Board(NamedTuple):
    """A board of QEMU: its name there, flags of its core, and where its memories begin, with their sizes."""

    machine: str
    core: tuple[str, ...]
    vectors: str
    flash: tuple[str, str]
    ram: tuple[str, str]


BOARDS = {
    "Cortex-M4F": Board("mps2-an386", ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"), "0x0", ("0x400", "4095K"), ("0x20000000", "4M")),
    "Cortex-M33": Board("mps2-an505", ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"), "0x10000000", ("0x10000400", "4095K"), ("0x38000000", "2M")),
    "Cortex-M55": Board("mps3-an547", ("-mcpu=cortex-m55",), "0x0", ("0x01000000", "2M"), ("0x20000000", "512K")),
}  # fmt: skip


def network(files: dict[str, str], windows: np.ndarray, board: str) -> tuple[np.ndarray, np.ndarray]:
    """Instructions of a network on each of some windows (N, 200), and its logits (N, 180), on a board of BOARDS."""
    rows = ",\n".join("{" + ", ".join(map(number, row)) + "}" for row in windows)
    data = f"static const float windows[TASKS][{LENGTH}] = {{{rows}}};\n"
    counts, words = counted(files | {"windows.h": data}, "task.c", len(windows), board)
    return np.array(counts), words.view(np.float32).reshape(-1, BINS)


def signal(files: dict[str, str], samples: np.ndarray, step: int, board: str) -> dict[str, int]:
    """Instructions in 2 s besides those of the network: of `step` samples, of a window and of its decoding."""
    sizes = f"#define SAMPLES {len(samples)}\n#define SAMPLES_IN_STEP {step}\n"
    data = f"static const float samples[] = {{{', '.join(map(number, samples))}}};\n"
    counts, _ = counted(files | {"windows.h": sizes + data}, "signal_task.c", 4, board)
    return dict(zip(("samples", "window", "decode"), counts[1:]))


def counted(files: dict[str, str], task: str, tasks: int, board: str) -> tuple[list[int], np.ndarray]:
    """Instructions of each of the tasks of a program, to a tick of some 40, and 32-bit numbers that it told at its end.

    Raises InputError for missing programs, code that does not compile or fit, and a program that fails."""
    where = BOARDS[board]
    names = ("board.c", "task.h", task)
    sources = files | {name: (PARTS / "board" / name).read_text() for name in names}
    with _folder(sources) as folder:
        layout = dict(zip(("vectors", "flash", "flash_size", "ram", "ram_size"), (where.vectors, *where.flash, *where.ram)))
        (folder / "board.ld").write_text(Template((PARTS / "board/board.ld").read_text()).substitute(layout))
        elf, linked = str(folder / "program.elf"), ("-nostartfiles", "-Wl,--gc-sections", "-T", str(folder / "board.ld"))
        c = [str(folder / name) for name in sources if name.endswith(".c")]
        run([program("arm-none-eabi-gcc"), *FLAGS, *where.core, f"-DTASKS={tasks}", *linked, "-o", elf, *c, "-lm"])
        emulated = [program("qemu-system-arm"), "-M", where.machine, *EMULATED, "-kernel", elf]
        said = run(emulated).split("\n")
        again = run(emulated).split("\n")
    if said != again:
        raise InputError(f"Two runs on the emulated {board} do not count the same: nothing that is counted here is sure.")
    if len(said) < 2 or "fault" in "".join(said):
        raise InputError(f"The program fails on the emulated {board}: it says {' '.join(said)[:100]!r}.")
    (length, ticks, *each), words = ([int(word, 16) for word in line.split()] for line in said[:2])
    return [round(n * length / ticks) for n in each], np.array(words, np.uint32)


def fits(flash: int, board: str) -> bool:
    """Whether so many bytes, and the program around them, fit the memory of a board."""
    count, unit = BOARDS[board].flash[1][:-1], BOARDS[board].flash[1][-1]
    return flash + 2**15 < int(count) * {"K": 2**10, "M": 2**20}[unit]


def stream_size(files: dict[str, str]) -> int:
    """Bytes of a struct ppg_stream, which its user provides, on a Cortex-M4F."""
    main = '#include "ppg_signal.h"\nchar size[sizeof(struct ppg_stream)];\n'
    return size(files | {"stream.c": main}, "stream.c").ram


class Size(NamedTuple):
    """Bytes. flash: code and constants. ram: static memory. stack: of all functions together, more than is ever used."""

    flash: int
    ram: int
    stack: int


def size(files: dict[str, str], name: str) -> Size:
    """What one of the C files needs on a Cortex-M4F, without the libraries that it calls (memcpy, and for a median expf)."""
    with _folder(files) as folder:
        out = folder / "object.o"
        flags = (*FLAGS, *BOARDS["Cortex-M4F"].core, "-fstack-usage")
        run([program("arm-none-eabi-gcc"), *flags, "-c", "-o", str(out), str(folder / name)])
        text, data, bss = map(int, run([program("arm-none-eabi-size"), str(out)]).splitlines()[1].split()[:3])
        stack = sum(int(line.split("\t")[1]) for line in out.with_suffix(".su").read_text().splitlines())
    return Size(text + data, data + bss, stack)


@contextmanager
def _folder(files: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_text(content)
        yield Path(folder)

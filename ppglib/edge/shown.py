"""The tables of `bench --edge` as people read them: what a network costs on a device, and what int8 costs in error."""

import math
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ppglib.edge import streaming, table
from ppglib.files import InputError
from ppglib.results import kit
from ppglib.results.bootstrap import error_interval, interval, resample, widened
from ppglib.results.frames import Table, captioned
from ppglib.results.students import FAMILY
from ppglib.task import DECODERS, LENGTH

CORES = ("Cortex-M4F", "Cortex-M33", "Cortex-M55")
# Cycles of an instruction of a Cortex-M4 from memory without wait states (its manual: a fused multiplication and addition
# takes 3, most others 1, loads 2 or, one after the other, 1): in int8 and in float32. Flash with wait states costs more.
CYCLES = {"int8": (1.0, 1.5), "float32": (1.5, 2.5)}
BUDGET = 64e6 * 2  # cycles of an M4 at 64 MHz in the 2 s between two estimates
GOOD = 3.0  # BPM
COLUMN = {name: column for name, column in DECODERS.items() if name != "expectation"}


class Measured(NamedTuple):
    """The tables of a folder; see data/README.md."""

    people: pd.DataFrame
    networks: pd.DataFrame
    agreement: pd.DataFrame
    signal: pd.DataFrame
    streaming: pd.DataFrame
    tuning: pd.DataFrame
    tuned: pd.DataFrame


def load(folder: Path) -> Measured:
    """The tables that `python -m ppglib bench --edge` wrote. InputError where one is missing."""
    paths = [Path(folder) / f"{name}.csv" for name in Measured._fields]
    for path in paths:
        if not path.is_file():
            more = " --tune" * (path.stem == "tuning")
            raise InputError(f"There is no {path}: make it with python -m ppglib bench --edge{more}.")
    return Measured(*(pd.read_csv(path, dtype={"network": str, "person": str}) for path in paths))


def errors(people: pd.DataFrame, by: list[str]) -> dict[str, pd.DataFrame]:
    """MAE (BPM) by decoder: a row for each combination of `by`, column 0 observed, the others draws of people.

    The same draws for all rows, so that the difference of two is paired. InputError where they are of other people."""
    found = {}
    for how, column in COLUMN.items():
        sums = people.assign(error=people[column] * people.n).groupby([*by, "dataset", "person"])[["error", "n"]].sum()
        wide = sums.unstack(["dataset", "person"])
        if wide.isna().any(axis=None):
            raise InputError("Some networks were not tested on all people: run bench --edge to its end.")
        people_tested = wide.shape[1] // 2
        counts = resample(np.zeros(people_tested))
        mae = (wide.error.to_numpy() @ counts) / (wide.n.to_numpy() @ counts)
        found[how] = pd.DataFrame(widened(mae, [people_tested] * len(mae)), index=wide.index)
    return found


def on_device(people: pd.DataFrame) -> pd.DataFrame:
    """Of people.csv float32, and the int8 of the C code: what a device would say."""
    return people[(people.kind == "float32") | (people.runtime == table.DEVICE)]


def costs(measured: Measured) -> pd.DataFrame:
    """A row a network and kind: what it costs, its MAE by each decoder, and for int8 what that costs against float32.

    Columns of networks.csv, epochs, and for argmax and median MAE, NAME_low, NAME_high; int8: `NAME cost` and limits."""
    rows = measured.networks.join(measured.people.groupby("network").epochs.first(), on="network")
    for how, draws in errors(on_device(measured.people), ["network", "kind"]).items():
        exact = draws.xs("float32", level="kind").reindex(draws.index, level=0)
        for name, values, limits in ((how, draws, error_interval), (f"{how} cost", draws - exact, interval)):
            ends = pd.DataFrame(_ends(name, limits(values.to_numpy())), values.index)
            rows = rows.join(ends, on=["network", "kind"])
    rows.loc[rows.kind == "float32", [c for c in rows if " cost" in c]] = np.nan
    low, high = (rows.kind.map({kind: ends[i] for kind, ends in CYCLES.items()}) for i in (0, 1))
    rows["share_low"], rows["share_high"] = (100 * rows["Cortex-M4F"] * each / BUDGET for each in (low, high))
    family = {name: i for i, name in enumerate(FAMILY)}
    order = rows.network.map(family).fillna(len(family) + rows.blocks)
    return rows.assign(order=order).sort_values(["order", "kind"], ignore_index=True).drop(columns="order")


def cost_table(measured: Measured) -> Table:
    """What each network costs in C, in flash and RAM (10^3 bytes) and instructions of plain C every 2 s (10^6) on three
    emulated cores, and what of an M4 at 64 MHz that takes (%, from the fewest to the most cycles an instruction)."""
    rows = costs(measured)
    shown = rows[["network", "kind"]].assign(parameters=rows.parameters.map("{:,}".format), MMAC=rows.macs / 1e6)
    shown["flash"], shown["RAM"] = ((value / 1e3).map("{:.1f}".format) for value in (rows.flash, rows.ram + rows["stack"]))
    for core in CORES:
        shown[core.removeprefix("Cortex-")] = rows[core] / 1e6
    shown["% of 2 s"] = [f"{low:.1f} to {high:.1f}" for low, high in zip(rows.share_low, rows.share_high)]
    return captioned(rows, cost_table.__doc__, shown)


def int8_table(measured: Measured) -> Table:
    """MAE (BPM) on people whom the networks were not trained on, after so many epochs, in float32, and how much more it
    is in int8 (C), paired over the same people."""
    rows = costs(measured)
    shown = rows[rows.kind == "int8"][["network", "epochs"]].reset_index(drop=True)
    for how in COLUMN:
        for kind, name, form in (("float32", how, ".2f"), ("int8", f"{how} cost", "+.3f")):
            title = f"{how}, int8 − float32" if kind == "int8" else how
            shown[title] = _with_limits(rows[rows.kind == kind], name, form)
    return captioned(rows.assign(tested=_tested(measured.people)), int8_table.__doc__, shown)


def runtimes_table(measured: Measured) -> Table:
    """MAE (BPM, median) in int8 by each runtime less that in float32 (PyTorch), on people whom the networks were not
    trained on, paired over the same people."""
    draws = errors(measured.people, ["network", "kind", "runtime"])["median"]
    int8, exact = draws.xs("int8", level="kind"), draws.xs(("float32", "PyTorch"), level=("kind", "runtime"))
    ends = interval((int8 - exact.reindex(int8.index, level="network")).to_numpy())
    rows = int8.index.to_frame(index=False).assign(**_ends("cost", ends), tested=_tested(measured.people))
    wide = rows.assign(text=_with_limits(rows, "cost")).pivot(index="network", columns="runtime", values="text")
    shown = wide.loc[costs(measured).network.unique()].reset_index().rename_axis(columns=None)
    return captioned(rows, runtimes_table.__doc__, shown)


def choice_table(measured: Measured) -> Table:
    """What was tried about int8 on the tuning people, with networks that were trained without them: what of the head is rounded, and epochs of
    fine-tuning at a rate. MAE (BPM, mean over so many networks), and how much more it is than in float32, paired over the same people."""
    keys, rows = ["head", "epochs", "rate"], {}
    for how, draws in errors(measured.tuning, [*keys, "network"]).items():
        exact = draws.xs("float32", level="head").droplevel(["epochs", "rate"]).reindex(draws.index, level="network")
        for name, values, limits in ((how, draws, error_interval), (f"{how} cost", draws - exact, interval)):
            for key, part in values.groupby(level=keys):
                row = rows.setdefault(key, dict(zip(keys, key)) | {"networks": len(part)})
                row |= _ends(name, limits(part.mean().to_numpy()))
    order = ["float32", "weights and logits", "weights", "as it is"]
    found = pd.DataFrame(sorted(rows.values(), key=lambda row: (order.index(row["head"]), row["rate"], row["epochs"])))
    kind = {"float32": "float32", "as it is": "int8, head as it is"}
    shown = found[["epochs", "networks"]].assign(rate=found.rate.map("{:g}".format).where(found.epochs > 0, ""))
    shown["kind"] = found["head"].map(kind).fillna("int8, head's " + found["head"] + " too")
    shown = shown[["kind", "epochs", "rate", "networks"]]
    for how in COLUMN:
        shown[how], shown[f"{how}, − float32"] = found[how].map("{:.3f}".format), _with_limits(found, f"{how} cost")
    return captioned(found.assign(tested=_tested(measured.tuning)), choice_table.__doc__, shown)


def tuned_table(measured: Measured) -> Table:
    """What fine-tuning with the rounding of int8 brings on people whom the networks were not trained on: MAE (BPM) in float32, and differences,
    paired over the same people."""
    rows, before = [], on_device(measured.people).query("network in @FAMILY")
    for how, draws in errors(pd.concat([before, measured.tuned]), ["network", "kind"]).items():
        for network in FAMILY:
            exact, plain, tuned = (draws.loc[(network, kind)].to_numpy() for kind in ("float32", "int8", "fine-tuned"))
            row = {"decoder": how, "network": network, "float32": exact[0]}
            for name, values in (("int8", plain - exact), ("tuned", tuned - exact), ("gain", tuned - plain)):
                row |= _ends(name, interval(values))
            rows.append(row)
    rows = pd.DataFrame(rows)
    shown = rows[["decoder", "network"]].assign(float32=rows.float32.map("{:.2f}".format))
    for name, title in (("int8", "int8 − float32"), ("tuned", "fine-tuned int8 − float32"), ("gain", "fine-tuned − int8")):
        shown[title] = _with_limits(rows, name)
    return captioned(rows.assign(tested=_tested(measured.tuned)), tuned_table.__doc__, shown)


def _ends(name: str, limits) -> dict:
    """A number and its 95 % interval, as they are called in all tables here."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), limits))


def _with_limits(rows: pd.DataFrame, name: str, form: str = "+.3f") -> list[str]:
    """Such numbers with their intervals, as text."""
    return [f"{v:{form}} [{a:{form}}, {b:{form}}]" for v, a, b in rows[[*_ends(name, range(3))]].to_numpy()]


def _tested(people: pd.DataFrame) -> int:
    return len(people[["dataset", "person"]].drop_duplicates())


def tools_table(measured: Measured) -> Table:
    """int8 by other tools: bytes of the TFLite file and of the arena that TFLite Micro takes (10^3), and what Arm's Vela expects of an Ethos-U55
    NPU (128): cycles a window (10^3), and of its memory (10^3 bytes). The last two are estimates, nobody ran them."""
    rows = measured.networks[measured.networks.kind == "int8"]
    rows = costs(measured._replace(networks=rows))
    names = {"tflite": "file", "arena": "arena", "npu_cycles": "NPU cycles", "npu_sram": "NPU memory"}
    shown = rows[["network"]].assign(**{text: (rows[name] / 1e3).map("{:.1f}".format) for name, text in names.items()})
    return captioned(rows, tools_table.__doc__, shown)


def agreement_table(measured: Measured) -> Table:
    """How far each runtime is from PyTorch in float32, over all networks, 500 windows each: windows with the same argmax, the largest
    difference of a logit, and the mean and largest differences of the median (BPM)."""
    rows = measured.agreement.groupby(["kind", "runtime"], sort=False).agg(
        windows=("windows", "sum"), same_argmax=("same_argmax", "sum"), logit=("logit", "max"),
        median_mean=("median_mean", "mean"), median_largest=("median_largest", "max"),
    ).reset_index()  # fmt: skip
    shown = rows.assign(logit=rows.logit.map("{:.2g}".format), median_mean=rows.median_mean.map("{:.2g}".format))
    shown["median_largest"] = rows.median_largest.map("{:.2g}".format)
    return captioned(rows, agreement_table.__doc__, shown)


def signal_table(measured: Measured) -> Table:
    """What surrounds a network, on an M4F: flash and RAM (10^3 bytes), and instructions (10^3) every 2 s of samples, window and median. `each window` filters
    8 s forwards and backwards, `causal` each sample as it comes."""
    rows = measured.signal
    shown = rows[["rate", "filter"]].assign(rate=rows.rate.map("{:g} Hz".format))
    shown["flash"], shown["RAM"] = ((rows[name] / 1e3).map("{:.1f}".format) for name in ("flash", "ram"))
    for part in ("samples", "window", "decode"):
        shown[part] = (rows[f"Cortex-M4F {part}"] / 1e3).map("{:.1f}".format)
    return captioned(rows, signal_table.__doc__, shown)


def causality_table(measured: Measured) -> Table:
    """MAE (BPM, median) of networks trained and tested on windows of either filter, run on windows or as a stream, and how much more
    that is than the first row's, paired over the same people."""
    keys = ["network", "trained_on", "tested_on", "runs"]
    draws = errors(measured.streaming, keys)["median"].sort_index(ascending=[False, False, False, False])
    base = draws.loc[("ResNet1D", "each window", "each window", "windows")]
    rows = draws.index.to_frame(index=False)
    for name, values, limits in (("mae", draws, error_interval), ("difference", draws - base, interval)):
        rows = rows.assign(**_ends(name, limits(values.to_numpy())))
    rows = rows.rename(columns={"mae_low": "low", "mae_high": "high"})
    return captioned(rows.assign(tested=_tested(measured.streaming)), causality_table.__doc__, rows)


def paper_table(measured: Measured) -> Table:
    """What one block saves of the largest of the paper's sizes that was measured (%): instructions on a Cortex-M4F, flash and RAM of the C
    code."""
    rows = measured.networks.assign(RAM=measured.networks.ram + measured.networks["stack"])
    own = rows[rows.network == rows.blocks.astype(str)]  # called by their blocks
    ends = (own[own.blocks == size].set_index("kind")[["Cortex-M4F", "flash", "RAM"]] for size in (1, own.blocks.max()))
    one, largest = ends
    saved = (100 * (1 - one / largest)).assign(blocks=own.blocks.max()).rename(columns={"Cortex-M4F": "instructions"}).reset_index()
    return captioned(saved, paper_table.__doc__, saved.map(lambda v: v if isinstance(v, str) else f"{v:.0f}"))


def streaming_table() -> Table:
    """What a stream could keep of a window: outputs of the trunk that see no border of it (field in samples, stride), whether 2 s are whole
    strides, and MMAC every 2 s computed whole and where nothing is computed twice, with the numbers that are kept for it."""
    rows = []
    for name, design in streaming.designs().items():
        stride, (whole, streamed, kept) = math.prod(design.strides), streaming.saved(design)
        row = {"network": name, "field": design.field, "stride": stride, "whole_strides": streaming.HOP % stride == 0}
        row |= {"outputs": -(-LENGTH // stride), "see_no_border": max(0, (LENGTH - design.field) // stride + 1)}
        row["whole"], row["streamed"], row["kept"] = whole / 1e6, np.nan, ""
        if name == "Causal":
            row |= {"see_no_border": "", "streamed": streamed / 1e6, "kept": str(kept)}
        rows.append(row)
    return captioned(pd.DataFrame(rows), streaming_table.__doc__)


def published() -> Table:
    """Published networks for devices, with what they were tested on and against what each row was checked. Other recordings, other people: not
    comparable with the tables above but in size."""
    rows = pd.read_csv(Path(__file__).parent / "published.csv", dtype=str, keep_default_na=False)
    return captioned(rows, published.__doc__, "work parameters mmac memory_kb mae inputs protocol checked", mmac="MMAC", memory_kb="kB", mae="MAE")


def plot(measured: Measured) -> kit.Plot:
    """MAE (median) in int8 and float32 against instructions on an M4F and against flash."""
    rows = costs(measured)
    family, few = rows.network.isin(FAMILY), rows.epochs < rows.epochs.max()
    looks = (
        ("see the whole window", family, ("o", kit.ACCENT, "-")),
        ("the paper's sizes", ~family & ~few, ("s", kit.INK, "--")),
        (f"the paper's, {rows.epochs.min()} epochs", ~family & few, ("D", "0.45", ":")),
    )
    fig, axes = kit.figure(1, 2, 5.6, 4.6, sharey=True)
    for ax, (x, unit, name) in zip(axes, (("Cortex-M4F", 1e6, "10⁶ instructions on a Cortex-M4F"), ("flash", 1e3, "flash (kB)"))):
        for (label, own, (marker, color, line)), kind in product(looks, ("float32", "int8")):
            part = rows[own & (rows.kind == kind)].sort_values(x)
            style = {"mfc": color if kind == "int8" else "white", "ls": line, "marker": marker, "color": color, "elinewidth": 0.8}
            part = part.assign(mae=part["median"], low=part.median_low, high=part.median_high)
            kit.dots(ax, part[x] / unit, part, "mae", label=f"{label}, {kind}", **style)
        ax.set(xscale="log", xlabel=name)
    axes[0].axvline(BUDGET / CYCLES["int8"][1] / 1e6, color="0.45", ls=":", label="all that an M4 at 64 MHz can do in 2 s")
    axes[0].set_ylabel("MAE (BPM, median)")
    return kit.Plot(fig, rows, "11_edge", _told(rows))


def smallest(rows: pd.DataFrame) -> pd.Series:
    """The network of the least arithmetic that errs by GOOD or less in int8 (median). InputError where none does."""
    good = rows[(rows.kind == "int8") & (rows["median"] <= GOOD)].sort_values("macs")
    if good.empty:
        raise InputError(f"No network that was measured errs by {GOOD} BPM or less.")
    return good.iloc[0]


def _told(rows: pd.DataFrame) -> str:
    row = smallest(rows)
    size = f"{row['Cortex-M4F'] / 1e6:.2f} million instructions, {row.flash / 1e3:.0f} kB of flash and {(row.ram + row['stack']) / 1e3:.1f} kB of RAM"
    return f"{size}: {row.network} in int8 errs by {row['median']:.2f} BPM"

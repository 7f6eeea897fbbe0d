"""explore.html: every network of a study by what it costs and how it errs, and the claims, in one file without a server."""

import json
from itertools import product
from pathlib import Path

import pandas as pd

from ppglib import files
from ppglib.results import claims, networks
from ppglib.results.kit import VERDICTS, look, ordered
from ppglib.results.outcome import effect_text
from ppglib.results.render import PAGE, render
from ppglib.results.tables import BASELINES, Paper, Results
from ppglib.task import DECODERS

AXES = {"macs": "Multiply-accumulates a window", "parameters": "Parameters", "bytes": "Bytes of weights (float32)"}
AXES |= {kind: f"Instructions in {kind} (Cortex-M4F)" for kind in ("int8", "float32")} | {"field": "What it sees of a window (s)"}
SHAPES = {"o": "circle", "v": "down", "s": "square", "^": "up", "D": "diamond", "P": "plus", "<": "left", "*": "star", "X": "cross"}


def judged(results: Results, paper: Paper, measured: pd.DataFrame | None = None) -> pd.DataFrame:
    """Verdicts on the claims by the paper's tables, and by every recipe and decoder: "judged on", decoder, and columns
    of `claims.verdicts`."""
    by = {decoder: claims.judge(results, paper, measured, decoder) for decoder in DECODERS}
    first, *recipes = by["argmax"]
    keys = [(first, "argmax"), *product(recipes, DECODERS)]  # the paper's tables are decoded in one way
    return pd.concat([by[how][on].assign(**{"judged on": on, "decoder": how}) for on, how in keys], ignore_index=True)


def write(path: Path, study: str, catalogue: pd.DataFrame, verdicts: pd.DataFrame) -> Path:
    """Write the page, whole or not at all. catalogue: of `networks`; verdicts: of `judged`."""
    content = json.dumps(data(study, catalogue, verdicts), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    script = (PAGE / "explore.js").read_text(encoding="utf-8")
    title, content = f"{study}: explorer", content.replace("<", "\\u003c")
    files.write(path, render("explore", title=title, data=content, script=script))
    return path


def data(study: str, catalogue: pd.DataFrame, verdicts: pd.DataFrame) -> dict:
    """What the page is given: axes, networks with costs, and mae, low, high of each decoder and set; claims."""
    axes = {name: words for name, words in AXES.items() if name in catalogue and catalogue[name].notna().any()}
    rows = []
    for key, own in catalogue.groupby(networks.IS, sort=False):
        first = own.iloc[0]
        row = dict(zip(networks.IS, key)) | {"name": networks.named(first), "learned": networks.learned(first)}
        row |= {name: _number(first[name]) for name in axes} | {"seeds": int(first.seeds)}
        row |= {"baseline": first.strategy in BASELINES, "size": networks.sized(first.student)}
        row["errors"] = {f"{o.decoder}|{o.dataset}": [*map(_number, (o.mae, o.low, o.high)), int(o.people)] for o in own.itertuples()}
        rows.append(row)
    style = {name: {"color": look(name)["color"], "shape": SHAPES.get(look(name)["marker"], "cross")} for name in ordered(catalogue.strategy)}
    kinds = {verdict: {"symbol": symbol, "kind": i} for i, (verdict, (_, symbol, *_)) in enumerate(VERDICTS.items())}
    said = [
        {"id": o.id, "claim": o.claim, "on": on, "decoder": o.decoder, "verdict": o.verdict, "how": o.how, "why": o.why}
        | {"effect": "" if pd.isna(o.effect) else f"{effect_text(o.effect, o.low, o.high, o.seed_sd)} {o.unit}"}
        for o, on in zip(verdicts.itertuples(), verdicts["judged on"])
    ]
    lists = {name: [*dict.fromkeys(catalogue[name])] for name in ("decoder", "dataset")}
    return {"study": study, "axes": axes, "networks": rows, "style": style, "verdicts": kinds, "claims": said} | lists


def _number(value) -> float | None:
    return None if pd.isna(value) else float(f"{value:.6g}")

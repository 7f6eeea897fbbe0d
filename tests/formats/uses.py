"""What a user does with each kind of file, as far as `bounded` runs it, and files of that kind with any content."""

import gzip
import hashlib
import io
import json
import pickle

import numpy as np
import pandas as pd
import tiny_study
from formats import dalia_files, galaxy_files, paper_formats, python2_pickle, wildppg_files
from scipy.io import loadmat, savemat

from ppglib import simulate
from ppglib.files import short

# What is done with them


def recordings(root, dataset):
    """A digest of the recordings of a set, made into windows too."""
    from ppglib import windows
    from ppglib.recordings import load

    sha = hashlib.sha256()
    for recording in (every := list(load(dataset, root))):
        sha.update(recording.person.encode() + recording.ppg.tobytes() + recording.hr.tobytes())
    windows.build(every, everyone=False)
    return sha.hexdigest()


def record(root):
    from ppglib.study import records

    found = records.read(root, "run")
    for name in records.NESTED:
        pd.DataFrame(found.get(name, []))
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def results(root):
    from ppglib.results import load
    from ppglib.results.tables import conditions

    found = load(root)
    return len(conditions(found))


def study(path):
    from ppglib.study import studies

    return studies.read(str(path)).name


def model(path):
    from ppglib.models import load
    from ppglib.models.predict import heart_rate

    network = load(path)
    table = heart_rate(np.sin(np.arange(500) / 3), 25.0, model=network, track="smooth")
    return len(table)


# Any content

DEEP = 3000


def nasty(rng):
    """A value where another is expected."""
    deep = []
    for _ in range(DEEP):
        deep = [deep]
    values = [
        None, True, -1, 0, 3, 1e308, -1e308, np.nan, np.inf, 2**70, 10**400, "", "nan", "x" * 10_000, "1e5", [], {}, [1, [2]],
        {"a": {"b": 1}}, deep, np.zeros(0), np.zeros((3, 4)), np.zeros(10**6, np.int8), np.arange(5.0), np.full(7, np.nan),
        np.array(["a", "b"]), np.float32(1), "\0", "\ud7ff", -0.0, 1e-320, [0] * 1000,
    ]  # fmt: skip
    return values[rng.integers(len(values))]


def changed(content, rng):
    """The same nested content with one to three parts replaced, left out or doubled."""
    for _ in range(rng.integers(1, 4)):
        content = _change(content, rng)
    return content


def _change(content, rng):
    inner = isinstance(content, dict | list | tuple) and len(content)
    if not inner or rng.random() < 0.1:
        if isinstance(content, np.ndarray) and content.size and content.dtype.kind in "fiu" and rng.random() < 0.7:
            return _array(content, rng)
        return nasty(rng)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = keys[rng.integers(len(keys))]
    made = dict(content) if isinstance(content, dict) else list(content)
    if (what := rng.random()) < 0.1:
        del made[key]
    elif what < 0.15 and isinstance(made, list):
        made += made
    else:
        made[key] = _change(made[key], rng)
    return made


def _array(array, rng):
    made = np.atleast_1d(array.copy())  # models have single numbers too
    with np.errstate(all="ignore"):
        kinds = (
            lambda: made[: rng.integers(len(made) + 1)], lambda: made * 1e300, lambda: made * 0, lambda: made[::-1],
            lambda: np.concatenate([made, made]), lambda: made.astype(np.float32), lambda: made.astype(np.int8),
            lambda: np.where(rng.random(made.shape) < 0.1, np.nan, made), lambda: made.T, lambda: made.astype(str),
            lambda: made - 1e15, lambda: np.cumsum(np.abs(made)), lambda: np.sort(rng.choice(made.ravel(), made.size)),
            lambda: np.repeat(made, 30, axis=0), lambda: made * 1e-9, lambda: made[..., None], lambda: made.astype(object),
        )  # fmt: skip
        return kinds[rng.integers(len(kinds))]()


# Files with it, each a function (folder, change): `change` is None, or a function of the content


def dalia(folder, change, form="outer", text=False):
    people = {"S1": simulate.person(3, 0.25)}
    if change is None:
        return dalia_files.write(folder / "ppg_dalia", people, form, text)
    path = folder / "ppg_dalia/S1.pkl"
    path.parent.mkdir(parents=True)
    content = dalia_files.participant("S1", people["S1"])
    path.write_bytes(_pickled(change(content)))


def _pickled(content) -> bytes:
    stream = io.BytesIO()
    try:
        python2_pickle.dump(content, stream)
        return stream.getvalue()
    except Exception:  # what the form of Python 2 has no words for
        pass
    try:
        return pickle.dumps(content, 2)
    except RecursionError:  # deeper than the writer goes
        return b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."


def dalia_windows(folder, change):
    ppg, start = simulate.ppg(simulate.person(3, 0.5), 32)[0], 64 * np.arange(10)
    windows = np.stack([np.stack([ppg[s : s + 256]] * 4) for s in start])
    content = {"X": windows, "y": np.full((10, 1), 80.0), "groups": np.full((10, 1), 6.0), "activity": np.full((10, 1), 2.0)}
    (folder / "dalia_s6_stairs").mkdir()
    (folder / "dalia_s6_stairs/x.pkl").write_bytes(_pickled(change(content) if change else content))
    (folder / "SIMULATED").touch()


def wildppg(folder, change, zipped=False):
    wildppg_files.write(folder / "wildppg", {"an0": simulate.person(4, 0.25)}, zipped=zipped)
    path = folder / "wildppg/WildPPG_Part_an0.mat"
    if zipped:
        return
    content = {key: value for key, value in loadmat(path, simplify_cells=True).items() if key in ("wrist", "sternum")}
    try:
        savemat(path, change(content) if change else content, do_compression=True)
    except Exception:  # what MATLAB has no form for
        savemat(path, {"wrist": 0}, do_compression=True)


def cells(folder, change):
    wildppg_files.write_cells(folder / "wildppg", {"an0": simulate.person(4, 0.5)})
    if change:
        path = folder / "wildppg/WildPPG.mat"
        content = {key: value for key, value in loadmat(path).items() if not key.startswith("_")}
        try:
            savemat(path, change(content))
        except Exception:
            savemat(path, {"data_bpm_values": 0})


def galaxy(folder, change, zipped=True):
    galaxy_files.write(folder / "galaxyppg", galaxy_files.people(1, 0.5, seed=4), zipped=zipped and not change)
    for path in sorted((folder / "galaxyppg").rglob("P02/**/*.csv")) if change else ():
        content = {name: column.to_numpy() for name, column in pd.read_csv(path).items()}
        path.write_text(_csv(change(content)))


def _csv(columns) -> str:
    """A CSV of any columns, ragged where they are of different lengths."""
    if not isinstance(columns, dict):
        return short(columns, 10_000)
    flat = {str(name)[:100]: np.ravel(np.asarray(column, object))[:200_000] for name, column in columns.items()}
    frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in flat.items()})
    return frame.map(lambda cell: cell if isinstance(cell, str) else short(cell)).to_csv(index=False)


def own(folder, change, kind="csv"):
    paper_formats.write_own(folder / "own", {"ann": simulate.person(4, 0.5)}, kind="parquet" if kind == "parquet" else "csv")
    for path in sorted((folder / "own").iterdir()):
        frame = pd.read_parquet(path) if kind == "parquet" else pd.read_csv(path)
        content = {name: column.to_numpy() for name, column in frame.items()}
        if change:
            content = change(content)
        if kind == "parquet" and change:
            try:
                pd.DataFrame({name: pd.Series(list(np.atleast_1d(column))) for name, column in content.items()}).to_parquet(path)
            except Exception:  # what Parquet has no form for
                continue
        elif change:
            path.write_text(_csv(content), errors="replace")
        if kind == "csv.gz":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


RECORD = {
    "run_id": "run", "seconds": 3.0, "mae": 4.5, "student": 1, "teacher": 0, "fold": 0, "seed": 0, "curve": [3.0, 2.0],
    "people": [{"dataset": "a", "person": "b", "n": 3, "mae": 4.0, "activity": ""}],
    "reliability": [{"bin": 0, "n": 3, "confidence": 0.1, "accuracy": 0.1}],
}  # fmt: skip


def write_record(folder, change):
    content = change(RECORD) if change else RECORD
    try:
        text = json.dumps(content, default=str)
    except (RecursionError, TypeError):  # deeper than the writer goes
        text = "[" * 10**5 + "]" * 10**5
    whole = json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "record": text})
    (folder / "runs").mkdir()
    (folder / "runs/run.json").write_text(whole)


STUDY = tiny_study.text(strategies=["scratch", "dkd"], epochs=2, designs=[{"blocks": 1, "dilations": [1, 2, 6]}])


def write_study(folder, change):
    import tomllib

    text = STUDY
    if change:
        content = change(tomllib.loads(STUDY))
        if isinstance(content, dict):
            text = "\n".join(f"{key} = {_toml(value)}" for key, value in content.items())
        else:
            text = f"a = {_toml(content)}"
    (folder / "study.toml").write_text(text, errors="replace")


def _is_deep(value) -> bool:
    for _ in range(50):
        if not (isinstance(value, list) and len(value) == 1):
            return False
        value = value[0]
    return True


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if _is_deep(value):
        return "[" * DEEP + "]" * DEEP
    if isinstance(value, list | tuple | np.ndarray):
        return "[" + ", ".join(_toml(one) for one in list(value)[:1000]) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower()


def write_model(folder, change):
    import torch
    from safetensors.torch import save

    from ppglib import models
    from ppglib.files import ROOT

    with models.safe_open(ROOT / "ppglib/models/tiny.safetensors", "pt") as file:
        about = {key: json.loads(value) for key, value in file.metadata().items()}
        weights = {name: file.get_tensor(name).numpy() for name in file.keys()}
    if change:
        made = change({"about": about, "weights": weights} if change.both else {"about": about})
        made = {"about": about, "weights": {} if change.both else weights} | (made if isinstance(made, dict) else {})
        about, weights = (value if isinstance(value, dict) else {} for value in (made["about"], made["weights"]))
    tensors = {}
    for name, value in weights.items():
        try:
            tensors[str(name)] = torch.tensor(np.array(value, order="C"))
        except (TypeError, ValueError, RuntimeError):
            continue
    if change:  # a forger states the digest of what is there
        try:
            about["weights"] = models._digest(tensors)
        except TypeError:
            pass
    said = {}
    for key, value in about.items():
        try:
            said[str(key)] = json.dumps(value, default=str)
        except (RecursionError, TypeError, ValueError):
            said[str(key)] = "[" * 10**5 + "]" * 10**5
    (folder / "m.safetensors").write_bytes(save(tensors, said))


def write_results(folder, change):
    import fake_results

    fake_results.make(folder, students=(1, 2), teachers=(2,), grid=False, seeds={})
    for path in sorted(folder.glob("*.csv")) if change else ():
        content = {name: column.to_numpy() for name, column in pd.read_csv(path, keep_default_na=False).items()}
        path.write_text(_csv(change(content)), errors="replace")

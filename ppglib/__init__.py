"""Knowledge distillation of PPG heart-rate networks: recordings, windows, ResNet1D, losses, `train`.

    import ppglib as ppg
    windows = ppg.load("spc2015", "data/raw")          # or ppg.load_demo(): simulated people
    train, test = ppg.split(windows, fold=0)
    teacher = ppg.train(ppg.ResNet1D(12), windows, train)
    student = ppg.train(ppg.ResNet1D(1), windows, train, "dkd", teacher=teacher, alpha=1, beta=8)
    ppg.evaluate(student, windows, test)["mae"]
    ppg.heart_rate(samples, rate=50)                   # of your own samples, by a model that comes with it

Reproduces "Towards Characterizing Knowledge Distillation of PPG Heart Rate Estimation Models"."""

from importlib import import_module

# Where names live, imported at first use: reading tables needs no torch, training no reader.
_FACE = {
    "load": "recordings", "load_demo": "simulate", "split": "splits", "ResNet1D": "resnet1d",
    "STRATEGIES": "strategies", "Strategy": "strategies", "train": "training", "predict": "training",
    "evaluate": "metrics", "fit_exponential": "scaling", "heart_rate": "models.predict", "Stream": "models.predict",
}  # fmt: skip
_MODULES = "beyond fast files losses metrics resnet1d scaling splits strategies task tracking training windows".split()
_FOLDERS = "bench edge models recordings results simulate study".split()
__all__ = [*_FACE, "losses", "results", "plots"]


def __getattr__(name: str):
    if name in _FACE:
        return getattr(import_module(f"ppglib.{_FACE[name]}"), {"load": "windows_of"}.get(name, name))
    if name in (*_MODULES, *_FOLDERS, "plots"):
        return import_module("ppglib.results.plots" if name == "plots" else f"ppglib.{name}")
    raise AttributeError(f"ppglib has no {name!r}: it has {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES, *_FOLDERS})

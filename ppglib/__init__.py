"""Knowledge distillation of PPG heart-rate networks: recordings, windows, ResNet1D, losses, `train`.

    import ppglib as ppg
    windows = ppg.load("spc2015", "data/raw")          # or ppg.load_demo(): simulated people
    train, test = ppg.split(windows, fold=0)
    teacher = ppg.train(ppg.ResNet1D(12), windows, train)
    student = ppg.train(ppg.ResNet1D(1), windows, train, "dkd", teacher=teacher, alpha=1, beta=8)
    ppg.evaluate(student, windows, test)["mae"]

Reproduces "Towards Characterizing Knowledge Distillation of PPG Heart Rate Estimation Models".
"""

from importlib import import_module

# Name -> where it lives, imported at first use: tables can be read without torch, networks trained without readers.
_FACE = {
    "ResNet1D": "ppglib.resnet1d:ResNet1D",
    "STRATEGIES": "ppglib.strategies:STRATEGIES",
    "Strategy": "ppglib.strategies:Strategy",
    "load": "ppglib.recordings:windows_of",
    "load_demo": "ppglib.simulate:load_demo",
    "split": "ppglib.splits:split",
    "train": "ppglib.training:train",
    "predict": "ppglib.training:predict",
    "evaluate": "ppglib.metrics:evaluate",
    "fit_exponential": "ppglib.scaling:fit_exponential",
    "plots": "ppglib.results.plots:",
}
_MODULES = (
    "beyond", "fast", "files", "losses", "metrics", "resnet1d", "scaling", "splits", "strategies", "task",
    "training", "windows", "recordings", "study", "results", "bench", "simulate",
)  # fmt: skip
__all__ = [*_FACE, "losses", "results"]


def __getattr__(name: str):
    module, _, attribute = _FACE.get(name, f"ppglib.{name}:" if name in _MODULES else ":").partition(":")
    if not module:
        raise AttributeError(f"ppglib has no {name!r}: it has {', '.join(__all__)}")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})

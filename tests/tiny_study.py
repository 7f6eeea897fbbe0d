"""Study files of tests, and a study of simulated people that trains in seconds."""

import json

KEYS = {
    "recipe": "test", "datasets": ["spc2015"], "simulate_people": [5], "simulate_minutes": 1.2, "students": [1],
    "teachers": [2], "strategies": ["scratch", "soft"], "folds": [0], "seeds": 1, "epochs": 1, "batch": 32,
    "rate": 0.01, "precision": "float32",
}  # fmt: skip


def text(defaults: dict = KEYS, **keys) -> str:
    """The text of a study file: `defaults` with these keys; a key that is None is left out."""
    lines = (f"{key} = {_toml(value)}\n" for key, value in (defaults | keys).items() if value is not None)
    return "".join(lines)


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return "[" + ", ".join(map(_toml, value)) + "]" if isinstance(value, list | tuple) else json.dumps(value)

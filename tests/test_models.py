"""Model files: what is saved is loaded, what is damaged, foreign or not whole is refused in one sentence."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

import ppglib as ppg
from ppglib import models, tracking
from ppglib.files import InputError
from ppglib.models.about import card, held_out, holds
from ppglib.resnet1d import Design, ResNet1D
from ppglib.task import BINS, CENTRES

NETWORK = {"blocks": 1, "width": 8, "dilations": (1, 2, 6), "strides": (4, 2)}
MOVES = tracking.Model(3.0, 0.001, 0.4)


@pytest.fixture(scope="module")
def about():
    rng, n = np.random.default_rng(0), 400
    table = pd.DataFrame({"dataset": np.repeat(["a", "b"], n // 2), "person": np.repeat(list("wxyz"), n // 4)})
    table = table.assign(recording=table.person, second=2.0 * np.tile(np.arange(n // 4), 4), hr=rng.uniform(80, 90, n))
    said = np.exp(-(((CENTRES - table.hr.to_numpy()[:, None] - rng.normal(0, 2, (n, 1))) / 8) ** 2) / 2)
    told = {"strategy": "gaussian", "teacher": "", "datasets": ["a", "b"], "licence": "academic use", "windows": "0" * 64}
    return held_out(said / said.sum(1, keepdims=True), table, MOVES, "Nobody was.") | told


@pytest.fixture
def saved(about, tmp_path):
    torch.manual_seed(0)
    network = ResNet1D(**NETWORK).eval()
    models.save(network, tmp_path / "mine.safetensors", about)
    return network, tmp_path / "mine.safetensors"


def rewritten(path, change=None, weights=None):
    """The same file with other metadata or weights."""
    with models.safe_open(path, "pt") as file:
        about = file.metadata()
    about.update(change or {})
    kept = {key: value for key, value in about.items() if value is not None}
    save_file(weights or load_file(path), path, kept)
    return path


def test_what_is_saved_is_loaded(saved, about):
    network, path = saved
    found, x = models.load(path), torch.randn(3, 1, 200)
    assert torch.equal(found(x), network(x)) and not found.training
    assert Design(**found.about["design"]) == network.design and about.items() <= found.about.items()
    assert models.tracking_model(found.about) == MOVES
    assert len(ppg.heart_rate(np.sin(np.arange(500.0)), 25, model=path, track="smooth")) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": '"LSTM"'}, "architecture 'LSTM', not 'ResNet1D'"),
        ({"rate": "50"}, "rate 50, not 25"),
        ({"bins": "210"}, "bins 210, not 180"),
        ({"format": "2"}, "format 2, not 1"),
        ({"licence": None}, "does not say its licence"),
        ({"design": '{"blocks": 2}'}, "do not fit its design"),
        ({"design": '{"blocks": 1, "evil": 1}'}, "do not fit its design"),
        ({"design": "7"}, "do not fit its design"),
        ({"interval": "{}"}, "nothing usable about interval"),
        ({"tracking": "[]"}, "nothing usable about interval or tracking"),
        ({"strategy": "not JSON"}, "damaged or no model"),
    ],
)
def test_files_for_another_library_are_refused(saved, change, message):
    with pytest.raises(InputError, match=message):
        models.load(rewritten(saved[1], change))


def test_damage_and_foreign_files_are_refused(saved, tmp_path):
    network, path = saved
    whole = path.read_bytes()
    for cut in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="damaged or no model"):
            models.load(path)
    path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    with pytest.raises(InputError, match="not those that were saved"):
        models.load(path)
    torch.save(network.state_dict(), tmp_path / "pickle.safetensors")
    with pytest.raises(InputError, match="damaged or no model"):
        models.load(tmp_path / "pickle.safetensors")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)  # weights alone
    with pytest.raises(InputError, match="does not say its format, architecture"):
        models.load(path)
    with pytest.raises(InputError, match="no model 'nowhere'"):
        models.load("nowhere")


def test_nan_weights_are_neither_saved_nor_loaded(saved, about, tmp_path):
    network, path = saved
    weights = load_file(path) | {"head.bias": torch.full((BINS,), np.nan)}
    with pytest.raises(InputError, match="not finite"):
        models.load(rewritten(path, weights=weights))
    network.load_state_dict(weights)
    with pytest.raises(InputError, match="not finite"):
        models.save(network, tmp_path / "nan.safetensors", about)
    assert not (tmp_path / "nan.safetensors").exists()


def test_save_asks_for_what_it_cannot_know(about, tmp_path):
    with pytest.raises(InputError, match="does not say its windows, error"):
        rest = {key: value for key, value in about.items() if key not in ("windows", "error")}
        models.save(ResNet1D(**NETWORK), tmp_path / "x.safetensors", rest)


def test_errors_are_over_people_and_the_card_has_them(about):
    rows = pd.DataFrame(about["error"]["rows"])
    assert list(rows.dataset.unique()) == ["a", "b", "all"] and list(rows.track.unique()) == ["none", "online", "smooth"]
    every = rows[rows.dataset == "all"].iloc[0]
    assert (every.people, every.windows) == (4, 400) and every.low < every.mae < every.high
    assert abs(every.mae - 2 * np.sqrt(2 / np.pi)) < 0.2
    text = card("mine", about | models.FIXED | {"design": NETWORK, "library": "1", "weights": "f" * 64})
    assert f"| all | none | 4 | 400 | {every.mae:.2f} [{every.low:.2f}, {every.high:.2f}] |" in text
    assert "at rest above all" in text and "Without them" not in text
    still = {"bpm": [40, 45, 50, 55, 60, 65], "error": [9.0, 1.5, 2.5, 1.0, 2.0, 3.0]}
    assert holds(still) == (55, 60) and holds({"bpm": [40], "error": [3.0]}) == (0, 0)
    more = {"still": still, "plain": [row | {"mae": 7.0} for row in about["error"]["rows"]]}
    text = card("mine", about | more | models.FIXED | {"design": NETWORK, "library": "1", "weights": "f" * 64})
    assert "at most 2 BPM from 55 to 60 BPM; it is 9.0 at 40, 1.5 at 45, 2.5 at 50, 3.0 at 65 BPM" in text
    assert "untracked: a 7.00, b 7.00, all 7.00" in text and "at rest above all" not in text
    assert "Not a medical device" in text and "academic use" in text and "80 to 90 BPM" in text


def test_the_models_that_ship_are_whole():
    assert models.names() == ["large", "largest", "medium", "small", "tiny"]
    cost = [models.load(name).design.macs for name in ("tiny", "small", "medium", "large", "largest")]
    assert cost == sorted(cost)
    for name in models.names():
        assert card(name, about := models.load(name).about) and json.dumps(about)

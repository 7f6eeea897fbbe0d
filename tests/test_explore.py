"""Looking through people with the models that come along: the numbers drawn, names, and controls that move."""

import numpy as np
import pytest

import ppglib as ppg
from ppglib import models
from ppglib.files import InputError
from ppglib.models import explore
from ppglib.task import decode
from ppglib.windows import Windows, gather


@pytest.fixture(scope="module")
def windows():
    return ppg.load_demo(people=2, minutes=1.5)


@pytest.fixture(scope="module")
def seen(windows):
    return explore.look(windows, "demo 02", "tiny")


def test_what_is_seen_is_what_the_model_predicts(windows, seen):
    rows = np.flatnonzero(windows.table.person == "02")
    said = ppg.predict(models.load("tiny"), windows, rows)
    assert np.allclose(seen.probabilities, said) and np.allclose(seen.table.hr, windows.table.hr[rows])
    assert np.allclose(seen.table["median"], decode(said, "median")) and np.allclose(seen.table["argmax"], decode(said))
    assert (seen.table.low <= seen.table["median"]).all() and (seen.table["median"] <= seen.table.high).all()
    assert np.array_equal(seen.ppg, gather(windows.signal, windows.table.start[rows]))
    tracked = explore.look(windows, "demo 02", "tiny", "smooth")
    assert not np.allclose(tracked.table["median"], seen.table["median"])
    assert len(explore.everyone(windows, "tiny")) == len(windows.table)


def test_recordings_have_names_of_their_own(windows):
    assert [*explore.recordings(windows)] == ["demo 01", "demo 02"]
    table = windows.table.assign(person="01")
    several = Windows(windows.signal, table, windows.dropped, windows.recordings)
    named = explore.recordings(several)
    assert [*named] == ["demo 01 01", "demo 01 02"] and sorted(np.concatenate([*named.values()])) == [*range(len(table))]
    for wrong in ({"person": "demo 09"}, {"person": "demo 01", "track": "back"}, {"person": "demo 01", "model": "huge"}):
        with pytest.raises(InputError, match="There is no"):
            explore.look(windows, **wrong)


def test_the_worst_window_is_drawn_unless_another_is_asked_for(seen):
    error = (seen.table["median"] - seen.table.hr).abs()
    assert explore.worst(seen) == pytest.approx((seen.table.second[error.idxmax()] + 4) / 60)
    plot = explore.draw(seen, label="simulated recordings")
    assert f"{seen.table['median'][error.idxmax()]:.0f} BPM, true {seen.table.hr[error.idxmax()]:.0f} BPM" in plot.title
    above, below, beside = plot.fig.axes
    assert np.allclose(below.lines[0].get_ydata(), seen.ppg[error.idxmax()])
    plot = explore.draw(seen, 0.5)
    at = (seen.table.second + 4 - 30).abs().idxmin()
    assert np.allclose(plot.fig.axes[1].lines[0].get_ydata(), seen.ppg[at])
    lines = {line.get_label(): line.get_ydata() for line in above.lines}
    assert np.allclose(lines["true"], seen.table.hr) and np.allclose(lines["median"], seen.table["median"])
    assert np.allclose(lines["argmax"], seen.table["argmax"])
    shading = above.collections[0].get_array().reshape(180, -1)
    assert np.allclose(shading, np.sqrt(seen.probabilities.T))


def test_controls_draw_at_once_and_follow(windows):
    pytest.importorskip("ipywidgets")
    box = explore.controls(windows, "tiny")
    (person, model, track), minute, picture, said = *[box.children[0].children], *box.children[1:]
    assert bytes(picture.value).startswith(b"\x89PNG") and "true" in said.value
    assert model.value == "tiny" and person.value == "demo 01" and track.value == "none"
    for control, value in ((minute, 0.2), (person, "demo 02"), (model, "small"), (track, "smooth")):
        before = picture.value
        control.value = value
        assert picture.value != before, control.description


def test_the_models_are_listed_with_their_own_errors():
    table = explore.family()
    about = models.load("small").about
    row = table[table.name == "small"].iloc[0]
    (alone,) = [r for r in about["error"]["rows"] if r["dataset"] == "all" and r["track"] == "none"]
    assert row.none == alone["mae"] and row.none_low == alone["low"] and len(table) == len(models.names())
    assert explore.designs().field.tolist()[0] == 0.52 and (explore.designs().field <= 8).all()


def test_fields_are_drawn_to_scale(seen):
    from ppglib.results import plots_of_people

    plot = plots_of_people.fields(seen.ppg[0], 90.0, explore.designs())
    bars = plot.fig.axes[1].patches
    assert np.allclose(sorted(bar.get_width() for bar in bars), sorted(explore.designs().field))
    assert all(np.isclose(bar.get_x() + bar.get_width() / 2, 4) for bar in bars)
    assert "0.52 s, 0.8 beats" in [text.get_text() for text in plot.fig.axes[1].texts]

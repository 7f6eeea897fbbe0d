"""Agreement of predicted with true heart rates: limits for repeated measures, error against coverage, figures."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway

from ppglib.results import agreement, plots_of_agreement


def made(people=6, windows=80, within=3.0, between=4.0, bias=2.0, seed=0):
    """Windows of people who each have an offset of their own; the surer, the closer."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), rng.integers(windows // 2, windows, people))
    truth = rng.uniform(60, 160, len(person))
    sure = rng.uniform(0.3, 1, len(person))
    off = bias + rng.normal(0, between, people)[person] + rng.normal(0, within, len(person)) * 2 * (1 - sure) ** 0.5
    table = pd.DataFrame({"dataset": "own", "person": person.astype(str), "recording": person.astype(str)})
    table = table.assign(activity=np.where(truth > 120, "run", "walk"), truth=truth, model=truth + off, p_within_5=sure)
    table = table.assign(low=table.model - 5, high=table.model + 5, naive=truth + 10)
    table = table.assign(start=2.0 * np.arange(len(person)))
    return table.assign(end=table.start + 8)


def test_limits_are_those_of_the_analysis_of_variance_for_repeated_measures():
    """Of people with a window each, mean +- 1.96 sd; else both components, by another implementation of the F test."""
    rng = np.random.default_rng(1)
    off = rng.normal(1, 2, 50)
    plain = off.mean() + 1.96 * off.std(ddof=1) * np.array([0, -1, 1])
    np.testing.assert_allclose(agreement.limits(off, np.arange(50)), plain)
    np.testing.assert_allclose(agreement.limits(off, np.zeros(50)), plain)
    sizes = np.array([5, 9, 30, 12])
    groups = [rng.normal(mean, 2, n) for mean, n in zip((0, 3, -4, 6), sizes)]
    off, who = np.concatenate(groups), np.repeat(list("abcd"), sizes)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (sizes.sum() - 4)
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / 3
    between = (f_oneway(*groups).statistic - 1) * within / n0
    reach = 1.96 * np.sqrt(within + between)
    np.testing.assert_allclose(agreement.limits(off, who), off.mean() + reach * np.array([0, -1, 1]))
    assert np.isnan(agreement.limits([1.0], ["a"])[1]) and np.isnan(agreement.limits([], [])).all()


def test_limits_are_as_wide_as_a_new_person_strays_however_the_windows_are_shared_out():
    """Few people who differ much, one with most windows: pooled windows would show half of the variance."""
    rng, variances = np.random.default_rng(2), []
    for _ in range(300):
        own = rng.normal(0, 5, 5)
        who = np.repeat(np.arange(5), [200, 10, 10, 10, 10])
        _, low, high = agreement.limits(own[who] + rng.normal(0, 1, len(who)), who)
        variances.append(((high - low) / (2 * 1.96)) ** 2)
    assert np.mean(variances) == pytest.approx(26, rel=0.1)  # 5^2 + 1^2


def test_people_who_are_alike_take_nothing_from_the_variance_of_their_windows():
    off, who = np.tile([-2.0, 2.0], 6), np.repeat(np.arange(3), 4)  # all with a mean of 0
    _, low, high = agreement.limits(off, who)
    assert (low, high) == pytest.approx(1.96 * np.sqrt(12 * 4 / (12 - 3)) * np.array([-1, 1]))


def test_an_error_of_exactly_5_bpm_is_within_5():
    rows = pd.DataFrame({"dataset": "a", "person": "x", "activity": "", "truth": 100.0, "low": 90.0, "high": 110.0}, index=[0])
    rows = pd.concat([rows.assign(model=model, p_within_5=0.5) for model in (95.0, 105.0, 94.9, 105.1)] * 3)
    assert agreement.table(rows, ["model"]).within_5[0] == 0.5
    assert agreement.coverage(rows, "model").within_5.iloc[-1] == 0.5
    said = agreement.calibration(rows, "model")
    assert np.average(said.within_5, weights=said.windows) == 0.5


def test_the_table_has_everyone_each_person_and_each_activity():
    rows = made()
    rows.loc[3, "model"] = np.nan
    rows.loc[4, "truth"] = np.nan
    table = agreement.table(rows, ["model", "naive"]).set_index(["person", "activity", "method"])
    assert len(table) == 2 * (6 + 1) * 3
    whole = table.loc["all", "all", "model"]
    known = rows[rows.truth.notna()]
    off = (known.model - known.truth).dropna()
    assert whole.windows == len(rows) - 1 and whole.without == pytest.approx(1 / (len(rows) - 1)) and whole.people == 6
    np.testing.assert_allclose([whole.mae, whole.bias], [off.abs().mean(), off.mean()])
    assert whole.mae_low < whole.mae < whole.mae_high and whole.within_5 == (off.abs() <= 5).mean()
    assert whole.in_band == whole.within_5  # its band reaches 5 BPM
    own = known[(known.person == "2") & (known.activity == "run")]
    one = table.loc["2", "run", "model"]
    assert one.windows == len(own) and one.mae == pytest.approx((own.model - own.truth).abs().mean())
    assert np.isnan(one.mae_low) and one.people == 1  # nothing is known of other people
    naive = table.loc["all", "all", "naive"]
    assert naive.mae == pytest.approx(10) and np.isnan(naive.in_band) and np.isnan(naive.mae_surer_half)


def test_the_surer_half_is_that_of_the_highest_probability():
    rows = made(between=0.1)
    order = rows.sort_values("p_within_5", ascending=False)
    half = order.head(round(len(rows) / 2))
    curve = agreement.coverage(rows, "model")
    assert curve.kept.tolist() == pytest.approx([k / 20 for k in range(1, 21)])
    at = curve.set_index(curve.kept.round(2))
    assert at.mae[0.5] == pytest.approx((half.model - half.truth).abs().mean()) and at.windows[0.5] == len(half)
    assert at.mae[1.0] == pytest.approx((rows.model - rows.truth).abs().mean()) and at.mae[0.5] < at.mae[1.0]
    assert at.p[0.5] == half.p_within_5.min()
    table = agreement.table(rows, ["model"]).iloc[0]
    assert table.mae_surer_half == at.mae[0.5]
    equal = rows.assign(p_within_5=0.9, high=rows.low + np.arange(len(rows)))
    narrow = (rows.model - rows.truth).abs().head(round(len(rows) / 20))  # come first among the equally sure
    assert agreement.coverage(equal, "model").mae[0] == pytest.approx(narrow.mean())


def test_calibration_compares_what_is_said_with_what_is():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.2, 1, 20_000)
    rows = pd.DataFrame({"dataset": "a", "person": "x", "truth": 100.0, "low": 95.0, "high": 105.0, "p_within_5": p})
    rows["model"] = np.where(rng.random(len(p)) < p, 101.0, 120.0)
    honest = agreement.calibration(rows, "model")
    assert len(honest) == 10 and honest.p_within_5.is_monotonic_increasing
    np.testing.assert_allclose(honest.within_5, honest.p_within_5, atol=0.04)


def test_nothing_known_gives_nothing():
    rows = made().assign(model=np.nan)
    table = agreement.table(rows, ["model"]).iloc[0]
    assert table.without == 1 and np.isnan(table.mae) and np.isnan(table.limits_low)
    assert agreement.coverage(rows, "model").empty and agreement.table(rows.assign(truth=np.nan), ["model"]).empty


def test_figures_say_what_is_in_them():
    rows = made()
    one = plots_of_agreement.over_time(rows[rows.person == "1"], "model", "trained on these people")
    told = agreement.summary(rows[rows.person == "1"], "model", True)
    assert f"own 1: model errs by {told['mae']:.1f} BPM over {told['windows']} windows" in one.title
    assert one.title.endswith("trained on these people") and f"{told['in_band']:.0%}" in one.title
    bias, low, high = agreement.limits(rows.model - rows.truth, rows.person)
    two = plots_of_agreement.bland_altman(rows, ["model", "naive"])
    assert f"{bias:+.1f} [{low:+.0f}, {high:+.0f}] (own)" in two.title
    assert [line.get_ydata()[0] for line in two.fig.axes[0].lines] == pytest.approx([bias, low, high])
    three = plots_of_agreement.confidence(rows, ["model", "naive"])
    curve = agreement.coverage(rows, "model").mae
    assert f"{curve[9]:.1f} and {curve[19]:.1f} BPM (own)" in three.title
    np.testing.assert_allclose(three.fig.axes[0].lines[0].get_ydata(), curve)
    nothing = plots_of_agreement.over_time(rows[rows.person == "1"].assign(model=np.nan), "model")
    assert "none predicted" in nothing.title
    unlabelled = plots_of_agreement.over_time(rows[rows.person == "1"].assign(truth=np.nan), "model")
    assert "no true heart rate" in unlabelled.title

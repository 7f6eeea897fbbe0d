"""The laws recover what made the data, and say so when they cannot."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from ppglib.files import ROOT
from ppglib.results import laws
from ppglib.results.evidence import slope_weights
from ppglib.results.laws import GRID_FORMS, leave_one_out, prediction_interval
from ppglib.scaling import FORMS, fit, fit_draws, fit_exponential, predict

TABLE2 = pd.read_csv(ROOT / "data/paper/table2_strategies.csv")
LAWS = pd.read_csv(ROOT / "data/paper/figure2_laws.csv").set_index("teacher")
BLOCKS = np.array([1, 2, 3, 4, 5, 6, 8, 10.0])


def paper_row(strategy):
    return TABLE2[TABLE2.strategy == strategy].sort_values("student").mae.to_numpy()


def test_papers_law_of_the_12_block_teacher_comes_out_of_its_table_2():
    law = fit_exponential(BLOCKS, paper_row("soft"))
    printed = LAWS.loc[12]
    assert (law.a, law.b, law.c) == pytest.approx((printed.a, printed.b, printed.c), abs=2e-3)
    assert law.note == "" and law.n == 8


def test_what_the_paper_says_of_hard_and_dkd_is_not_in_its_numbers():
    hard, soft, dkd = (fit_exponential(BLOCKS, paper_row(k)) for k in ("hard", "soft", "dkd"))
    assert hard.b == pytest.approx(0.395, abs=5e-4) and hard.b < soft.b
    assert dkd.r2 == pytest.approx(0.88, abs=5e-3)
    assert soft.c > paper_row("soft")[-2:].max()  # the floor lies above the two largest students


def test_standard_errors_against_the_jacobian_of_another_optimizer():
    y = paper_row("feature")
    found = least_squares(
        lambda p: p[0] * np.exp(-p[1] * BLOCKS) + p[2] - y, [10, 1, 6], xtol=1e-12, ftol=1e-12
    )
    covariance = np.linalg.inv(found.jac.T @ found.jac) * (found.fun**2).sum() / (8 - 3)
    law = fit_exponential(BLOCKS, y)
    assert [law.a, law.b, law.c] == pytest.approx(found.x, rel=1e-5)
    assert [law.a_se, law.b_se, law.c_se] == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 30), st.floats(0.15, 2.5), st.floats(1, 20))
def test_exact_data_give_the_parameters_back(a, b, c):
    law = fit_exponential(BLOCKS, a * np.exp(-b * BLOCKS) + c)
    assert (law.a, law.b, law.c) == pytest.approx((a, b, c), rel=1e-4)


@pytest.mark.parametrize(
    "name, values", [("exponential", (5, 2, 0.7)), ("power", (4, 3, 1.3)), ("log-linear", (-1.5, 9))]
)
def test_every_law_recovers_itself_and_wins_on_its_own_data(name, values):
    rng = np.random.default_rng(1)
    y = predict(FORMS[name], values, BLOCKS) + rng.normal(0, 0.01, 8)
    laws = {k: fit(form, BLOCKS, y) for k, form in FORMS.items()}
    assert laws[name].values == pytest.approx(values, rel=0.1)
    assert min(laws, key=lambda k: laws[k].aicc) == name
    errors = {k: leave_one_out(form, BLOCKS, y[:, None], np.ones(8))[0] for k, form in FORMS.items()}
    assert min(errors, key=errors.get) == name


def test_the_law_of_the_grid_recovers_both_exponents():
    student, teacher = np.meshgrid(BLOCKS, [2, 4, 6, 8, 10, 12.0])
    x = np.stack([student.ravel(), teacher.ravel()])
    form = GRID_FORMS["Chinchilla"]
    law = fit(form, x, predict(form, (4, 2, 3, 1.2, 0.6), x))
    assert law.note == "" and law.values == pytest.approx((4, 2, 3, 1.2, 0.6), rel=1e-3)


def test_a_law_has_its_parameters_by_name_and_no_others():
    law = fit(FORMS["power"], BLOCKS, paper_row("soft"))
    assert [law.a, law.c, law.b] == law.values.tolist() and law.c_se == np.sqrt(law.covariance[1, 1])
    with pytest.raises(AttributeError, match="no d_se"):
        law.d_se


@pytest.mark.parametrize("n", range(5))
def test_no_law_from_too_few_points(n):
    law = fit_exponential(BLOCKS[:n], paper_row("soft")[:n])
    assert np.isnan([law.a, law.b, law.c, law.a_se]).all() and f"too few points: {n}" in law.note
    assert fit_exponential(BLOCKS[:5], paper_row("soft")[:5]).note == ""


@pytest.mark.parametrize("mae", [np.full(8, 5.0), np.r_[np.nan, np.arange(7.0)], np.r_[9.0, np.full(7, 5.0)]])
def test_no_convergence_is_an_outcome_not_a_crash(mae):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        law = fit_exponential(BLOCKS, mae)
    assert law.note and np.isnan(law.b)


def test_weights_pull_the_law_to_the_points_that_are_precise():
    y = paper_row("soft").copy()
    y[3] += 2
    weights = np.ones(8)
    weights[3] = 1e-6
    without = np.delete(np.arange(8), 3)
    law, clean = fit_exponential(BLOCKS, y, weights), fit_exponential(BLOCKS[without], y[without])
    assert (law.a, law.b, law.c) == pytest.approx((clean.a, clean.b, clean.c), rel=1e-3)
    assert law.b_se == pytest.approx(
        fit_exponential(BLOCKS, y, 7 * weights).b_se, rel=1e-6
    )  # only ratios matter


def test_draws_are_fitted_as_one_by_one():
    rng = np.random.default_rng(2)
    y = paper_row("soft")[:, None] + rng.normal(0, 0.1, (8, 5))
    weights = np.array([1, 1, 1, 50, 1, 1, 1, 20.0])
    many = fit_draws(FORMS["exponential"], BLOCKS, y, weights)
    for draw, column in zip(many.T, y.T, strict=True):
        law = fit_exponential(BLOCKS, column, weights)
        single = predict(law.form, law.values, BLOCKS)
        assert predict(law.form, draw, BLOCKS) == pytest.approx(single, abs=0.05)  # the grid is that fine


@pytest.mark.parametrize("name", [*FORMS, *GRID_FORMS])
def test_draws_are_the_least_squares_of_the_best_rate(name):
    """Against plain least squares at every rate, for more draws than are compared at a time."""
    form, rng = (FORMS | GRID_FORMS)[name], np.random.default_rng(6)
    form = form._replace(rates=form.rates[:: len(form.rates) // 20 + 1])
    x = BLOCKS if name in FORMS else np.stack([np.tile([1.0, 2, 5, 8], 3), np.repeat([4.0, 8, 12], 4)])
    n = x.shape[-1]
    y, weights = 3 + rng.normal(0, 1, (n, 40)) + 6 / x.reshape(-1, n)[0][:, None], rng.uniform(1, 9, n)
    root, best = np.sqrt(weights)[:, None], np.full(40, np.inf)
    for rates in form.rates:
        design = np.stack(form.basis(x, *rates), 1)
        solution = np.linalg.lstsq(root * design, root * y, rcond=None)[0]
        best = np.minimum(best, ((root * (y - design @ solution)) ** 2).sum(0))
    for chunk in (1, 1000, 2**17):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ppglib.scaling.CHUNK", chunk)
            fitted = predict(form, fit_draws(form, x, y, weights), x)
        assert ((root * (y - fitted)) ** 2).sum(0) == pytest.approx(best)


def test_aicc_by_hand():
    y = paper_row("soft")
    law = fit(FORMS["log-linear"], BLOCKS, y)
    slope, level = np.polyfit(np.log(BLOCKS), y, 1)
    rss = ((y - slope * np.log(BLOCKS) - level) ** 2).sum()
    assert law.aicc == pytest.approx(8 * np.log(rss / 8) + 2 * 3 + 2 * 3 * 4 / (8 - 4))


def test_prediction_interval_is_the_textbook_one_for_a_straight_line():
    rng = np.random.default_rng(3)
    u = np.log(BLOCKS)
    y = 9 - 1.5 * u + rng.normal(0, 0.2, 8)
    law = fit(FORMS["log-linear"], BLOCKS, y)
    value, low, high = prediction_interval(law, [12.0])
    s = np.sqrt(((y - predict(law.form, law.values, BLOCKS)) ** 2).sum() / 6)
    leverage = 1 + 1 / 8 + (np.log(12) - u.mean()) ** 2 / ((u - u.mean()) ** 2).sum()
    assert (high - low)[0] / 2 == pytest.approx(2.446912 * s * np.sqrt(leverage), rel=1e-4)  # t(0.975, 6)
    assert (value - low) == pytest.approx(high - value)


def test_prediction_interval_of_a_weighted_line_is_the_textbook_one():
    rng = np.random.default_rng(5)
    u, weights = np.log(BLOCKS), np.array([1, 2, 3, 4, 5, 6, 7, 8.0])
    y = 9 - 1.5 * u + rng.normal(0, 0.2 / np.sqrt(weights))
    law = fit(FORMS["log-linear"], BLOCKS, y, weights)
    _, low, high = prediction_interval(law, [12.0], 12 / weights.mean())
    design, w, new = np.stack([u, np.ones(8)], 1), np.diag(weights), np.array([np.log(12), 1])
    inverse = np.linalg.inv(design.T @ w @ design)
    residual = y - design @ inverse @ design.T @ w @ y
    variance = residual @ w @ residual / 6 * (1 / 12 + new @ inverse @ new)
    assert (high - low)[0] / 2 == pytest.approx(2.446912 * np.sqrt(variance), rel=1e-4)  # t(0.975, 6)


def test_slopes_are_those_of_a_regression_with_a_level_for_each_group():
    rng = np.random.default_rng(4)
    x, groups = rng.uniform(1, 3, 20), np.repeat([1, 2, 3, 4], 5)
    y = 10 * groups - 2 * x + 0.5 * x**2
    assert slope_weights(x, groups, 2) @ y == pytest.approx([-2, 0.5])


def mae_of(rows, draws=3):
    index = pd.MultiIndex.from_tuples(rows, names=["strategy", "student", "teacher"])
    return pd.DataFrame(np.random.default_rng(0).normal(5, 1, (len(rows), 1 + draws)), index=index)


def test_a_student_as_large_as_its_teacher_is_in_no_law():
    rows = [("soft", student, teacher) for student in (1, 2, 3, 4, 6, 8) for teacher in (4, 8)]
    mae = mae_of([*rows, ("scratch", 8, 0), ("scratch", 4, 0)])
    assert laws.curve(mae, "soft", 4)[0].tolist() == [1, 2, 3] and laws.curve(mae, "soft", 8)[0].tolist() == [1, 2, 3, 4, 6]
    assert laws.curve(mae, "scratch", 0)[0].tolist() == [4, 8]
    tried = laws.grid_rivals(mae)
    assert set(tried.n) == {8}


def test_weights_of_laws_are_inverse_variances_of_the_draws_alone():
    y = mae_of([("soft", student, 8) for student in (1, 2, 3)], draws=500).to_numpy()
    y[:, 0] = 100.0
    assert laws.weights(y) == pytest.approx([1 / np.var(row[1:]) for row in y])
    assert laws.weights(y[:, :1]).tolist() == [1, 1, 1]

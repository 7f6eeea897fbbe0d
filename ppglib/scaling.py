"""Scaling laws, MAE against network size: the paper's exponential (Figure 2) and its rivals.

Every law is linear in some parameters (amplitudes, floor) and not in others (rates). The rates are
searched on a grid, where least squares gives the rest exactly; that is vectorized over bootstrap
draws. For one curve, `scipy.optimize.curve_fit` then refines the best grid point and gives errors.
"""

import warnings
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import t as student_t

RATES = np.geomspace(0.01, 20, 300).tolist()  # per block, or per 100,000 parameters
COARSE = RATES[::6]  # for the law with two rates


class Form(NamedTuple):
    """One law: its text, the names of its parameters (linear ones first), its linear basis, its rates."""

    text: str
    names: tuple[str, ...]
    basis: Callable[..., list]  # (x, *rates) -> one (n,) array for each linear parameter
    rates: list[tuple[float, ...]]


ONE_RATE = [(rate,) for rate in RATES]
EXPONENTIAL = Form(
    "a exp(-b x) + c", ("a", "c", "b"), lambda x, b: [np.exp(-b * x), np.ones_like(x)], ONE_RATE
)
FORMS = {
    "exponential": EXPONENTIAL,  # the paper's
    # With the training data fixed, Chinchilla's law E + A/N^alpha + B/D^beta is this one.
    "power": Form("a x^-b + c", ("a", "c", "b"), lambda x, b: [x**-b, np.ones_like(x)], ONE_RATE),
    "log-linear": Form("a log(x) + c", ("a", "c"), lambda x: [np.log(x), np.ones_like(x)], [()]),
}
# Over the whole grid x is (2, n): student and teacher. The teacher takes the place of Chinchilla's data.
GRID_FORMS = {
    "Chinchilla": Form(
        "A S^-b + B T^-g + E",
        ("A", "B", "E", "b", "g"),
        lambda x, b, g: [x[0] ** -b, x[1] ** -g, np.ones_like(x[0])],
        list(product(COARSE, COARSE)),
    ),
    "exponential in the student": EXPONENTIAL._replace(
        text=EXPONENTIAL.text.replace(" x", " S"), basis=lambda x, b: EXPONENTIAL.basis(x[0], b)
    ),
    "log-linear in both": Form(
        "a log(S) + d log(T) + c",
        ("a", "d", "c"),
        lambda x: [np.log(x[0]), np.log(x[1]), np.ones_like(x[0])],
        [()],
    ),
}


class Fit(NamedTuple):
    """A fitted law. `note` is empty when it is one; else it says why not, and the numbers are NaN."""

    form: Form
    values: np.ndarray  # (p,) in the order of form.names
    covariance: np.ndarray  # (p, p)
    n: int
    r2: float  # weighted
    noise: float  # residual standard deviation, BPM, at a point of mean weight
    aicc: float  # NaN where n - p - 2 leaves nothing to correct with
    note: str

    def __getattr__(self, name: str) -> float:
        """The parameters by their names, and their standard errors: law.b, law.b_se."""
        parameter = name.removesuffix("_se")
        if parameter not in self.form.names:
            raise AttributeError(f"this law has no {name}: {self.form.text}")
        i = self.form.names.index(parameter)
        return float(self.values[i] if parameter == name else np.sqrt(self.covariance[i, i]))


def fit_exponential(blocks, mae, weights=None) -> Fit:
    """The paper's law (Figure 2), by least squares over (n,) blocks and (n,) MAE in BPM.

    weights: (n,) inverse variances, only their ratios matter; none = all equal.
    """
    return fit(EXPONENTIAL, blocks, mae, weights)


def fit(form: Form, x, y, weights=None) -> Fit:
    """Weighted least squares of one law; y (n,) BPM, weights (n,) inverse variances.

    x: (n,) blocks or hundreds of thousands of live parameters; (2, n) student and teacher for a grid form.
    A law needs more points than parameters plus one, finite errors and a fit that converges;
    otherwise the result says in its note what is missing.
    """
    x, y, n, p = np.asarray(x, float), np.asarray(y, float), len(y), len(form.names)
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    nothing = Fit(form, np.full(p, np.nan), np.full((p, p), np.nan), n, np.nan, np.nan, np.nan, "")
    if n <= p + 1:
        return nothing._replace(note=f"too few points: {n}, needs {p + 2}")
    if not (np.isfinite(y).all() and np.isfinite(weights).all() and (weights > 0).all()):
        return nothing._replace(note="not fitted: a point or its weight is missing")
    weights = weights / weights.mean()
    start = fit_draws(form, x, y[:, None], weights)[:, 0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)  # the covariance could not be estimated
            values, covariance = curve_fit(
                lambda x, *params: predict(form, params, x),
                x,
                y,
                start,
                weights**-0.5,
                ftol=1e-12,
                xtol=1e-12,
                maxfev=20_000,
            )
    except (RuntimeError, OptimizeWarning) as problem:
        return nothing._replace(note=f"did not converge: {' '.join(str(problem).split())}")
    searched = np.array(form.rates)
    rates = start[p - searched.shape[1] :]
    if not ((searched.min(0) < rates) & (rates < searched.max(0))).all():
        return nothing._replace(note="did not converge: a rate ran to the end of the range searched")
    if not np.isfinite(covariance).all():
        return nothing._replace(note="did not converge: the points do not determine the parameters")
    residual = weights @ (y - predict(form, values, x)) ** 2
    total = weights @ (y - np.average(y, weights=weights)) ** 2
    k = p + 1  # the noise is one more parameter
    with np.errstate(divide="ignore"):
        aicc = n * np.log(residual / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else np.nan
    noise = np.sqrt(residual / (n - p))
    return Fit(form, values, covariance, n, float(1 - residual / total), float(noise), float(aicc), "")


def predict(form: Form, values, x) -> np.ndarray:
    """MAE (n,) of one law, or (n, draws) for values (p, draws)."""
    x, values = np.asarray(x, float), np.asarray(values, float)
    linear, rates = np.split(values, [len(form.names) - len(form.rates[0])])
    if values.ndim == 2:
        x = x[..., None]
    return sum(weight * column for weight, column in zip(linear, form.basis(x, *rates)))


def fit_draws(form: Form, x, y, weights=None) -> np.ndarray:
    """(p, draws) least squares of one law for every column of y (n, draws), on the grid of rates."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    root = np.ones(len(y)) if weights is None else np.sqrt(np.asarray(weights, float))
    designs = [np.stack(form.basis(x, *rates), -1) * root[:, None] for rates in form.rates]
    scaled = y * root[:, None]
    # What least squares explains of y is its length in the space of the design: no solution is needed
    # to compare the rates, only one for each draw with its best.
    best, explained = np.zeros(y.shape[1], int), np.full(y.shape[1], -np.inf)
    for i, design in enumerate(designs):
        u, s, _ = np.linalg.svd(design, full_matrices=False)
        length = ((u[:, s > 1e-15 * s[0]].T @ scaled) ** 2).sum(0)
        better = length > explained
        best[better], explained[better] = i, length[better]
    values = np.full((len(form.names), y.shape[1]), np.nan)
    for i in np.unique(best):
        draws = best == i
        linear = np.linalg.pinv(designs[i]) @ scaled[:, draws]
        values[:, draws] = np.vstack([linear, np.repeat(np.array(form.rates[i])[:, None], draws.sum(), 1)])
    return values


def prediction_interval(law: Fit, x, weights=1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted (n,), low, high in BPM: 95 % for a new point, from the fit's covariance and its noise.

    weights: of the new points, (n,) or one for all, where the mean weight of the fitted points is 1.
    """
    x, value, dof = np.asarray(x, float), predict(law.form, law.values, x), law.n - len(law.values)
    steps = 1e-6 * np.maximum(np.abs(law.values), 1e-3)
    slope = np.stack(
        [(predict(law.form, law.values + s, x) - value) / s.sum() for s in np.diag(steps)], -1
    )  # (n, p)
    half = student_t.ppf(0.975, dof) * np.sqrt(
        np.einsum("ni,ij,nj->n", slope, law.covariance, slope) + law.noise**2 / np.asarray(weights)
    )
    return value, value - half, value + half


def leave_one_out(form: Form, x, y, weights=None, groups=None) -> np.ndarray:
    """(draws,) mean absolute error at each size (or group of points) predicted from all the others.

    y is (n, draws); groups (n,) are left out whole, by default every point alone.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    weights = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    errors = np.empty_like(y)
    for group in np.unique(groups):
        out = groups == group
        values = fit_draws(form, x[..., ~out], y[~out], weights[~out])
        errors[out] = np.abs(predict(form, values, x[..., out]) - y[out])
    return errors.mean(0)


def slope_weights(x, groups, degree: int) -> np.ndarray:
    """(degree, n) weights: weights @ y are the coefficients of x, x^2, ... in y, with a free level a group.

    With students as groups: how MAE moves with the teacher once the student's own size is taken out.
    """
    x, groups = np.asarray(x, float), np.asarray(groups)
    powers = np.stack([x ** (d + 1) for d in range(degree)], -1)
    center = np.array([[(g == h) / (groups == g).sum() for h in groups] for g in groups])
    return np.linalg.lstsq(powers - center @ powers, np.eye(len(x)) - center, rcond=None)[0]

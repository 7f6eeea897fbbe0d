"""Scaling laws, MAE against network size: the paper's exponential (Figure 2) and its rivals.

A law is linear in some parameters (amplitudes, floor), not in others (rates). Rates are searched on a grid,
where least squares gives the rest exactly, for many draws at once; `fit` refines the best point."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are first used

RATES = np.geomspace(0.01, 20, 300)[:, None]  # per block, or per 100,000 parameters
PRECISELY = {"ftol": 1e-12, "xtol": 1e-12, "maxfev": 20_000}
NONE = np.empty((1, 0))  # of a law that is linear in all its parameters
CHUNK = 2**17  # numbers compared at a time, which the cache holds


class Form(NamedTuple):
    """One law: its text, the names of its parameters (linear ones first), its linear basis, its rates."""

    text: str
    names: tuple[str, ...]
    basis: Callable[..., list]  # (x, *rates) -> one array for each linear parameter
    rates: np.ndarray = RATES  # (tried, rates)


FORMS = {
    "exponential": Form("a exp(-b x) + c", ("a", "c", "b"), lambda x, b: [np.exp(-b * x), np.ones_like(x)]),
    # With the training data fixed, Chinchilla's law E + A/N^alpha + B/D^beta is this one.
    "power": Form("a x^-b + c", ("a", "c", "b"), lambda x, b: [x**-b, np.ones_like(x)]),
    "log-linear": Form("a log(x) + c", ("a", "c"), lambda x: [np.log(x), np.ones_like(x)], NONE),
}


class Fit(NamedTuple):
    """A fitted law; or its note says what is missing (points, convergence), and the numbers are NaN."""

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
        parameter, names = name.removesuffix("_se"), self.form.names
        if parameter not in names:
            raise AttributeError(f"this law has no {name}: {self.form.text}")
        i = names.index(parameter)
        return float(self.values[i] if parameter == name else np.sqrt(self.covariance[i, i]))


def fit_exponential(blocks, mae, weights=None) -> Fit:
    """The paper's law (Figure 2), by least squares over (n,) blocks and (n,) MAE in BPM: see `fit`."""
    return fit(FORMS["exponential"], blocks, mae, weights)


def fit(form: Form, x, y, weights=None) -> Fit:
    """Weighted least squares of one law over x, (n,) sizes or (2, n) students and teachers, and y (n,) BPM.

    weights: (n,) inverse variances, of which only the ratios matter."""
    x, y, n, p = np.asarray(x, float), np.asarray(y, float), len(y), len(form.names)
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    nothing = Fit(form, np.full(p, np.nan), np.full((p, p), np.nan), n, np.nan, np.nan, np.nan, "")
    if n <= p + 1:
        return nothing._replace(note=f"too few points: {n}, needs {p + 2}")
    if not (np.isfinite([y, weights]).all() and (weights > 0).all()):
        return nothing._replace(note="not fitted: a point or its weight is missing")
    weights = weights / weights.mean()
    start = fit_draws(form, x, y[:, None], weights)[:, 0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.optimize.OptimizeWarning)  # no covariance could be found
            law = lambda x, *values: predict(form, values, x)  # noqa: E731
            values, covariance = scipy.optimize.curve_fit(law, x, y, start, weights**-0.5, **PRECISELY)
    except (RuntimeError, scipy.optimize.OptimizeWarning) as problem:
        return nothing._replace(note=f"did not converge: {' '.join(str(problem).split())}")
    rates = start[p - form.rates.shape[1] :]
    if not ((form.rates[0] < rates) & (rates < form.rates[-1])).all():
        return nothing._replace(note="did not converge: a rate ran to the end of the range searched")
    if not np.isfinite(covariance).all():
        return nothing._replace(note="did not converge: the points do not determine the parameters")
    residual = weights @ (y - predict(form, values, x)) ** 2
    r2 = 1 - residual / (weights @ (y - np.average(y, weights=weights)) ** 2)
    with np.errstate(divide="ignore"):  # p + 1 parameters, with the noise
        aicc = n * np.log(residual / n) + 2 * (p + 1) * n / (n - p - 2) if n > p + 2 else np.nan
    return Fit(form, values, covariance, n, float(r2), float(np.sqrt(residual / (n - p))), float(aicc), "")


def predict(form: Form, values, x) -> np.ndarray:
    """MAE (n,) of one law, or (n, draws) for values (p, draws)."""
    x = np.asarray(x, float)[..., None] if np.ndim(values) == 2 else np.asarray(x, float)
    linear, rates = np.split(np.asarray(values, float), [len(form.names) - form.rates.shape[1]])
    return sum(weight * column for weight, column in zip(linear, form.basis(x, *rates)))


def fit_draws(form: Form, x, y, weights=None) -> np.ndarray:
    """(p, draws) least squares of one law for every column of y (n, draws), on the grid of rates."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    root = np.ones(len(y)) if weights is None else np.sqrt(np.asarray(weights, float))
    columns = np.broadcast_arrays(np.empty((len(form.rates), 1)), *form.basis(x, *form.rates.T[..., None]))
    designs = np.stack(columns[1:], -1) * root[:, None]
    u, s, _ = np.linalg.svd(designs, full_matrices=False)
    # What least squares explains of y is its length in the space of the design: comparing needs no solution.
    # Of rates that are alike to rounding, as where a curve falls in one step, the largest is taken.
    spaces = np.ascontiguousarray((u * (s > 1e-15 * s[:, :1])[:, None])[::-1].transpose(2, 1, 0))
    scaled, best, step = (y * root[:, None]).T, np.empty(y.shape[1], int), CHUNK // spaces[:, 0].size + 1
    for some in (slice(i, i + step) for i in range(0, len(scaled), step)):
        explained = ((scaled[some] @ spaces) ** 2).sum(0)
        alike = explained >= (1 - 1e-14) * explained.max(1, keepdims=True)
        best[some] = len(u) - 1 - alike.argmax(1)
    used, draws = np.unique(best, return_inverse=True)
    linear = np.linalg.pinv(designs[used])[draws] @ scaled[..., None]
    return np.concatenate([linear[..., 0], form.rates[best]], 1).T

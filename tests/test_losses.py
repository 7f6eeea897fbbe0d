"""Losses against public implementations, their identities, and finite differences."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, rel_entr, softmax
from scipy.stats import energy_distance, pearsonr, wasserstein_distance

from ppglib import losses

SOFT = dict(temperature=4.0)


def random_logits(seed, n=6, bins=180, scale=3.0):
    rng = np.random.default_rng(seed)
    student, teacher = (torch.tensor(scale * rng.standard_normal((n, bins))) for _ in range(2))
    return student, teacher, torch.tensor(rng.integers(0, bins, n))


@pytest.fixture(scope="module")
def reference(shared):
    return np.load(shared("reference/kd_cases.npz"), allow_pickle=False)


@pytest.mark.parametrize("case", ["case3", "case5"])
@pytest.mark.parametrize("name", ["dkd", "tckd", "nckd", "soft", "hard"])
def test_values_and_gradients_equal_public_implementations(reference, case, name):
    s, t, y = (torch.tensor(reference[f"{case}__{key}"]) for key in "sty")
    temperature, alpha, beta = (float(reference[f"{case}__{key}"]) for key in ("T", "alpha", "beta"))
    s.requires_grad_(True)
    loss = {
        "dkd": lambda: losses.dkd(s, t, y, temperature, alpha, beta),
        "tckd": lambda: losses.dkd(s, t, y, temperature, 1, 0),
        "nckd": lambda: losses.dkd(s, t, y, temperature, 0, 1),
        "soft": lambda: losses.soft_kd(s, t, temperature),
        "hard": lambda: losses.hard_kd(s, t),
    }[name]()
    loss.backward()
    np.testing.assert_allclose(loss.item(), reference[f"{case}__{name}__loss"], rtol=1e-10)
    np.testing.assert_allclose(s.grad, reference[f"{case}__{name}__grad_s"], rtol=1e-10, atol=1e-14)


@given(seed=st.integers(0, 10**6), temperature=st.floats(0.5, 10), scale=st.floats(0.01, 20))
@settings(max_examples=50, deadline=None)
def test_kl_is_target_part_plus_weighted_other_part(seed, temperature, scale):
    s, t, y = random_logits(seed, n=1, bins=12, scale=scale)
    p_y = losses.true_probability(t / temperature, y)
    total = losses.dkd(s, t, y, temperature, 1, 0) + (1 - p_y) * losses.dkd(s, t, y, temperature, 0, 1)
    torch.testing.assert_close(total[0], losses.soft_kd(s, t, temperature), rtol=1e-9, atol=1e-10)


def every_loss(s, t, y):
    hr = y + 30.5
    return [
        losses.hard_kd(s, t),
        losses.soft_kd(s, t, 4.0),
        losses.dkd(s, t, y, 4.0, 1.0, 8.0),
        losses.gaussian(s, hr, 2.0),
        losses.window_dkd(s, t, y, 4.0, 1.0, 8.0, 2),
        losses.cdf(s, t),
        losses.wasserstein(s, t),
        losses.dist(s, t),
    ]


def test_equal_logits_cost_nothing():
    s, _, y = random_logits(0)
    assert abs(losses.soft_kd(s, s, 4.0)) < 1e-12
    assert abs(losses.window_dkd(s, s, y, 4.0, 1.0, 8.0, 3)) < 1e-12
    assert losses.cdf(s, s) == losses.wasserstein(s, s) == 0
    even, _, _ = random_logits(0, scale=0.5)  # with bins that nobody predicts it would not be 0, see below
    assert abs(losses.dist(even, even)) < 1e-3


def test_a_shift_of_the_logits_changes_nothing():
    s, t, y = random_logits(1)
    for a, b in zip(every_loss(s, t, y), every_loss(s + 7.0, t - 3.0, y)):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_gradient_rows_sum_to_zero():
    for index in range(8):
        s, t, y = random_logits(2)
        s.requires_grad_(True)
        every_loss(s, t, y)[index].backward()
        assert s.grad.abs().max() > 1e-6
        assert s.grad.sum(1).abs().max() < 1e-12


def test_gradcheck():
    s, t, y = random_logits(3, n=3, bins=180, scale=1.0)
    s.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: losses.soft_kd(x, t, 4.0), s)
    assert torch.autograd.gradcheck(lambda x: losses.dkd(x, t, y, 4.0, 1.0, 8.0), s)
    assert torch.autograd.gradcheck(lambda x: losses.gaussian(x, y + 30.2, 2.0), s)
    assert torch.autograd.gradcheck(lambda x: losses.window_dkd(x, t, y, 4.0, 1.0, 8.0, 3), s)
    assert torch.autograd.gradcheck(lambda x: losses.cdf(x, t), s)
    assert torch.autograd.gradcheck(lambda x: losses.wasserstein(x, t), s)
    assert torch.autograd.gradcheck(lambda x: losses.dist(x, t), s)


@pytest.mark.parametrize("margin", [0.0, 50.0, 100.0, 1000.0])
def test_dkd_is_finite_in_float32_at_any_margin(margin):
    s = torch.zeros(2, 180)
    s[:, 5] = margin
    t = s.flip(1).clone()
    s.requires_grad_(True)
    loss = losses.dkd(s, t, torch.tensor([5, 90]), 1.0, 1.0, 8.0)
    loss = loss + losses.window_dkd(s, t, torch.tensor([5, 90]), 1.0, 1.0, 8.0, 2)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(s.grad).all()


@given(seed=st.integers(0, 10**6), width=st.integers(0, 4), scale=st.floats(0.01, 10))
@settings(max_examples=40, deadline=None)
def test_window_dkd_is_dkd_of_the_merged_bins(seed, width, scale):
    """Written out with probabilities, and the identity KL_target + (1 - p) * KL_others + p * KL_inside."""
    s, t, y = random_logits(seed, n=1, bins=15, scale=scale)
    p, q = softmax(t.numpy()[0] / 4), softmax(s.numpy()[0] / 4)
    inside = np.abs(np.arange(15) - y.item()) <= width
    p_in, q_in = p[inside].sum(), q[inside].sum()
    tckd = rel_entr([p_in, 1 - p_in], [q_in, 1 - q_in]).sum()
    nckd = rel_entr(p[~inside] / (1 - p_in), q[~inside] / (1 - q_in)).sum()
    found = losses.window_dkd(s, t, y, 4.0, 1.0, 8.0, width)
    np.testing.assert_allclose(found, 16 * (tckd + 8 * nckd), rtol=1e-6, atol=1e-10)
    among = rel_entr(p[inside] / p_in, q[inside] / q_in).sum()
    whole = 16 * (tckd + (1 - p_in) * nckd + p_in * among)
    np.testing.assert_allclose(losses.soft_kd(s, t, 4.0), whole, rtol=1e-6, atol=1e-10)
    if width == 0:
        np.testing.assert_allclose(found, losses.dkd(s, t, y, 4.0, 1.0, 8.0), rtol=1e-9, atol=1e-12)


def test_distances_of_cumulative_distributions_are_those_of_scipy():
    s, t, _ = random_logits(7)
    bins = np.arange(180.0)
    pairs = list(zip(softmax(s.numpy(), axis=1), softmax(t.numpy(), axis=1)))
    energy = np.mean([energy_distance(bins, bins, q, p) ** 2 / 2 for q, p in pairs])
    moved = np.mean([wasserstein_distance(bins, bins, q, p) for q, p in pairs])
    np.testing.assert_allclose(losses.cdf(s, t), energy, rtol=1e-9)
    np.testing.assert_allclose(losses.wasserstein(s, t), moved, rtol=1e-9)


def test_the_distances_know_how_far_apart_bins_are():
    logits = torch.full((3, 180), -1e3, dtype=torch.float64)
    logits[range(3), [50, 53, 60]] = 0.0
    for far, bpm in ((1, 3.0), (2, 10.0)):
        assert losses.wasserstein(logits[:1], logits[far : far + 1]) == pytest.approx(bpm)
        assert losses.cdf(logits[:1], logits[far : far + 1]) == pytest.approx(bpm)


def test_dist_is_one_minus_pearsons_r_over_bins_and_over_the_batch():
    s, t, _ = random_logits(8, n=7, scale=0.5)
    q, p = softmax(s.numpy(), axis=1), softmax(t.numpy(), axis=1)
    rows = np.mean([pearsonr(a, b)[0] for a, b in zip(q, p)])
    columns = np.mean([pearsonr(a, b)[0] for a, b in zip(q.T, p.T)])
    np.testing.assert_allclose(losses.dist(s, t), 2 - rows - columns, rtol=1e-3)


def test_dist_leaves_out_bins_that_nobody_predicts():
    s, t, _ = random_logits(9, n=7, scale=0.5)
    nearly = lambda x: torch.cat([x[:, :20], torch.full((7, 160), -40.0, dtype=torch.float64)], 1)  # noqa: E731
    few, many = losses.dist(s[:, :20], t[:, :20]), losses.dist(nearly(s), nearly(t))
    rows = lambda x: 1 - np.mean([pearsonr(a, b)[0] for a, b in zip(*(softmax(y, axis=1) for y in x))])  # noqa: E731
    over_bins = [rows([y.numpy() for y in pair]) for pair in ((s[:, :20], t[:, :20]), (nearly(s), nearly(t)))]
    over_batch = [1 - (loss.item() - bins) for loss, bins in zip((few, many), over_bins)]
    assert over_batch[1] == pytest.approx(20 / 180 * over_batch[0], rel=0.01)


def test_soft_kd_is_the_relative_entropy_of_scipy():
    s, t, _ = random_logits(4)
    p, q = softmax(t.numpy() / 4, axis=1), softmax(s.numpy() / 4, axis=1)
    np.testing.assert_allclose(losses.soft_kd(s, t, 4.0), 16 * rel_entr(p, q).sum(1).mean(), rtol=1e-9)


def test_gaussian_is_a_cross_entropy_to_a_density_around_the_true_rate():
    s, _, y = random_logits(5)
    hr = torch.linspace(40.2, 190.9, len(y))
    centres = np.arange(180) + 30.5
    density = np.exp(-0.5 * ((centres - hr.numpy()[:, None]) / 2.0) ** 2)
    density /= density.sum(1, keepdims=True)
    expected = -(density * log_softmax(s.numpy(), axis=1)).sum(1).mean()
    np.testing.assert_allclose(losses.gaussian(s, hr, 2.0), expected, rtol=1e-6)


def test_losses_compute_in_float32_under_autocast():
    s, t, y = random_logits(6)
    exact = every_loss(s.float(), t.float(), y)
    with torch.autocast("cpu", torch.bfloat16):
        for a, b in zip(every_loss(s.float(), t.float(), y), exact):
            assert a.dtype == torch.float32
            torch.testing.assert_close(a, b)


def test_feature_kd_equals_the_reference(reference):
    fs, ft, w, b = (torch.tensor(reference[f"fit5__{k}"]) for k in ("feat_s", "feat_t", "conv_w", "conv_b"))
    fs.requires_grad_(True)
    loss = losses.feature_kd(fs, ft, lambda x: F.conv2d(x, w, b))
    loss.backward()
    np.testing.assert_allclose(loss.item(), reference["fit5__mse__loss"], rtol=1e-10)
    np.testing.assert_allclose(fs.grad, reference["fit5__mse__grad_feat_s"], rtol=1e-10, atol=1e-14)


def test_feature_kd_matches_time_axes_by_averaging():
    student = torch.arange(8.0).reshape(1, 1, 1, 8)
    teacher = torch.tensor([0.5, 2.5, 4.5, 6.5]).reshape(1, 1, 1, 4)
    assert losses.feature_kd(student, teacher, torch.nn.Identity()) == 0


def test_hard_labels_are_the_teachers():
    s, t, _ = random_logits(9)
    assert (s.argmax(1) != t.argmax(1)).all()
    expected = -np.mean([log_softmax(row)[k] for row, k in zip(s.numpy(), t.numpy().argmax(1))])
    assert losses.hard_kd(s, t).item() == pytest.approx(expected)

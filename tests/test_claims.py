"""A verdict follows the data: it flips where the claim is made false."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from fake_results import OFFSETS, make, truth
from scipy import stats

from ppglib import scaling
from ppglib.bench import costs
from ppglib.files import ROOT, InputError
from ppglib.results import claims, evidence, tables
from ppglib.results.outcome import (
    CANNOT,
    CONTROL,
    GLOSSARY,
    NO,
    RULES,
    TOLERANCE,
    YES,
    effect_text,
    finding,
    significant,
    span,
)  # fmt: skip

PAPER = tables.load_paper(ROOT / "data/paper")
BLOCKS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


pytestmark = pytest.mark.usefixtures("few_draws")


def verdicts(folder, measured=None, recipe="public", **truths):
    results = tables.load(make(folder, seeds={}, **truths))
    return claims.verdicts(evidence.ours(results, recipe, measured=measured), PAPER.claims).set_index("name")


def device(seconds, memory, gpu=True):
    return pd.DataFrame(
        dict(device="a", gpu=gpu, blocks=[1, 12], seconds=[seconds, 1.0], memory_mb=[memory, 1.0])
    )


@pytest.fixture(scope="module")
def true(tmp_path_factory):
    """What the paper says holds, but for teachers too large, saturation (begins earlier) and hard's decay."""
    return verdicts(tmp_path_factory.mktemp("true"), device(0.1, 0.4), law=(3.0, 0.6, 6.0), wobble=0.05)


def test_all_claims_are_judged(true):
    assert list(true.index) == list(PAPER.claims["name"]) == list(claims.CLAIMS)
    assert true.id.tolist() == list(range(1, 20))
    assert set(true.verdict) <= {YES, NO, CONTROL, CANNOT} and (true.why != "").all()


def test_claims_hold_where_they_are_true(true):
    false, missing = (
        ["too_large_teachers_harm", "saturation", "hard_decay"],
        ["dkd_best_elsewhere", "prior_work"],
    )
    others = dict.fromkeys(false, NO) | dict.fromkeys(missing, CANNOT)
    assert true.verdict.to_dict() == dict.fromkeys(claims.CLAIMS, YES) | others


def test_effects_are_the_differences_put_in(true):
    assert true.effect["dkd_beats_feature"] == pytest.approx(OFFSETS["dkd"] - OFFSETS["feature"], abs=0.03)
    assert true.effect["soft_beats_hard"] == pytest.approx(OFFSETS["soft"] - OFFSETS["hard"], abs=0.03)
    bounded = true.dropna(subset="low")
    assert set(true.index) - set(bounded.index) == {"time_saved", "memory_saved", "dkd_best_elsewhere"}
    assert (bounded.low < bounded.effect).all() and (bounded.effect < bounded.high).all()


def test_kinds_and_notebooks_are_in_the_list(true):
    assert set(true.kind) == {"gap", "slope", "law", "cost", "external"}
    assert set(true.kind[true.unit == "BPM per doubling"]) == {"slope"}
    assert all(len(list((ROOT / "notebooks").glob(f"{number}_*.ipynb"))) == 1 for number in true.notebook)


def test_a_claim_needs_a_function_and_some_claims_can_be_judged_alone(true):
    own = evidence.printed(PAPER)
    slopes = claims.verdicts(own, PAPER.claims[PAPER.claims.kind == "slope"])
    assert slopes["name"].tolist() == true.index[true.kind == "slope"].tolist()
    assert claims.verdicts(own, PAPER.claims[:0]).empty
    with pytest.raises(InputError, match="The claims another have no function in ppglib.results.claims.CLAIMS."):
        claims.verdicts(own, PAPER.claims.replace({"name": {"rich_labels": "another"}}))


def quotable(reasons):
    """One or two sentences each, in the words of statistics."""
    for why in reasons:
        assert re.match(r"[A-Z0-9].{15,350}\.$", why) and len(re.findall(r"\.( |$)", why)) <= 2, why
        assert why.count(";") <= 2 and not re.search(r"\b(un)?sure|\btold|foret|barely|\bnan|_", why), why


def test_a_reason_can_be_quoted(true):
    quotable(true.why)
    quotable(claims.verdicts(evidence.printed(PAPER), PAPER.claims).why)


def test_every_verdict_has_rules_and_every_term_one_meaning():
    assert set(dict(RULES)) == {YES, NO, CONTROL, CANNOT} and len(dict(GLOSSARY)) == len(GLOSSARY)
    main = {name for name, row in tables.STRATEGIES.items() if row.group != "beyond"} - {"soft_t1"}
    assert main <= {term.lower() for term, _ in GLOSSARY}
    assert {f"decoded by {name}" for name in tables.DECODERS} <= set(dict(GLOSSARY))
    assert all(f"{TOLERANCE:.0f} points" in rule for _, rule in RULES if "percentage" in rule)


def test_results_are_judged_without_torch():
    """Modules alone: the package's own front door may import what it likes."""
    code = "import sys, types; sys.modules['ppglib'] = package = types.ModuleType('ppglib')\n"
    code += f"package.__path__ = {claims.__file__.rsplit('/', 2)[:1]}\n"
    code += "import ppglib.results.claims, ppglib.results.controls, ppglib.results.across; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# What makes each claim false, and the verdict that must follow.
FALSE = {
    "distillation_helps": (dict(offsets=OFFSETS | {"soft": 0.7}), NO),
    "rich_labels": (dict(offsets=OFFSETS | {"gaussian": -0.6}), CONTROL),
    "size_helps": (dict(law=(-1.0, 0.3, 5.0)), NO),
    "larger_teachers_help": (dict(pull=-0.05), NO),
    "dkd_beats_feature": (dict(offsets=OFFSETS | {"soft8": -0.4}), CONTROL),
    "feature_beats_soft": (dict(offsets=OFFSETS | {"feature": 0.1}), NO),
    "soft_beats_hard": (dict(offsets=OFFSETS | {"hard": -0.1}), NO),
    "exponential_law": (dict(formula=lambda k, s, t: 3 * s**-1.0 + 3 + OFFSETS[k]), NO),
    "predictable": (dict(formula=lambda k, s, t: truth(k, s, t) + 0.8 * (s > 5)), NO),
    "dkd_decay": (
        dict(formula=lambda k, s, t: truth(k, s, t, law=(6.0, 0.3 if k == "dkd" else 0.9, 3.0))),
        NO,
    ),
    "feature_decay": (
        dict(formula=lambda k, s, t: truth(k, s, t, law=(6.0, 0.3 if k == "feature" else 0.9, 3.0))),
        NO,
    ),
    "small_costs_little": (dict(law=(12.0, 0.8, 3.0)), NO),
}


@pytest.mark.parametrize("claim", FALSE)
def test_verdict_flips_where_the_claim_is_false(claim, tmp_path, true):
    world, expected = FALSE[claim]
    assert true.verdict[claim] == YES
    assert verdicts(tmp_path, **world).verdict[claim] == expected


def test_a_wide_forecast_tells_nothing(tmp_path):
    bumpy = lambda k, s, t: truth(k, s, t, law=(2.0, 0.6, 5.0)) + 0.25 * (s in (2, 5))  # noqa: E731
    row = verdicts(tmp_path, formula=bumpy).loc["predictable"]
    assert row.verdict == CANNOT and "wider than the curve" in row.why


def by_hand(**levels):
    """Evidence by hand: {strategy: (MAE of the 1- and 2-block student, sd of their draws)}, teacher 12."""
    rng, rows = np.random.default_rng(0), {}
    for strategy, (maes, sd) in levels.items():
        for size, mae in zip((1, 2), maes):
            rows[strategy, size, 12] = np.r_[mae, mae + sd * rng.normal(size=2000)]
    mae = pd.DataFrame.from_dict(rows, orient="index")
    mae.index = pd.MultiIndex.from_tuples(rows, names=evidence.LEVELS)
    return evidence.Evidence(mae, pd.Series(np.nan, mae.index), device(1, 1), ())


@pytest.mark.parametrize(
    "control, expected, words",
    [
        (([5.0, 5.0], 0.01), CONTROL, "against feature"),
        (([5.1, 5.1], 1.0), YES, "against feature"),  # not distinguishable from either: it explains nothing
        (([5.2, 5.2], 0.01), YES, "against feature"),
        (([4.5, 5.1], 0.01), CONTROL, "against soft8 (significantly worse at 1 block)."),
    ],
)
def test_a_control_explains_only_with_an_effect_of_its_own(control, expected, words):
    own = by_hand(dkd=([5.0, 5.0], 0.01), feature=([5.2, 5.2], 0.01), soft8=control)
    row = claims.always(own, "dkd", "feature", control="soft8")
    assert row.verdict == expected and words in row.why


def test_a_control_without_a_teacher_explains_too(tmp_path):
    """Feature gains nothing on scratch, soft loses: a teacher's features are not what is better."""
    own = OFFSETS["scratch"]
    table = verdicts(
        tmp_path, offsets=OFFSETS | {"feature": own + 0.05, "soft": own + 0.4, "hard": own + 0.7}
    )
    assert (
        table.verdict["feature_beats_soft"] == CONTROL
        and "Its control, scratch," in table.why["feature_beats_soft"]
    )
    assert table.verdict["soft_beats_hard"] == CONTROL  # scratch is better than both


def test_a_gain_on_the_control_that_seeds_may_turn_round_leaves_it_explained():
    own = by_hand(dkd=([5.0, 5.0], 0.01), feature=([5.3, 5.3], 0.01), soft8=([5.1, 5.1], 0.01))
    verdicts = []
    for sd in (0.0, 0.06):  # of each network; of a mean difference of two by two the same
        seeds = own._replace(seed_variance=pd.Series(sd**2, own.mae.index))
        verdicts.append(claims.always(seeds, "dkd", "feature", control="soft8").verdict)
    assert verdicts == [YES, CONTROL]


def test_an_effect_is_printed_with_the_interval_that_decides():
    assert effect_text(0.5, np.nan, np.nan) == effect_text(0.5, np.nan, np.nan, 0.1) == "+0.50"
    assert effect_text(-0.5, -0.6, -0.4) == "-0.50 [-0.60, -0.40]"
    assert effect_text(-0.5, -0.6, -0.4, 0.1) == "-0.50 [-0.72, -0.28]"
    assert effect_text(1.26, 1, 2, form=".1f") == "1.3 [1.0, 2.0]"
    assert finding(-0.5, -0.6, -0.4) == "-0.50 [-0.60, -0.40] BPM, significant"
    assert finding(-0.5, -0.6, -0.4, 0.3, unit="%") == "-0.50 [-1.10, +0.10] %, not significant"
    assert (
        finding(0.5, 0.4, 0.6).endswith(", significantly reversed")
        and finding(1, np.nan, np.nan) == "+1.00 BPM"
    )
    assert finding(-0.5, -0.6, -0.4, side=1).endswith("reversed")
    assert all(finding(x, x - 0.1, x + 0.1, side=0).endswith(", significant") for x in (-0.5, 0.5))
    assert (span([4, 1, 10]), span([12, 12])) == ("1 to 10", "12")


def test_bumpy_curves_leave_their_decay_open(tmp_path):
    bump = lambda k, s: 0.5 * (s in (2, 5, 8)) if k in ("dkd", "hard") else 0  # noqa: E731
    table = verdicts(tmp_path, formula=lambda k, s, t: truth(k, s, t) + bump(k, s))
    assert table.verdict[["dkd_decay", "hard_decay"]].tolist() == [CANNOT, CANNOT]
    assert (
        table.why[["dkd_decay", "hard_decay"]].str.endswith("; this leaves both answers open.").all()
        and table.verdict["feature_decay"] == YES
    )


def test_people_and_seeds_add_up():
    assert significant(-0.1, -0.18, -0.02) == significant(-0.1, -0.18, -0.02, 0.02) == -1
    assert (
        significant(-0.1, -0.18, -0.02, 0.04) == 0
    )  # each alone leaves 0 out: 0.08 and 0.078, together 0.112
    assert (
        significant(0.1, 0.05, 0.15),
        significant(0.1, np.nan, np.nan),
        significant(-1, np.nan, np.nan),
    ) == (1, 1, -1)


def test_a_failure_says_how(tmp_path):
    table = verdicts(tmp_path, offsets=OFFSETS | {"soft": 0.7, "feature": -0.03, "hard": 0.3}, wobble=0.2)
    assert table.how["distillation_helps"] == "reversed" and table.how["dkd_beats_feature"] == ""


@pytest.mark.parametrize(
    "limits, kind, expected",
    [
        ((0.3, 0.1, 0.5), "gap", "reversed"),
        ((-0.3, -0.5, -0.1), "gap", "only in part"),
        ((-0.3, -0.7, 0.1), "gap", "not significant"),
        ((-0.3, -0.5, -0.1, 0.2), "slope", "not significant"),  # seeds could turn it round
        ((0.3, -0.1, 0.7), "law", "too small"),
    ],
)
def test_how_a_claim_failed(limits, kind, expected):
    side = "above 0" if kind == "law" else "below 0"
    assert claims._how(claims.Outcome(NO, "", *limits), kind, side) == expected
    assert claims._how(claims.Outcome(YES, "", *limits), kind, side) == ""


def test_curves_are_compared_over_the_sizes_that_both_have(tmp_path):
    results = tables.load(make(tmp_path, seeds={}, noise=0.0, formula=lambda k, s, t: 3 / s + 3 + OFFSETS[k]))
    own = evidence.ours(results, "public")
    fewer = own._replace(mae=own.mae.drop([("dkd", 1, 12), ("dkd", 2, 12)]))
    alone = own._replace(mae=fewer.mae.drop([("soft", 1, 12), ("soft", 2, 12)]))
    assert claims.decay(fewer, "dkd").effect == pytest.approx(claims.decay(alone, "dkd").effect)


def test_slopes_are_for_a_doubling(tmp_path):
    table = verdicts(tmp_path, formula=lambda k, s, t: 9 - 0.7 * np.log2(s))
    assert table.effect["size_helps"] == pytest.approx(-0.7, abs=0.03)


def test_distillation_explained_by_smooth_labels(tmp_path):
    assert verdicts(tmp_path, offsets=OFFSETS | {"gaussian": -0.1}).verdict["distillation_helps"] == CONTROL


def test_one_pair_that_got_worse_is_enough_against_always(tmp_path):
    worse = lambda k, s, t: truth(k, s, t) + (0.7 if (k, s, t) == ("soft", 3, 8) else 0)  # noqa: E731
    row = verdicts(tmp_path, formula=worse).loc["distillation_helps"]
    assert (
        row.verdict == NO
        and row.high < 0
        and "35 of 36" in row.why
        and "the 3-block student of the 8-block teacher, is +0.2" in row.why
    )


def test_better_everywhere_but_not_significantly_is_not_enough(tmp_path):
    row = verdicts(tmp_path, offsets=OFFSETS | {"feature": -0.03}, wobble=4.0, noise=0.0).loc[
        "feature_beats_soft"
    ]
    assert row.verdict == NO


@pytest.mark.parametrize(
    "law, expected, words",
    [
        ((9.0, 0.6, 6.0), YES, "on 5"),
        ((6.0, 0.1, 2.0), NO, "on 5"),  # still falling at 6
        ((3.0, 0.6, 6.0), NO, "it began at 5 blocks or earlier"),
        ((7.0, 0.6, 6.0), CANNOT, "leaves both answers open"),  # 6 is flat, 5 is at the threshold
    ],
)
def test_saturation_begins_where_the_size_before_still_gains(tmp_path, law, expected, words):
    row = verdicts(tmp_path, law=law).loc["saturation"]
    assert row.verdict == expected and words in row.why


def test_saturation_takes_seeds_into_account(tmp_path):
    own = evidence.ours(tables.load(make(tmp_path, seeds={}, law=(9.0, 0.6, 6.0))), "public")
    seeds = own._replace(seed_variance=own.seed_variance.fillna(0.15**2))
    assert (claims.saturates(own).verdict, claims.saturates(seeds).verdict) == (YES, CANNOT)
    last, six = (own.mae[0]["soft", s, 12] for s in (10, 6))
    expected = 100 * 0.15 * np.hypot(1 / six, last / six**2)
    assert claims.saturates(seeds).seed_sd == pytest.approx(expected)


def test_a_forecast_no_better_than_the_last_student_is_explained_by_it(tmp_path):
    row = verdicts(tmp_path, law=(6.0, 2.0, 3.0)).loc["predictable"]  # flat from 4 blocks on
    assert row.verdict == CONTROL and "the last fitted student, repeated, by" in row.why


def test_saturation_is_not_judged_where_the_interval_holds_both(tmp_path):
    row = verdicts(tmp_path, law=(6.0, 0.35, 2.8), wobble=3.0).loc["saturation"]
    assert row.verdict == CANNOT and row.low < TOLERANCE < row.high and "leaves both answers open" in row.why


def test_only_students_of_several_teachers_have_a_best_one(tmp_path):
    row = verdicts(tmp_path).loc["larger_teachers_help"]
    assert "7 of 7 students" in row.why  # the 10-block student has one teacher


def test_a_teacher_can_be_too_large(tmp_path):
    overfit = lambda k, s, t: truth(k, s, t, pull=0) + (0.02 * (t - 8) ** 2 if t else 0)  # noqa: E731
    row = verdicts(tmp_path, formula=overfit).loc["too_large_teachers_harm"]
    assert row.verdict == YES and row.low > 0


def test_teachers_that_harm_from_the_smallest_on_are_not_too_large(tmp_path):
    harm = lambda k, s, t: truth(k, s, t, pull=0) + (0.3 * np.log2(t) if t else 0)  # noqa: E731
    table = verdicts(tmp_path, formula=harm)
    assert table.verdict[["larger_teachers_help", "too_large_teachers_harm"]].tolist() == [
        NO,
        NO,
    ] and table.how[["larger_teachers_help", "too_large_teachers_harm"]].tolist() == [
        "reversed",
        "only in part",
    ]
    assert (
        table.low["too_large_teachers_harm"] > 0
        and "worse from the smallest on" in table.why["too_large_teachers_harm"]
    )
    assert table.effect["larger_teachers_help"] == pytest.approx(0.3, abs=0.03)  # BPM per doubling


def test_hard_that_saturates_earlier(tmp_path):
    early = lambda k, s, t: truth(k, s, t, law=(6.0, 1.5 if k == "hard" else 0.6, 3.0))  # noqa: E731
    assert verdicts(tmp_path, formula=early).verdict["hard_decay"] == YES


def test_dkd_best_at_other_teachers(tmp_path):
    evidence_of = evidence.printed(PAPER)
    rows = {(k, 2, t): m for t in (8, 12) for k, m in (("dkd", 6.0), ("soft", 7.0), ("hard", 8.0))}
    mae = pd.DataFrame({0: rows}).rename_axis(index=evidence.LEVELS)
    other = evidence_of._replace(mae=mae, seed_variance=pd.Series(np.nan, mae.index))
    assert claims.best_elsewhere(other).verdict == YES
    mae.loc[("soft", 2, 8)] = 5.0
    assert claims.best_elsewhere(other).verdict == NO


@pytest.mark.parametrize("seconds, memory, expected", [(0.1, 0.4, [YES, YES]), (0.3, 0.8, [NO, NO])])
def test_savings_are_measured(seconds, memory, expected):
    own = evidence.printed(PAPER)._replace(compute=device(seconds, memory))
    table = claims.verdicts(own, PAPER.claims).set_index("name")
    assert table.verdict[["time_saved", "memory_saved"]].tolist() == expected
    assert table.effect["time_saved"] == pytest.approx(100 * (1 - seconds))


def test_devices_are_those_with_tables(tmp_path):
    for table in (costs.one_window(tmp_path), costs.one_window(ROOT / "data/results/compute")):
        assert list(table.columns) == evidence.COMPUTE
    assert set(table.blocks) >= {1, 12} and not table.duplicated(["device", "blocks"]).any()


def test_a_gpu_decides_where_there_is_one():
    for cpus in (["A CPU"], ["z CPU"], ["A CPU", "z CPU"]):  # before and after the GPU, "a", by name
        every = [device(0.5, 0.9, gpu=False).assign(device=name) for name in cpus] + [device(0.1, 0.4)]
        own = evidence.printed(PAPER)._replace(compute=pd.concat(every))
        for column, number, effect in (("seconds", 90, 90), ("memory_mb", 60, 60)):
            row = claims.saving(own, column, number)
            assert row.verdict == YES and row.effect == pytest.approx(effect)
            assert all(f"% on {name}" in row.why for name in [*cpus, "a"])
    slow = claims.saving(own._replace(compute=own.compute.assign(seconds=own.compute.seconds**0.5)), "seconds", 90)
    assert slow.verdict == NO and "68.38 % on a and" in slow.why and slow.why.endswith("asks for 85 %.")


def test_the_measured_gpu_decides_both_savings():
    table = costs.one_window(ROOT / "data/results/compute")
    wide = table[table.gpu].pivot(index="device", columns="blocks")
    assert len(wide) == 1 and not table.gpu.all()
    own = evidence.printed(PAPER)._replace(compute=table)
    for column, number in (("seconds", 90), ("memory_mb", 60)):
        percent = 100 * (1 - wide[column][1] / wide[column][12]).iloc[0]
        assert claims.saving(own, column, number).effect == pytest.approx(percent)


def test_prior_work_needs_its_recordings_and_a_number(true):
    assert "WildPPG" in true.why["prior_work"] and true.effect["prior_work"] > 0
    mae = pd.DataFrame(
        [[5.0, 4.8, 5.2]], pd.MultiIndex.from_tuples([("scratch", 8, 0)], names=evidence.LEVELS)
    )
    own = evidence.Evidence(mae, pd.Series(np.nan, mae.index), device(1, 1), ("wildppg",))
    found = [claims.agrees_with_prior_work(own, n).verdict for n in (np.nan, 5.0, 9.0, 1.0)]
    assert found == [CANNOT, YES, NO, NO]  # better than the prior work is not the same either


def test_the_papers_own_tables_do_not_bear_all_it_says():
    own = claims.verdicts(evidence.printed(PAPER), PAPER.claims).set_index("name")
    holds = ["dkd_beats_feature", "soft_beats_hard", "time_saved", "memory_saved"]
    fails = ["exponential_law", "feature_beats_soft", "predictable", "saturation", "hard_decay"]
    missing = ["distillation_helps", "rich_labels", "dkd_best_elsewhere", "small_costs_little", "prior_work"]
    assert (own.verdict[holds] == YES).all()
    # A power law is better; 10 blocks; forecast too high; still falling; slowest.
    assert (own.verdict[fails] == NO).all()
    assert (own.verdict[missing] == CANNOT).all()  # numbers that it does not print
    assert own.effect["time_saved"] == pytest.approx(89.2, abs=0.05) and own.effect[
        "memory_saved"
    ] == pytest.approx(59.7, abs=0.05)


@pytest.mark.parametrize(
    "students, teachers", [((1, 12), (12,)), ((1, 4, 12), (12,)), ((1, 2, 4), (2, 4)), ((12,), (12,))]
)
def test_small_grids_degrade_to_a_reason(tmp_path, students, teachers):
    table = verdicts(tmp_path, students=students, teachers=teachers, grid=len(teachers) > 1)
    assert (table.verdict[table.kind == "law"] == CANNOT).all()
    quotable(table.why)


def test_the_papers_law_stands_for_its_soft_students_of_other_teachers():
    mae, law = evidence.printed(PAPER).mae[0], PAPER.laws.set_index("teacher").loc[8]
    assert mae["soft", 3, 8] == law.a * np.exp(-law.b * 3) + law.c and ("soft", 8, 8) not in mae.index


def test_seeds_say_how_far_an_effect_may_move(tmp_path):
    results = tables.load(make(tmp_path, noise=0.2))
    own = evidence.ours(results, "public")
    variance = own.seed_variance.xs("dkd")
    assert variance[8, 12] == pytest.approx(variance[10, 12] / 3)  # three seeds against one
    sd = [np.sqrt(seeds * variance[size, 12]) for size, seeds in ((1, 3), (2, 1), (4, 3))]
    assert sd[1] == pytest.approx((sd[0] + sd[2]) / 2)  # half way in log(blocks)
    row = claims.always(own, "dkd", "feature")
    # 8 pairs; 3 sizes with three seeds, 5 with one: sd of the mean gap, 2 folds averaged
    expected = np.sqrt(2 * (0.2**2 / 2) * (5 + 3 / 3)) / 8
    assert row.seed_sd == pytest.approx(expected, rel=0.35)


def test_seeds_can_take_away_what_a_teachers_size_does(tmp_path):
    own = evidence.ours(tables.load(make(tmp_path)), "public")
    noisy = own._replace(seed_variance=pd.Series(3.0**2, own.mae.index))
    for claim in (claims.size_helps, claims.larger_teachers_help):
        assert (claim(own).verdict, claim(noisy).verdict) == (YES, NO)
        assert claim(noisy).why.split(" slope is ")[0] == claim(own).why.split(" slope is ")[0]


def test_the_seeds_of_a_slope_are_those_of_a_regression():
    """One student with five teachers: sd of a least-squares slope, sigma / sqrt(Sxx)."""
    teachers, rng = (2, 3, 4, 6, 12), np.random.default_rng(0)
    index = pd.MultiIndex.from_tuples([("soft", 1, t) for t in teachers], names=evidence.LEVELS)
    mae = pd.DataFrame(rng.normal(5, 1, (5, 200)), index=index)
    own = evidence.Evidence(mae, pd.Series(0.3**2, index), device(1, 1), ())
    x = np.log2(teachers)
    row = claims.larger_teachers_help(own)
    assert row.effect == pytest.approx(np.polyfit(x, mae[0], 1)[0])
    assert row.seed_sd == pytest.approx(0.3 / np.sqrt(((x - x.mean()) ** 2).sum()))
    bend, line, _ = np.polyfit(x, mae[0], 2)
    assert claims.too_large_teachers_harm(own).effect == pytest.approx(line + 2 * bend * x[-1])


def test_the_student_that_moves_a_slope_most_is_named(tmp_path):
    harm = lambda k, s, t: truth(k, s, t, pull=0) + (np.log2(t) if t and s == 1 else 0)  # noqa: E731
    for claim in ("larger_teachers_help", "too_large_teachers_harm"):
        why = verdicts(tmp_path / claim, formula=harm).why[claim]
        rest = re.search(r"Without the 1-block student, which moves it most, it is (\S+) \[", why)[1]
        assert float(rest) == pytest.approx(0, abs=0.1)


def test_slopes_are_of_all_seeds(tmp_path):
    """Against a regression with one level a student, on means over seeds."""
    results = tables.load(make(tmp_path, noise=0.3))
    table = tables.figure1(tables.conditions(results), "public")
    table = table[table.student < table.teacher]
    levels = pd.get_dummies(table.student).to_numpy(float)
    x = np.column_stack([np.log2(table.teacher), levels])
    expected = np.linalg.lstsq(x, table.mae, rcond=None)[0][0]
    assert claims.larger_teachers_help(evidence.ours(results, "public")).effect == pytest.approx(expected)


def test_an_interval_that_ends_at_0_does_not_exclude_it():
    assert significant(-1.0, -2.0, 0.0) == significant(1.0, 0.0, 2.0) == 0
    assert significant(-1.0, -2.0, -1e-9) == -1 and significant(1.0, 1e-9, 2.0) == 1


@pytest.mark.parametrize(("block", "verdict"), [(4, NO), (5, YES)])
def test_small_students_have_up_to_4_blocks(tmp_path, block, verdict):
    def formula(strategy, student, teacher):
        return truth(strategy, student, teacher) + (1.5 if (strategy, student) == ("dkd", block) else 0)

    assert verdicts(tmp_path, formula=formula).verdict["rich_labels"] == verdict


def by_rows(rows, draws=None):
    """Evidence by hand: {(strategy, student, teacher): MAE}, draws (rows, n) around it or alike."""
    index = pd.MultiIndex.from_tuples(rows, names=evidence.LEVELS)
    observed = np.array([*rows.values()], float)[:, None]
    draws = observed + np.random.default_rng(0).normal(0, 0.01, (len(rows), 200)) if draws is None else draws
    mae = pd.DataFrame(np.hstack([observed, draws]), index)
    return evidence.Evidence(mae, pd.Series(np.nan, index), device(1, 1), ())


def test_the_best_elsewhere_is_judged_below_the_largest_teacher_and_at_smaller_students():
    own = {("dkd", 2, 8): 6.0, ("soft", 2, 8): 7.0, ("hard", 2, 8): 9.0}
    others = {("dkd", 2, 12): 9.0, ("soft", 2, 12): 5.0, ("dkd", 8, 8): 9.0, ("soft", 8, 8): 5.0}
    outcome = claims.best_elsewhere(by_rows(own | others))
    assert outcome.verdict == YES and outcome.effect == pytest.approx(-1)


@pytest.mark.parametrize("claim", ["dkd_beats_feature", "feature_beats_soft", "soft_beats_hard"])
def test_strategies_are_compared_at_the_largest_teacher_alone(claim):
    order = enumerate(("dkd", "feature", "soft", "hard"))
    rows = {(name, 1, teacher): 5.0 + (k if teacher == 12 else -k) for k, name in order for teacher in (8, 12)}
    assert claims.CLAIMS[claim](by_rows(rows), 0).effect == pytest.approx(-1)


def test_a_control_is_compared_where_the_teacher_is_the_largest():
    rows = {("soft", 1, 12): 5.0, ("soft", 1, 8): 5.95, ("scratch", 1, 0): 6.0, ("gaussian", 1, 0): 5.45}
    row = claims.always(by_rows(rows), "soft", "scratch", control="gaussian")
    assert row.verdict == YES and "soft is -0.45" in row.why


def test_what_the_smallest_network_costs_is_in_per_cent_of_the_largest():
    own = by_rows({("dkd", 1, 12): 6.0, ("scratch", 12, 0): 4.0})
    found = [claims.costs_little(own, number) for number in (51.0, 46.0, 44.0)]
    assert [one.verdict for one in found] == [YES, YES, NO] and found[0].effect == pytest.approx(50)


def test_a_student_as_large_as_its_teacher_says_nothing_of_size():
    rows = {("scratch", 1, 0): 6.0, ("scratch", 2, 0): 5.0, ("scratch", 4, 0): 4.0}
    rows |= {("soft", 1, 4): 5.5, ("soft", 2, 4): 4.5, ("soft", 4, 4): 50.0}
    assert claims.size_helps(by_rows(rows)).effect == pytest.approx(-1)


def test_a_teacher_is_too_large_only_where_smaller_ones_surely_got_better():
    """A parabola through three teachers: it surely rises at the largest, and may fall or rise at the smallest."""
    x, rng = np.log2([2, 4, 8]) - 1, np.random.default_rng(0)
    for spread, verdict in ((0.01, YES), (0.2, NO)):
        falls = -0.05 + rng.normal(0, spread, 500)
        curves = 5 + 0.5 * x[:, None] ** 2 + x[:, None] * np.r_[-0.05, falls]
        own = by_rows({("soft", 1, t): mae for t, mae in zip((2, 4, 8), curves[:, 0])}, curves[:, 1:])
        assert claims.too_large_teachers_harm(own).verdict == verdict


def test_a_difference_of_decays_has_the_interval_of_two_independent_fits():
    rng, blocks = np.random.default_rng(1), (1, 2, 3, 4, 5, 6, 8, 10)
    rows = {(k, s, 12): 3 + 6 * np.exp(-b * s) + rng.normal(0, 0.05) for k, b in (("dkd", 0.7), ("soft", 0.6)) for s in blocks}
    own = by_rows(rows, np.zeros((16, 0)))
    fits = [scaling.fit_exponential(blocks, [rows[k, s, 12] for s in blocks]) for k in ("dkd", "soft")]
    gap, error = fits[0].b - fits[1].b, np.sqrt(fits[0].b_se ** 2 + fits[1].b_se ** 2)
    row = claims.decay(own, "dkd")
    assert (row.effect, row.low, row.high) == pytest.approx((gap, *stats.t.interval(0.95, 8 - 3, gap, error)))


def test_the_largest_teacher_is_no_student():
    assert evidence.top(by_rows({("scratch", 12, 0): 4.0, ("soft", 10, 8): 5.0, ("soft", 1, 4): 6.0}).mae) == 8


def test_a_gain_that_may_be_chance_is_not_reproduced():
    rows = {("dkd", 1, 12): 5.0, ("feature", 1, 12): 5.1}
    outcome = claims.always(by_rows(rows, 5 + np.random.default_rng(0).normal(0, 1, (2, 500))), "dkd", "feature")
    assert outcome.verdict == NO and "not significant" in outcome.why

#!/usr/bin/env python3
"""Writes reference.json: what scipy and statsmodels say where `ripcord::experiment` has to say the same.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    /tmp/venv/bin/python reference.py > reference.json
"""

import json
import math
import sys

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    power_proportions_2indep,
    proportion_confint,
    proportion_effectsize,
)

random = np.random.default_rng(20260302)
ALTERNATIVES = {"two-sided": "two-sided", "less": "less", "greater": "greater"}


def finite(value):
    value = float(value)
    return value if math.isfinite(value) else None


def distributions():
    for z in (0.0, 0.3, 1.96, -2.5, 6.0, 12.0, 30.0):
        yield {"of": "normal_above", "args": [z], "value": stats.norm.sf(z)}
    for p in (1e-12, 1e-6, 0.0005, 0.025, 0.3, 0.5, 0.8, 0.999):
        yield {"of": "normal_value", "args": [p], "value": stats.norm.isf(p)}
    for df in (1, 2, 3.7, 10, 99.5, 999, 1001, 12345.6, 2e6, 1e9):
        for t in (0.0, 0.01, 0.7, 1.98, 5.0, 15.0, -1.2):
            yield {"of": "student_above", "args": [t, df], "value": stats.t.sf(t, df)}
        for p in (0.0005, 0.025, 0.4, 0.8):
            yield {"of": "student_value", "args": [p, df], "value": stats.t.isf(p, df)}
    for df in (1, 2, 5, 30, 200):
        for x in (0.0, 0.02, 1.0, 3.84, 25.0, 180.0):
            yield {"of": "chi_squared_above", "args": [x, df], "value": stats.chi2.sf(x, df)}
        for p in (1e-6, 0.05, 0.5):
            yield {"of": "chi_squared_value", "args": [p, df], "value": stats.chi2.isf(p, df)}
        for nc in (0.1, 7.85, 60.0):
            x = stats.chi2.isf(0.05, df)
            yield {
                "of": "noncentral_chi_squared_above",
                "args": [x, df, nc],
                "value": stats.ncx2.sf(x, df, nc),
            }


def tables():
    fixed = [
        [[10, 20], [30, 40]], [[0, 10], [10, 0]], [[1, 9], [11, 3]], [[3, 1], [1, 3]], [[0, 5], [0, 7]],
        [[0, 12], [3, 9]], [[8, 2], [1, 5]], [[100, 900], [130, 870]], [[4000, 96000], [4200, 95800]],
        [[5, 5], [5, 5]], [[1, 999999], [9, 999991]], [[120000, 880000], [121500, 878500]], [[1, 1], [1, 1]],
        [[2, 3, 5], [7, 1, 4]], [[10, 0, 4, 6], [8, 0, 9, 1]], [[12, 5], [7, 7], [3, 9]],
        [[30, 30, 30], [30, 30, 30], [30, 30, 30]], [[5, 0], [3, 0]], [[0, 0], [3, 4]],
        [[210, 140, 60, 11, 3], [190, 160, 55, 20, 1]],
    ]
    drawn = [random.integers(0, hi, size=shape).tolist()
             for hi in (4, 12, 60, 5000) for shape in ((2, 2), (2, 2), (2, 4), (3, 3), (5, 2))]
    for table in fixed + drawn:
        array = np.array(table)
        array = array[array.sum(axis=1) > 0][:, array.sum(axis=0) > 0]
        case = {"table": table, "pearson": None, "yates": None}
        if array.shape[0] > 1 and array.shape[1] > 1:
            for name, correction in (("pearson", False), ("yates", True)):
                r = stats.chi2_contingency(array, correction=correction)
                case[name] = {"statistic": r.statistic, "degrees": r.dof, "p": r.pvalue}
            case["expected_min"] = stats.contingency.expected_freq(array).min()
            case["cramers_v"] = stats.contingency.association(array, method="cramer")
        if np.array(table).shape == (2, 2):
            case["fisher"] = {
                name: stats.fisher_exact(table, alternative=name).pvalue for name in ALTERNATIVES
            }
        yield case


def proportions():
    pairs = [
        (0, 10, 0, 10), (0, 10, 3, 12), (10, 10, 7, 12), (10, 10, 12, 12), (1, 2, 1, 3), (56, 70, 48, 80),
        (9, 10, 3, 10), (400, 10000, 450, 10000), (400, 10000, 110, 2500), (1, 1000000, 5, 1000000),
        (123456, 1000000, 124999, 1000000), (1, 1, 0, 1), (999, 1000, 1000, 1000),
    ]
    for x1, n1, x2, n2 in pairs:
        case = {"control": [x1, n1], "treatment": [x2, n2]}
        case["h"] = float(proportion_effectsize(x2 / n2, x1 / n1))
        for alpha in (0.05, 0.01):
            low, high = confint_proportions_2indep(
                x2, n2, x1, n1, method="newcomb", compare="diff", alpha=alpha, correction=False
            )
            wl, wh = proportion_confint(x1, n1, alpha=alpha, method="wilson")
            entry = {"alpha": alpha, "newcombe": [low, high], "wilson": [wl, wh]}
            if min(x1, x2) > 0:
                # Scipy's ratio of risks, with D. Katz's interval.
                ratio = stats.contingency.relative_risk(x2, n2, x1, n1)
                ci = ratio.confidence_interval(1 - alpha)
                entry["lift"] = [ratio.relative_risk - 1, ci.low - 1, ci.high - 1]
            case.setdefault("levels", []).append(entry)
        yield case


def samples():
    yield [1.0, 2.0, 3.0], [2.0, 4.0, 9.0]
    yield [1.0, 2.0], [3.0, 4.0]
    yield [5.0, 5.0, 5.0], [5.0, 6.0, 7.0]
    yield [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]
    yield [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]
    yield [1e9 + 1, 1e9 + 2, 1e9 + 4], [1e9 + 3, 1e9 + 3, 1e9 + 8]
    yield [1e-9, 2e-9, 5e-9, 6e-9], [3e-9, 8e-9, 9e-9]
    yield [1.0, 4.0, 2.0, 8.0], [1.0, 4.0, 2.0, 8.0]
    yield list(range(8)), [x + 0.5 for x in range(-3, 9)]
    yield list(range(9)), [x + 0.5 for x in range(-3, 9)]
    yield [3.0], [1.0, 2.0, 4.0, 5.0, 6.0]
    yield [3.0], [7.0]
    yield [0.5], [float(x) for x in range(1, 60)]
    yield [100.0, 101.0, 102.0, 103.0], [float(x) for x in range(30)]
    for n1, n2, shift, spread in (
        (5, 7, 0.0, 1.0), (8, 8, 1.0, 1.0), (8, 40, 0.5, 3.0), (30, 25, 0.3, 1.0), (50, 50, 0.0, 1.0), (200, 20, -0.4, 5.0),
    ):
        yield random.normal(10, 1, n1).round(6).tolist(), random.normal(10 + shift, spread, n2).round(6).tolist()
    # Ties, as counts and amounts have them, and many zeros.
    yield random.poisson(2, 60).tolist(), random.poisson(2.6, 45).tolist()
    yield random.poisson(0.2, 300).tolist(), random.poisson(0.3, 150).tolist()
    yield random.lognormal(3, 1, 120).round(2).tolist(), random.lognormal(3.2, 1, 140).round(2).tolist()
    yield random.integers(0, 5, 6).tolist(), random.integers(0, 5, 7).tolist()


def hodges_lehmann(x, y, alpha):
    """The definition itself, on all pairs; the exact distribution from scipy's own permutations where it is small."""
    differences = np.sort(np.subtract.outer(y, x).ravel())
    n1, n2 = len(x), len(y)
    pairs = n1 * n2
    if min(n1, n2) <= 8:
        chances = mann_whitney_chances(n1, n2)
        k = int(np.searchsorted(np.cumsum(chances), alpha / 2, side="right"))
    else:
        k = math.floor(pairs / 2 - stats.norm.isf(alpha / 2) * math.sqrt(pairs * (n1 + n2 + 1) / 12) + 0.5)
    interval = None if k <= 0 else [differences[k - 1], differences[pairs - k]]
    return {"estimate": float(np.median(differences)), "interval": interval}


def mann_whitney_chances(n1, n2):
    """Scipy's own: the chance of each U up to the middle."""
    from scipy.stats._mannwhitneyu import _MWU

    return _MWU(n1, n2).build_u_freqs_array(n1 * n2 // 2)


def numbers():
    for x, y in samples():
        case = {"control": x, "treatment": y, "welch": None}
        a, b = np.array(x, float), np.array(y, float)
        if min(len(x), len(y)) > 1 and (a.std() > 0 or b.std() > 0):
            r = stats.ttest_ind(b, a, equal_var=False)
            ci = r.confidence_interval(0.95)
            case["welch"] = {
                "t": r.statistic, "degrees": r.df, "interval": [ci.low, ci.high],
                "p": {
                    name: stats.ttest_ind(b, a, equal_var=False, alternative=name).pvalue
                    for name in ALTERNATIVES
                },
            }
            n = len(x) + len(y) - 2
            pooled = math.sqrt((a.var(ddof=1) * (len(x) - 1) + b.var(ddof=1) * (len(y) - 1)) / n)
            d = (b.mean() - a.mean()) / pooled
            case["d"], case["g"] = d, d * (1 - 3 / (4 * (len(x) + len(y)) - 9))
        case["rank"] = {
            "u": stats.mannwhitneyu(b, a).statistic,
            "p": {name: stats.mannwhitneyu(b, a, alternative=name, method="auto").pvalue for name in ALTERNATIVES},
        }
        case["shift"] = {str(alpha): hodges_lehmann(a, b, alpha) for alpha in (0.05, 0.2)}
        yield case


def splits():
    for counts, shares in (
        ([5000, 5000], [50, 50]), ([5000, 5200], [1, 1]), ([8000, 2000], [80, 20]), ([8000, 2150], [80, 20]),
        ([0, 10], [50, 50]), ([1, 0], [50, 50]), ([3333, 3301, 3404], [1, 1, 1]), ([500000, 502500], [0.5, 0.5]),
        ([500000, 503500], [0.5, 0.5]), ([10, 10, 10, 70], [10, 10, 10, 70]),
    ):
        expected = np.array(shares) / sum(shares) * sum(counts)
        r = stats.chisquare(counts, expected)
        yield {"counts": counts, "shares": shares, "statistic": r.statistic, "p": r.pvalue}


def corrections():
    for chances in (
        [0.01], [0.04, 0.03], [0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.5], [0.0, 1.0, 0.2], [1.0, 1.0],
        random.uniform(0, 1, 12).tolist(), (random.uniform(0, 1, 20) ** 4).tolist(),
    ):
        yield {
            "chances": chances,
            "holm": multipletests(chances, method="holm")[1].tolist(),
            "benjamini_hochberg": multipletests(chances, method="fdr_bh")[1].tolist(),
        }


def powers():
    for p1, p2, n1, ratio, alpha in (
        (0.04, 0.045, 25000, 1.0, 0.05), (0.04, 0.044, 39473, 1.0, 0.05), (0.5, 0.6, 100, 1.0, 0.05),
        (0.001, 0.002, 20000, 0.25, 0.05), (0.3, 0.2, 400, 0.5, 0.01), (0.9, 0.95, 300, 1.0, 0.025),
    ):
        r = power_proportions_2indep(p2 - p1, p1, n1, ratio=ratio, alpha=alpha, return_results=False)
        # Their first sample is the one that differs: our treatment.
        yield {"aim": {"share": [p1, p2]}, "sizes": [n1 * ratio, n1], "alpha": alpha, "power": float(r)}
    for d, n1, ratio, alpha in (
        (0.5, 64, 1.0, 0.05), (0.2, 394, 1.0, 0.05), (1.0, 5, 1.0, 0.05), (2.0, 3, 1.0, 0.05), (0.1, 2000, 0.25, 0.05),
        (0.05, 12000, 1.0, 0.01), (0.0, 50, 1.0, 0.05), (3.0, 2, 1.0, 0.05), (0.02, 500000, 1.0, 0.005),
    ):
        r = TTestIndPower().power(d, n1, alpha, ratio=ratio, alternative="two-sided")
        yield {"aim": {"mean": [d, 1.0]}, "sizes": [n1, n1 * ratio], "alpha": alpha, "power": float(r)}


def needed():
    for p1, p2, alpha, power in ((0.04, 0.045, 0.05, 0.8), (0.1, 0.12, 0.05, 0.9), (0.5, 0.49, 0.01, 0.8)):
        n = 2
        step = 1 << 24
        while step:
            value = power_proportions_2indep(p2 - p1, p1, n + step, alpha=alpha, return_results=False)
            if value < power:
                n += step
            step //= 2
        yield {"aim": {"share": [p1, p2]}, "alpha": alpha, "power": power, "per_arm": n + 1}
    for d, alpha, power in ((0.5, 0.05, 0.8), (0.2, 0.05, 0.8), (0.05, 0.01, 0.9), (1.2, 0.05, 0.8)):
        n = TTestIndPower().solve_power(d, alpha=alpha, power=power)
        yield {"aim": {"mean": [d, 1.0]}, "alpha": alpha, "power": power, "per_arm": math.ceil(n)}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, np.integer):
        return int(value)
    return finite(value)


everything = {
    "distributions": list(distributions()),
    "tables": list(tables()),
    "proportions": list(proportions()),
    "numbers": list(numbers()),
    "splits": list(splits()),
    "corrections": list(corrections()),
    "powers": list(powers()),
    "needed": list(needed()),
}
sys.stdout.write("{\n")
for index, (key, cases) in enumerate(everything.items()):
    sys.stdout.write(f'"{key}": [\n')
    sys.stdout.write(",\n".join(json.dumps(plain(case)) for case in cases))
    sys.stdout.write("\n]" + ("," if index + 1 < len(everything) else "") + "\n")
sys.stdout.write("}\n")

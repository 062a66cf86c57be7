"""How sure an error rate is: the exact upper bound of Clopper and Pearson, one-sided.

Source: C. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the
case of the binomial", Biometrika 26 (1934). With k errors in n trials the bound is the rate p at
which seeing k or fewer has the probability 1 - confidence. Used by report.py.
"""

from math import exp, lgamma, log, log1p


def upper_bound(errors: int, trials: int, confidence: float = 0.95) -> float:
    """The rate that the true one doesn't exceed, with this confidence; 1.0 without any trial.

    Raises ValueError unless 0 <= errors <= trials and 0 < confidence < 1.
    """
    if not 0 <= errors <= trials or not 0.0 < confidence < 1.0:
        raise ValueError(f"no {errors} errors in {trials} trials at confidence {confidence}")
    if errors == trials:
        return 1.0
    low, high = errors / trials, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if _at_most(errors, trials, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(errors: int, trials: int, rate: float) -> float:
    """P(X <= errors) for X ~ Binomial(trials, rate), 0 < errors < trials, summed downwards.

    The terms shrink from the first on as long as errors <= trials x rate, which holds here.
    """
    if rate >= 1.0:
        return 0.0
    if rate <= 0.0:
        return 1.0
    first = (
        lgamma(trials + 1)
        - lgamma(errors + 1)
        - lgamma(trials - errors + 1)
        + errors * log(rate)
        + (trials - errors) * log1p(-rate)
    )
    ratio = (1.0 - rate) / rate
    share, total = 1.0, 1.0
    for count in range(errors, 0, -1):
        share *= ratio * count / (trials - count + 1)
        total += share
        if share < total * 1e-17:
            break
    return exp(first) * total

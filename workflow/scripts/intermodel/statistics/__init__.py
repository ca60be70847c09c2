"""Uncertainty for every analysis: intervals, jackknife, nulls, permutation tests, false discovery rate."""

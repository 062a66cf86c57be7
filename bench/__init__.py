"""Benchmarks: each module has a run() that gives its figures, as ratios where it can."""

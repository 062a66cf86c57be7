"""Tests of the flow's steps over simulated sites, and of each step by itself."""

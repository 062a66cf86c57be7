"""Tests of the running gateway's parts."""

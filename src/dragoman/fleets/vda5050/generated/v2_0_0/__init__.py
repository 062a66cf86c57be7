"""Strict outbound models of VDA 5050 2.0.0, written by tools/generate_vda5050.py."""

"""Strict outbound models of VDA 5050 2.1.0, written by tools/generate_vda5050.py."""

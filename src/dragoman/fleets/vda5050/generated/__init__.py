"""Strict outbound models, generated from the mended official schemas; outbound.py uses them."""

"""Engines answer generation requests; every engine stands behind the same door."""

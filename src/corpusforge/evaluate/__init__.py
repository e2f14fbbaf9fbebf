"""Evaluate turns the held-out side into sealed benchmark files."""

"""Finds personal data and secrets in records and puts typed, numbered placeholders in their place."""

"""Checks that a generated row is true to its source: each rule names what it refuses, in rising cost."""

"""Curate makes fewer, cleaner records, one file per stage."""

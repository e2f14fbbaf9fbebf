"""Ingest turns raw bytes into records, one file per format."""

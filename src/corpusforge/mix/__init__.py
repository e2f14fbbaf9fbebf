"""Mix turns shares into an exact choice of records and writes the training files."""

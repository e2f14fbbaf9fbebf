"""Trains a model on a build of corpusforge: it knows the build's files alone and keeps a ledger of what it used."""

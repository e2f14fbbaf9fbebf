"""How the shipped tagger is made: sentences, values, open data and one command."""

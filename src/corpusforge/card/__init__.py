"""Card turns a manifest into what a person reviews and signs."""

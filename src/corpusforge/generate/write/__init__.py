"""Tasks whose rows a model writes: chunks, prompts, strict parsing, quotes that must be found, and checks while hot."""

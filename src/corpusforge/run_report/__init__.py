"""What a training run did, as one report: its files in, figures, charts and pages out."""

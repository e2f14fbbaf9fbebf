"""Generate writes synthetic records whose every row is tied to evidence."""

"""The room that turns a manifest into something for eyes: data card, approval, differences."""

"""The leak audit: plants invented personal data, runs the real pipeline over it, and looks for it everywhere."""

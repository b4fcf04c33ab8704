"""The base of all errors that this package raises for its user to read."""


class LstmPredictorError(Exception):
    """Something that the user can put right; its text is one line that says what."""

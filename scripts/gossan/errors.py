"""The one exception that a user is meant to read."""


class InputError(Exception):
    """Wrong input: one line that names the file or key and says what to do."""

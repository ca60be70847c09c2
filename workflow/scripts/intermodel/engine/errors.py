"""The one exception that is written for the person who reads it."""


class UserError(ValueError):
    """Something the user can put right, told in one sentence.

    The message names the file or the key, what was found there, what was expected and what to do. Jobs print it
    without a traceback (see `intermodel.engine.job`).
    """

"""The one exception that means: the input is wrong, not the program."""


class InputError(ValueError):
    """One sentence for the user: what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.
    """

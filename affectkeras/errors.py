"""The one error that is shown to a person as a plain sentence."""


class UserError(ValueError):
    """Something the person at the keyboard can mend.

    The message names the file or argument, what was expected, what was found and the mend. Commands
    print it without a traceback and end with exit status 2; every other exception is a defect of
    ours and keeps its traceback.
    """

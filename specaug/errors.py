"""The one kind of error that is the user's to mend."""


class UserError(ValueError):
    """A mistake in what the user gave: the message says where, what, and what was expected.

    The command line prints the message as one line and leaves with status 2.
    """

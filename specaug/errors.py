"""The kinds of error that are the user's to mend."""


class UserError(ValueError):
    """A mistake in what the user gave: the message says where, what, and what was expected.

    The command line prints the message as one line and leaves with status 2.
    """


class Diverged(UserError):  # noqa: N818 (a state of training)
    """Training came to a loss that is not finite: the run has failed, and the command leaves with status 1."""

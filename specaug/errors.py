"""The kinds of error that are the user's to mend, and how what is missing is installed."""


class UserError(ValueError):
    """A mistake in what the user gave: the message says where, what, and what was expected.

    The command line prints the message as one line and leaves with status 2.
    """


class Diverged(UserError):  # noqa: N818 (a state of training)
    """Training came to a loss that is not finite: the run has failed, and the command leaves with status 1."""


def installing(extra: str) -> str:
    """The command that installs an extra of this package, which lies in no registry."""
    return f"pip install -e '.[{extra}]' in the checkout"

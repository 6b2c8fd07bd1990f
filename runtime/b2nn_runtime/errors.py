"""The one kind of error that this package raises on purpose."""


class RuntimeFault(Exception):
    """Says in one line what was expected, what came, and what to do."""

"""The errors that are meant for users: one root class and a handful of kinds.

The text of each error states the expected input, the input that came, the choices, and the remedy. Commands print it
as one line and exit with status 1; a traceback is shown only with ``--debug``.
"""


class B2nnError(Exception):
    """The root of all errors meant for users."""


class InputError(B2nnError):
    """A file, a model, an option or an array is not what was expected."""


class UnsupportedError(B2nnError):
    """The input is well-formed, but this version cannot handle a part of it; the text names the part."""


class BudgetError(B2nnError):
    """No choice of layers meets the budget; the text gives the best possible value and the binding layers."""


class TargetError(B2nnError):
    """An unknown target, or a target that this machine cannot build for or run."""


class ToolchainError(B2nnError):
    """A linker or compiler for the target is missing or failed; the text names the remedies."""


class DeviceError(B2nnError):
    """A device is not there, disappeared, or cannot run the library."""


class DeviceLost(DeviceError):
    """A device disappeared or did not answer in time; another device of its kind, or a later try, may work."""


class VerificationError(B2nnError):
    """A compiled library disagrees with its reference."""


class ProgramFault(B2nnError):
    """This program failed on an input that it should take or refuse; the text says where, ``__cause__`` is what was
    raised there.
    """

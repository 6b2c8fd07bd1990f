"""What a user's own code raises while this program calls it becomes an error for users that names their line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.program_fault import faults_of, is_for_users
from b2nn_tvm.provenance.user_code import place_of, told


@contextmanager
def own_faults(doing: str) -> Iterator[None]:
    """Turn all that is raised inside while ``doing`` something into errors for users: what the user's own code raises
    into InputError, which has its file and line, all else as ``faults_of`` does. Usable as a decorator, too.
    """
    with faults_of(doing):
        try:
            yield
        except Exception as error:
            if is_for_users(error) or not place_of(error):
                raise
            raise InputError(f"{doing} failed in your code: {told(error)}") from error

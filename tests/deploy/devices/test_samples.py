"""What is asked of a device and the times that come back."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize("options", [{"runs": 0}, {"warmup": -1}, {"min_seconds": 0}])
def test_senseless_options_are_refused(artifact, options):
    with pytest.raises(InputError, match="expected"):
        measure(artifact, **options)

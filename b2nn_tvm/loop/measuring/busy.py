"""Whether the machine was busy while networks were measured."""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.loop.measuring.network_time import NetworkTime

BUSY = 0.1  # above this spread a note asks whether the device was busy


def busy_words(times: Sequence[NetworkTime]) -> str | None:
    """A sentence on the spreads of the observed times, where one of them is above BUSY; None where all are small."""
    spreads = [time.spread for time in times]
    if not spreads or max(spreads) <= BUSY:
        return None
    quiet, bursts = sum(time.quiet for time in times), sum(time.bursts for time in times)
    share = f", and {quiet / bursts:.0%} of the bursts were undisturbed" if bursts else ""
    return (
        f"the observed times of {len(spreads)} networks vary by {min(spreads):.0%} to {max(spreads):.0%} between the"
        f" 10th and the 90th percentile{share}: something else runs on the device, or its clock changes; the"
        " undisturbed times come from the other bursts, and observed ones (12ms@p90) are those of a busy machine"
    )

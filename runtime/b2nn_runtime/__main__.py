"""``python -m b2nn_runtime FOLDER PHOTO ...``: the best classes of photos."""

from __future__ import annotations

import sys

from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.network import load


def main(words: list[str]) -> int:
    """Print a line for each photo; return the exit status."""
    if len(words) < 2:
        print("usage: python -m b2nn_runtime FOLDER PHOTO ...", file=sys.stderr)
        return 2
    try:
        with load(words[0]) as net:
            for path in words[1:]:
                best = net.predict(path, top=3, probabilities=True)
                print(f"{path}: {', '.join(f'{label} {share:.1%}' for label, share in best)}", flush=True)
    except RuntimeFault as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

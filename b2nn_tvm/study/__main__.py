"""``python -m b2nn_tvm.study`` is the command b2nn-study."""

from __future__ import annotations

from b2nn_tvm.cli.study import main

if __name__ == "__main__":
    main(prog_name="b2nn-study")

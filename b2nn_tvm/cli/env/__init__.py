"""b2nn-env says what this machine is and what is installed on it: what a report of a fault should come with."""

from __future__ import annotations

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.version import __version__

KIND, VERSION = "b2nn-environment", 1


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.version_option(__version__)
def main(as_json: bool) -> None:
    """Say what this machine is, what is installed, and what libraries can be built here.

    Paste the output into a report of a fault. It holds paths, and the values of the environment variables
    that this program reads.
    """
    from dataclasses import asdict

    from b2nn_tvm.cli.env.environment import as_lines, read_environment
    from b2nn_tvm.cli.output import print_document, print_line

    environment = read_environment()
    if as_json:
        print_document(KIND, VERSION, asdict(environment))
    else:
        for line in as_lines(environment):
            print_line(line)

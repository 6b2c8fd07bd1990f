"""``python -m b2nn_tvm COMMAND``: all commands, where the folder of installed programs is not in the PATH."""

from b2nn_tvm.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m billing`: the same as the command `billing`."""

import sys

from billing.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

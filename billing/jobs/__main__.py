"""`python -m billing.jobs NAME`: run one job in this process."""

import sys

from billing.jobs.jobs import main

if __name__ == "__main__":
    sys.exit(main())

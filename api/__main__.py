"""`python -m api`: what the launcher runs."""

import sys

from api.cli import main

sys.exit(main(sys.argv[1:]))

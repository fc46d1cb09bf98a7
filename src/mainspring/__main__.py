"""`python -m mainspring`."""

import sys

from mainspring.cli.main import main

sys.exit(main())

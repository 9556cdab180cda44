"""``python -m tradsys`` is the ``tradsys`` command."""

import sys

from tradsys.app.cli import main

sys.exit(main())

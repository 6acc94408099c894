"""``python -m counterfoil.app.cli`` is the same as ``counterfoil``."""

import sys

from counterfoil.app.cli import main

sys.exit(main())

"""``python -m dataengine`` is the command ``dataengine``."""

import sys

from dataengine.cli import main

sys.exit(main())

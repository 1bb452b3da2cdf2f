"""Pin what stages make of their fixtures: ``python -m tests.stages.golden filter.gopher``.

Run it after a stage is written, or after its output was changed on purpose and its version raised.
"""

import json
import sys

from dataengine import stage
from tests.stages import laws

for name in sys.argv[1:]:
    file = laws.fixture(name)
    cases = [line for line in file.read_text(encoding="utf-8").splitlines() if '"golden"' not in line]
    golden = {"golden": {"version": stage.load(name).version, "sha256": laws.digest(name)}}
    file.write_text("\n".join([*cases, json.dumps(golden)]) + "\n", encoding="utf-8")

"""scripts/serve, with answers held to the document: `python -m tests.serve_strictly OPTIONS`.

The launcher hands its children a closed list of variables.  In production an answer that the
document does not declare is logged and counted; here it must be a 500 that a test sees, so the
one variable that asks for it is handed on too.
"""

import os
import sys

from contract.answers import STRICT_VARIABLE
from scripts.launcher import house, serve


def main() -> int:
    """Exit status of the launcher."""
    os.environ[STRICT_VARIABLE] = "1"
    vars(house)["HANDED_ON"] = (*house.HANDED_ON, STRICT_VARIABLE)
    return serve.main()


if __name__ == "__main__":
    sys.exit(main())

"""The types of the document's schemas, by datamodel-code-generator."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OPTIONS = (
    "--input-file-type=openapi",
    "--output-model-type=typing.TypedDict",
    "--enum-field-as-literal=all",
    "--use-standard-collections",
    "--use-union-operator",
    "--use-schema-description",
    "--no-use-closed-typed-dict",
    "--openapi-scopes=schemas",
    "--target-python-version=3.11",
    "--disable-timestamp",
    "--formatters=builtin",
)


def render_types(document: dict[str, Any]) -> str:
    """The source of generated/types.py; raises CalledProcessError when the tool fails."""
    schemas = {"components": {"schemas": document["components"]["schemas"]}}
    head = {key: document[key] for key in ("openapi", "info")}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "schemas.json", Path(folder) / "types.py"
        # Only the schemas go in: the tool's reading of paths would name what nobody uses.
        source.write_text(json.dumps({**head, "paths": {}, **schemas}, default=str), "utf-8")
        command = [sys.executable, "-m", "datamodel_code_generator", *OPTIONS]
        command += [f"--input={source}", f"--output={target}"]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        return target.read_text("utf-8")

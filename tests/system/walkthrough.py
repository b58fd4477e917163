"""Runs the walk-through of README.md as it stands there, but for the addresses: walkthrough.py README PROTO_DIR
GENERATED_DIR TARGET HTTP."""

import pathlib
import re
import sys

from generate import generate


def main() -> None:
    readme, proto, generated, target, http = sys.argv[1:]
    text = pathlib.Path(readme).read_text(encoding="utf-8")
    section = text.split("## Validate a plan", 1)[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    if block is None:
        raise SystemExit("README.md has no walk-through")
    code = block.group(1).replace("unix:lictor-data/lictor.sock", target).replace("127.0.0.1:9151", http)
    generate(pathlib.Path(proto), pathlib.Path(generated))
    sys.path.insert(0, generated)
    exec(compile(code, "README.md", "exec"), {})


main()

"""Runs the walk-through of a page as it stands there, but for the addresses: walkthrough.py PAGE HEADING PROTO_DIR
GENERATED_DIR TARGET HTTP."""

import pathlib
import re
import sys

from generate import generate


def main() -> None:
    page, heading, proto, generated, target, http = sys.argv[1:]
    text = pathlib.Path(page).read_text(encoding="utf-8")
    section = text.split(heading, 1)[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    if block is None:
        raise SystemExit(f"{page} has no walk-through")
    code = block.group(1).replace("unix:lictor-data/lictor.sock", target).replace("127.0.0.1:9151", http)
    generate(pathlib.Path(proto), pathlib.Path(generated))
    sys.path.insert(0, generated)
    exec(compile(code, page, "exec"), {})


main()

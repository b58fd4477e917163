"""Code from the protocol definitions, as a client would make it."""

import pathlib

import grpc_tools
from grpc_tools import protoc


def generate(proto: pathlib.Path, out: pathlib.Path) -> None:
    """Generates messages and stubs below `out`."""
    out.mkdir(parents=True, exist_ok=True)
    files = [str(path) for path in sorted(proto.rglob("*.proto"))]
    known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(["protoc", f"-I{proto}", f"-I{known}", f"--python_out={out}", f"--grpc_python_out={out}", *files])
    if code != 0:
        raise SystemExit(f"protoc failed with {code}")

"""Asks a running Lictor with nothing but grpcio and code generated from proto/: evaluate.py PROTO_DIR GENERATED_DIR TARGET...

Prints one JSON object a target.
"""

import json
import pathlib
import sys

from generate import generate


def ask(target: str) -> dict:
    """One allowed, one denied and one malformed question."""
    import grpc
    from google.protobuf import json_format
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from lictor.v1 import decision_pb2, decision_pb2_grpc

    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = decision_pb2_grpc.DecisionServiceStub(channel)

        def evaluate(action: str):
            request = json_format.ParseDict(
                {
                    "requestId": f"q-{action}",
                    "subject": {"type": "agent", "id": "python-1", "roles": ["support"]},
                    "action": {"name": action},
                    "resource": {"type": "file", "id": "notes/a.txt"},
                    "context": {"amount": 12.5, "tags": ["a", None, True], "nested": {"deep": {"er": 1}}},
                },
                decision_pb2.EvaluateRequest(),
            )
            return json_format.MessageToDict(stub.Evaluate(request, timeout=5), preserving_proto_field_name=True)

        try:
            stub.Evaluate(decision_pb2.EvaluateRequest(), timeout=5)
            refused = None
        except grpc.RpcError as error:
            refused = {"code": error.code().name, "details": error.details()}
        stream = stub.EvaluateStream(
            iter(
                decision_pb2.EvaluateStreamRequest(
                    request=decision_pb2.EvaluateRequest(
                        request_id=str(number),
                        subject=decision_pb2.Subject(id="python-1"),
                        action=decision_pb2.Action(name="file.read"),
                    )
                )
                for number in range(3)
            ),
            timeout=5,
        )
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return {
            "target": target,
            "read": evaluate("file.read"),
            "secret": evaluate("secret.read"),
            "refused": refused,
            "stream": [answer.request_id for answer in stream],
            "health": health_pb2.HealthCheckResponse.ServingStatus.Name(health.status),
        }


def main() -> None:
    proto, out, targets = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    generate(proto, out)
    sys.path.insert(0, str(out))
    for target in targets:
        print(json.dumps(ask(target)))


main()

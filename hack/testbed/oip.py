"""A client of the Open Inference Protocol v2 over gRPC: just the messages and fields that the tests use."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_TYPES = descriptor_pb2.FieldDescriptorProto
_TENSOR = (
    ("name", 1, _TYPES.TYPE_STRING, False), ("datatype", 2, _TYPES.TYPE_STRING, False),
    ("shape", 3, _TYPES.TYPE_INT64, True), ("contents", 5, "Contents", False),
)  # fmt: skip
_MESSAGES: dict[str, tuple[tuple[str, int, Any, bool], ...]] = {
    "Contents": (
        ("int64_contents", 3, _TYPES.TYPE_INT64, True), ("fp32_contents", 6, _TYPES.TYPE_FLOAT, True),
        ("fp64_contents", 7, _TYPES.TYPE_DOUBLE, True),
    ),
    "Tensor": _TENSOR,
    "Request": (
        ("model_name", 1, _TYPES.TYPE_STRING, False), ("id", 3, _TYPES.TYPE_STRING, False),
        ("inputs", 5, "Tensor", True),
    ),
    "Response": (
        ("model_name", 1, _TYPES.TYPE_STRING, False), ("id", 3, _TYPES.TYPE_STRING, False),
        ("outputs", 5, "Tensor", True),
    ),
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    made = descriptor_pb2.FileDescriptorProto(name="oip.proto", package="oip", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = made.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = _TYPES.LABEL_REPEATED if repeated else _TYPES.LABEL_OPTIONAL
            one = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                one.type, one.type_name = _TYPES.TYPE_MESSAGE, f".oip.{kind}"
            else:
                one.type = kind
    return made


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"oip.{name}"))


Request, Response = _class("Request"), _class("Response")


def request(model: str, rows: list[list[float]], request_id: str = "") -> Any:
    """An inference request of one FP64 tensor, rows × features."""
    flat = [value for row in rows for value in row]
    tensor = {
        "name": "x", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "contents": {"fp64_contents": flat},
    }  # fmt: skip
    return Request(model_name=model, id=request_id, inputs=[tensor])


class Client:
    """A gRPC client of one model behind a gateway."""

    def __init__(self, target: str, host: str) -> None:
        """target: `address:port`; host: the name by which the route knows the model."""
        self._channel = grpc.insecure_channel(target, options=[("grpc.default_authority", host)])
        self._infer = self._channel.unary_unary(
            METHOD, request_serializer=Request.SerializeToString, response_deserializer=Response.FromString
        )  # fmt: skip

    def infer(self, message: Any, timeout: float = 10, **metadata: str) -> tuple[Any, dict[str, str]]:
        """The answer, and its initial metadata (with the version that answered). Raises grpc.RpcError."""
        sent = [(name.replace("_", "-"), value) for name, value in metadata.items()]
        answer, call = self._infer.with_call(message, timeout=timeout, metadata=sent)
        return answer, {str(name): str(value) for name, value in call.initial_metadata()}

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

"""Protobuf messages that opentelemetry-proto does not ship, declared rather than generated.

`Status` is google.rpc.Status, the body of an OTLP error. `Frame` reads an export request of spans or of log records
without looking into them: on the wire a message is a length and bytes, so a field of messages may be read as a field
of bytes. Each item is then read by itself: one that cannot be read is left out alone, and ten million empty ones,
which fit into 20 MiB, never exist at the same time (read in one go they take 1.7 GB). `Shallow` reads a span in the
same way: attributes stay bytes, by which known ones are recognised; of events and links it tells whether there are any.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_INT32, _STRING, _BYTES, _MESSAGE = _Field.TYPE_INT32, _Field.TYPE_STRING, _Field.TYPE_BYTES, _Field.TYPE_MESSAGE
_FIXED64 = _Field.TYPE_FIXED64
_ONE, _MANY = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED
_MESSAGES: dict[str, list[tuple[str, int, Any, Any, str | None]]] = {
    "Status": [("code", 1, _INT32, _ONE, None), ("message", 2, _STRING, _ONE, None)],
    "Frame": [("groups", 1, _MESSAGE, _MANY, ".google.rpc.Group")],
    "Group": [("resource", 1, _BYTES, _ONE, None), ("scopes", 2, _MESSAGE, _MANY, ".google.rpc.Scope")],
    "Scope": [("scope", 1, _BYTES, _ONE, None), ("items", 2, _BYTES, _MANY, None)],
    "Shallow": [
        ("trace_id", 1, _BYTES, _ONE, None),
        ("span_id", 2, _BYTES, _ONE, None),
        ("trace_state", 3, _STRING, _ONE, None),  # read nowhere, but a span whose text is broken is broken
        ("parent_span_id", 4, _BYTES, _ONE, None),
        ("name", 5, _STRING, _ONE, None),
        ("kind", 6, _INT32, _ONE, None),
        ("start_time_unix_nano", 7, _FIXED64, _ONE, None),
        ("end_time_unix_nano", 8, _FIXED64, _ONE, None),
        ("attributes", 9, _BYTES, _MANY, None),
        ("event", 11, _BYTES, _ONE, None),
        ("link", 13, _BYTES, _ONE, None),
        ("status", 15, _BYTES, _ONE, None),
    ],
}


def _declare() -> dict[str, Any]:
    """The classes, in a pool of their own: a `google.rpc.Status` of somebody else's must not collide with ours."""
    file = descriptor_pb2.FileDescriptorProto(name="baton/wire.proto", package="google.rpc", syntax="proto3")
    for message, fields in _MESSAGES.items():
        declared = file.message_type.add(name=message)
        for name, number, kind, count, of in fields:
            declared.field.add(name=name, number=number, type=kind, label=count, type_name=of)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}")) for name in _MESSAGES
    }


_CLASSES = _declare()
Status: Any = _CLASSES["Status"]
Frame: Any = _CLASSES["Frame"]
Shallow: Any = _CLASSES["Shallow"]

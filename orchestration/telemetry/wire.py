"""Protobuf messages that opentelemetry-proto does not ship, declared rather than generated.

`Status` is google.rpc.Status, the body of an OTLP error. `Shallow` reads an export request of spans or log records
without looking into them: on the wire a message is a length and bytes, so a field of messages may be read as a field
of bytes. It lets one undecodable span be left out of a request whose other spans are good.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

_Field = descriptor_pb2.FieldDescriptorProto
_INT32, _STRING, _BYTES, _MESSAGE = _Field.TYPE_INT32, _Field.TYPE_STRING, _Field.TYPE_BYTES, _Field.TYPE_MESSAGE
_ONE, _MANY = _Field.LABEL_OPTIONAL, _Field.LABEL_REPEATED


def _declare() -> dict[str, Any]:
    """Both messages, in a pool of their own: a `google.rpc.Status` of somebody else's must not collide with ours."""
    file = descriptor_pb2.FileDescriptorProto(name="baton/wire.proto", package="google.rpc", syntax="proto3")
    fields: dict[str, list[tuple[str, int, Any, Any, str]]] = {
        "Status": [("code", 1, _INT32, _ONE, ""), ("message", 2, _STRING, _ONE, "")],
        "Shallow": [("groups", 1, _MESSAGE, _MANY, ".google.rpc.Group")],
        "Group": [("resource", 1, _BYTES, _ONE, ""), ("scopes", 2, _MESSAGE, _MANY, ".google.rpc.Scope")],
        "Scope": [("scope", 1, _BYTES, _ONE, ""), ("items", 2, _BYTES, _MANY, "")],
    }
    for message, parts in fields.items():
        declared = file.message_type.add(name=message)
        for label, number, kind, count, of in parts:
            declared.field.add(name=label, number=number, type=kind, label=count, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"google.rpc.{name}")) for name in fields}


_CLASSES = _declare()
Status: Any = _CLASSES["Status"]
_Shallow: Any = _CLASSES["Shallow"]


def without_bad_items(body: bytes, whole: type[Message]) -> tuple[bytes, int, int]:
    """The same request without the items that cannot be read, how many it holds now and how many were left out.
    `whole` is the class of the export request.

    An item whose resource or scope cannot be read is bad too: nobody could say whose it is. Each is tried in a request
    of its own, since how deep a message may nest is counted from the top. Raises DecodeError when not even the frame
    is sound.
    """
    request, kept, bad = _Shallow.FromString(body), 0, 0
    for group in request.groups:
        for scope in group.scopes:
            good = [data for data in scope.items if _readable(whole, group.resource, scope.scope, data)]
            kept += len(good)
            bad += len(scope.items) - len(good)
            scope.items[:] = good
            if not good:
                scope.scope = b""
        if not any(scope.items for scope in group.scopes):
            group.resource = b""
    return request.SerializeToString(), kept, bad


def _readable(whole: type[Message], resource: bytes, scope: bytes, item: bytes) -> bool:
    alone = _Shallow(groups=[{"resource": resource, "scopes": [{"scope": scope, "items": [item]}]}])
    try:
        whole.FromString(alone.SerializeToString())
    except DecodeError:
        return False
    return True

"""Plays one example with its scripted model, in the environment of the frameworks: `play.py NAME ORDER AMOUNT`.

The example, its model and a copy of `orchestration/client.py` (as `baton.py`) lie beside this file; nothing else of the
checkout is there. Prints one JSON object: what the program said in the end, and when it began and ceased to wait.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

FLUSH_MS = 200


def tracing(service: str) -> TracerProvider:
    key = {"Authorization": f"Bearer {os.environ['BATON_KEY']}"}
    exporter = OTLPSpanExporter(f"{os.environ['BATON_URL']}/v1/traces", headers=key)
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=FLUSH_MS))
    trace.set_tracer_provider(provider)
    return provider


def timed(wait: Callable[..., Any], waits: list[tuple[float, float]]) -> Callable[..., Any]:
    def waiting(*given: Any, **more: Any) -> Any:
        began = time.time()
        answer = wait(*given, **more)
        waits.append((began, time.time()))
        return answer

    return waiting


def main() -> None:
    name, order, amount = sys.argv[1], sys.argv[2], float(sys.argv[3])
    provider = tracing(f"refund-desk-{name.replace('_', '-')}")
    model = importlib.import_module(f"scripted_{name}").model(order, amount)
    example = importlib.import_module(f"refund_{name}")
    waits: list[tuple[float, float]] = []
    example.baton.wait = timed(example.baton.wait, waits)
    said = example.serve(model, order, f"Please pay {amount:.2f} back for order {order}.")
    example.baton.close()
    provider.shutdown()
    print(json.dumps({"said": said, "waits": waits}))


if __name__ == "__main__":
    main()

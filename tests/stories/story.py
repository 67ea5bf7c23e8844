"""One story: an agent asks, is held, a person decides, it goes on; and what Baton says of it at each point."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from orchestration.ledger.checkpoints import Head
from orchestration.ledger.merkle import includes
from tests.bench.report import Report
from tests.bench.stand import CHECKOUT, Stand, Tenant
from tests.stories.people import Reviewer, Says
from tests.waiting import LONG_S

HERE = Path(__file__).resolve().parent
UNDO = timedelta(seconds=10)
RESUME_S = 1.0  # after the undo window


@dataclass(frozen=True, slots=True)
class Story:
    name: str
    amount: float
    says: Says
    ends: str  # what the agent says in the end


STORIES = (
    Story("langgraph", 620, Says(), "Paid 620.00 for order {order}."),
    Story("pydantic_ai", 940, Says("amend", amount=480), "Paid 480.00 for order {order}."),
    Story("openai_agents", 1800, Says("reject", note="No photo of it."), "Not paid: deny. Not enough evidence."),
)


@dataclass(frozen=True, slots=True)
class Stage:
    baton: Stand
    tenant: Tenant
    python: Path
    pictures: Path | None

    def get(self, path: str) -> Any:
        answer = httpx.get(self.baton.url + path, headers={"Authorization": f"Bearer {self.tenant.key}"}, timeout=20)
        return answer.json() if answer.status_code == 200 else {}

    def until(self, path: str, true: Any) -> tuple[Any, float]:
        """What Baton says of something as soon as it is so, and after how many seconds that was."""
        began = time.monotonic()
        while not true(said := self.get(path)):
            if time.monotonic() - began > LONG_S:
                raise TimeoutError(f"{path} says {json.dumps(said)[:600]}")
            time.sleep(0.05)
        return said, time.monotonic() - began


@contextmanager
def program(story: Story, stage: Stage, order: str) -> Iterator[subprocess.Popen[str]]:
    """The example beside a copy of the client, away from the checkout, as somebody who copied both would have it."""
    folder = Path(tempfile.mkdtemp(prefix="baton-story-"))
    shutil.copy(CHECKOUT / "orchestration" / "client.py", folder / "baton.py")
    for file in ("play.py", f"examples/refund_{story.name}.py", f"scripted/scripted_{story.name}.py"):
        shutil.copy(HERE / file, folder)
    known = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "OTEL_", "PYTHON"))}
    known |= {"BATON_URL": stage.baton.url, "BATON_KEY": stage.tenant.key}
    # frameworks that tell their makers of their use are not to
    known |= {"LANGSMITH_TRACING": "false", "DO_NOT_TRACK": "1"}
    command = [str(stage.python), "play.py", story.name, order, str(story.amount)]
    process = subprocess.Popen(
        command, cwd=folder, env=known, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def tell(story: Story, stage: Stage, person: Reviewer, report: Report) -> None:
    """1. It asks and is held. 2. Its run is shown waiting. 3. The person decides. 4. It goes on. 5. Its run is over."""
    order, began = f"{story.name}-7", time.monotonic()
    with program(story, stage, order) as process:
        over = process.poll
        held, after = stage.until("/api/v1/holds?state=open", lambda said: _of(said, order) or over() is not None)
        if not _of(held, order):
            raise RuntimeError(f"it ended without being held: {process.communicate()}")
        report.add("from its start to the question in the inbox", f"{after:.1f} s")
        _, after = stage.until(f"/api/v1/runs/{order}", lambda said: said.get("status") == "waiting")
        report.add("its run is shown waiting", f"{after:.1f} s later", good=True)

        person.decide(story.amount, story.says, _picture(stage, story))
        out, err = process.communicate(timeout=LONG_S)
    if process.returncode:
        raise RuntimeError(err[-3000:])
    told = json.loads(out)
    _judge_end(story, stage, order, told, report)
    report.add("the whole story", f"{time.monotonic() - began:.1f} s")


def _judge_end(story: Story, stage: Stage, order: str, told: dict[str, Any], report: Report) -> None:
    ends = story.ends.format(order=order)
    report.none("words that it ended otherwise with", int(not told["said"].startswith(ends)), told["said"])
    run, after = stage.until(f"/api/v1/runs/{order}", lambda said: said.get("status") == "completed")
    report.add("its run is shown completed", f"{after:.1f} s after it ended", good=True)
    report.none("traces that are not part of the one run", abs(len(run["trace_ids"]) - 2))
    report.none("agents that it did not have", len(set(run["agents"]) - {"refund"}))
    holds = stage.get("/api/v1/holds?limit=100")["items"]
    mine = [hold for hold in holds if hold["run"] in (order, run["id"], *run["trace_ids"])]
    report.none("questions besides the one it asked", len(mine) - 1)
    undone = (datetime.fromisoformat(mine[0]["decided_at"]) + UNDO).timestamp()
    report.most("from the end of the undo time to the agent's going on", told["waits"][0][1] - undone, RESUME_S, "s")
    report.none("verdicts other than the person's", int(mine[0]["verdict"] != story.says.verb), mine[0]["verdict"])
    for kind in ("decision", "verdict"):
        subject = mine[0]["decision"] if kind == "decision" else mine[0]["id"]
        report.none(f"receipts of the {kind} that are not proved", int(not _proved(stage, kind, subject)))


def _of(said: dict[str, Any], order: str) -> bool:
    return any(hold["run"] == order for hold in said.get("items", []))


def _picture(stage: Stage, story: Story) -> Path | None:
    return stage.pictures / f"story-{story.name}.png" if stage.pictures else None


def _proved(stage: Stage, kind: str, subject: str) -> bool:
    """The entry's proof, checked here: its path leads from it to the head that is signed."""
    entries = stage.get(f"/api/v1/ledger/entries?kind={kind}&limit=100")["items"]
    entry = next((each for each in entries if each["subject"]["id"] == subject), None)
    if entry is None:
        return False
    proof, _ = stage.until(f"/api/v1/ledger/entries/{entry['id']}/proof", bool)
    head = Head.of(proof["checkpoint"])
    path = [bytes.fromhex(each) for each in proof["path"]]
    digest = hashlib.sha256(b"\0" + proof["entry"].encode()).digest()
    return head.is_signed and includes(digest, proof["index"], head.size, path, head.root)

"""`make stories`, or `python -m tests.stories [NAME …]`: agents of real frameworks, with scripted models, at a running
Baton. Each asks "may I?", is held, a person decides in the inbox, and it goes on.

The programs are those of `examples/`, which the README prints, with a copy of `orchestration/client.py`; they run in an
environment of their own. The person uses a browser where a Chromium is found, else the page's form. What Baton made of
it is asked of Baton. Exit 1 when a story ended otherwise than it should.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.bench.report import Report
from tests.bench.stand import stand
from tests.config.running import free_port
from tests.stories.people import PASSWORD, Reviewer, in_browser, with_forms
from tests.stories.story import STORIES, Stage, Story, tell

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETUP = f"""
from orchestration.policies import lifecycle
from orchestration.workspaces.models import Membership, User, Workspace
space = Workspace.objects.get(slug="default")
for name, role in (("rita", "reviewer"), ("ada", "admin")):
    user = User.objects.create_user(name, password={PASSWORD!r})
    Membership.objects.create(user=user, workspace=space, roles=[role], sees_content=True)
rule = {{
    "condition": "action.amount <= limit",
    "then": {{"kind": "allow"}},
    "otherwise": {{"kind": "hold", "skill": "refunds", "due_s": 600}},
    "limits": {{"limit": 500}},
}}
draft = lifecycle.create(space, "Refund limit", user, rule)
lifecycle.publish(draft.policy_id, draft.number, user, "Larger ones are a person's")
"""


def main() -> int:
    options = _options()
    report = Report(bench="stories")
    with stand(options.port or free_port()) as baton:
        baton.manage("shell", "-v", "0", "-c", SETUP)
        stage = Stage(baton, baton.default(), options.python, options.pictures)
        wanted = [story for story in STORIES if story.name in (options.names or [each.name for each in STORIES])]
        if options.chromium:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
                _tell(wanted, stage, in_browser(browser, baton.url), report)
                browser.close()
        else:
            report.say("no Chromium: the person posts the inbox's forms")
            _tell(wanted, stage, with_forms(baton.url), report)
        report.bench = "ledger"
        report.add("all entries verify", baton.manage("verify_ledger").splitlines()[-1].partition(". ")[0], good=True)
    report.print()
    return int(report.failed)


def _tell(stories: list[Story], stage: Stage, person: Reviewer, report: Report) -> None:
    for story in stories:
        report.bench = story.name
        tell(story, stage, person, report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stories", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(story.name for story in STORIES)}")
    parser.add_argument("--python", type=Path, default=Path(sys.prefix) / "stories" / "bin" / "python")
    parser.add_argument("--port", type=int, help="else a free one")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of what the person saw")
    parser.add_argument("--forms", action="store_true", help="no browser, whatever there is")
    options = parser.parse_args()
    if unknown := set(options.names) - {story.name for story in STORIES}:
        parser.error(f"no such story: {', '.join(sorted(unknown))}")
    if not options.python.exists():
        parser.error(f"{options.python} is not there: `make stories` makes it")
    found = [f"{folder}/{name}" for name in BROWSERS for folder in os.get_exec_path() if Path(folder, name).exists()]
    options.chromium = found[0] if found and not options.forms else ""
    return options


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.config.settings")
    sys.exit(main())

"""What is around every page: the places, what is counted beside them, the person, how it is wished to look."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from dashboard.places import PLACES
from orchestration.workspaces.models import User
from tests.dashboard.conftest import Scene, region


def frame(client: Client, path: str = "/") -> str:
    return client.get(path).content.decode()


def sidebar(text: str) -> str:
    return text.split('<nav class="side"')[1].split("</nav>", maxsplit=1)[0]


def test_every_place_has_a_page() -> None:
    assert [place.name for place in PLACES if not reverse(f"{place.screen}:{place.name}").startswith("/")] == []


def test_no_two_places_share_a_key() -> None:
    keys = [place.key for place in PLACES if place.key]

    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("path", ["/runs/", "/runs/{run}/"])
def test_a_place_is_marked_on_its_page_and_on_those_inside(as_operator: Client, scene: Scene, path: str) -> None:
    side = sidebar(frame(as_operator, path.format(run=scene.run.id)))

    assert re.findall(r'href="([^"]+)"[^>]*aria-current="page"', side) == ["/runs/"]


def test_what_is_in_progress_and_who_is_active_is_counted(as_operator: Client, scene: Scene) -> None:
    scene.run.status = "running"
    scene.run.save()

    side = sidebar(frame(as_operator))

    assert re.findall(r'id="count-(\w+)">(\d+)<', side) == [("workflows", "1"), ("agents", "1")]


def test_nothing_is_said_where_there_is_nothing_to_count(as_operator: Client) -> None:
    assert re.findall(r'id="count-\w+">(\d+)<', sidebar(frame(as_operator))) == []


def test_counts_are_renewed_where_they_stand(as_operator: Client, scene: Scene) -> None:
    shown = set(re.findall(r'id="(count-\w+)"', sidebar(frame(as_operator))))
    sent = as_operator.get("/live/counts/", headers=region("counts")).content.decode()

    assert set(re.findall(r'id="(count-\w+)" hx-swap-oob', sent)) == shown


def test_a_region_does_not_count_for_the_sidebar(
    as_operator: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(_: int) -> dict[str, int]:
        raise AssertionError("the sidebar is not part of a region")

    monkeypatch.setattr("dashboard.places.counts", counted)

    assert as_operator.get("/runs/", headers=region("rows")).status_code == 200


def test_single_keys_and_density_are_the_persons_wish(as_operator: Client, operator: User) -> None:
    before = frame(as_operator)
    User.objects.filter(pk=operator.pk).update(single_keys=False, density="tight")

    after = frame(as_operator)

    assert 'data-keys="on"' in before
    assert "data-density" not in before
    assert 'data-keys="off"' in after
    assert 'data-density="tight"' in after
    assert "Single keys are off" in after


def test_the_log_in_page_has_no_places(client: Client, db: None) -> None:
    assert 'class="side"' not in frame(client, "/accounts/login/")

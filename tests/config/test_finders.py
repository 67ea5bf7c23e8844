"""Scripts out of wheels."""

from __future__ import annotations

from django.contrib.staticfiles import finders

from orchestration.config.finders import WheelFinder


def test_the_bundle_of_charts_is_found_where_its_wheel_was_installed() -> None:
    found = finders.find("plotly/plotly.min.js")

    assert found is not None
    assert "package_data" in str(found)
    assert [path for path, _ in WheelFinder().list([])] == ["plotly.min.js"]


def test_nothing_else_of_the_wheel_is_served() -> None:
    assert finders.find("plotly/package_data/widgetbundle.js") is None
    assert finders.find("plotly/../plotly.min.js") is None
    assert WheelFinder().find("other.js") == []

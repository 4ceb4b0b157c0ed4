"""What the pages on shippers show is what ``soc sources add`` shows, and the tests try."""

from pathlib import Path

import pytest

from soc.app.shipping import RECIPES, Place, recipe

PAGES = Path(__file__).parents[2] / "docs" / "how-to" / "ship-logs"
PLACE = Place("soc.example.org", 8781, name="soc.example.org")


@pytest.mark.parametrize("shipper", RECIPES)
def test_a_page_shows_the_recipe_itself(shipper: str) -> None:
    page = (PAGES / f"{shipper}.md").read_text()

    assert f"\n{recipe(shipper, PLACE, 'www')}```\n" in page
    assert f"({shipper}.md)" in (PAGES / "README.md").read_text()


def test_every_page_is_about_a_recipe() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {"README", *RECIPES}

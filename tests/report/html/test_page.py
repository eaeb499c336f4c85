"""The page: whole, escaped, bounded, and at work in a real browser."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_zlayer.report.html.page import page
from pytest_zlayer.report.model import Kept
from pytest_zlayer.report.recorder import Recorder

from ..runs import START, Script, sample, stage
from .chromium import answers, browse, needs_browser

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
_VOID = {"meta", "input", "br", "link"}


@pytest.fixture
def text():
    kept = (Kept(kind="image", image="api", command="buildah run --tty abc sh"),)
    environment = {"pytest-zlayer": "0.1.0", "buildah": "1.28.2", "isolation": "oci"}
    run = sample().run(exit_status=1, environment=environment, kept=kept, now=START + 15)
    return page([run])


@pytest.fixture
def file(text, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


class _Balance(HTMLParser):
    """Finds elements that are not closed, and ids that stand twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_elements_are_closed_ids_unique_and_links_lead_somewhere(text):
    found = _Balance()
    found.feed(text)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids)


def test_the_page_needs_nothing_else(text):
    assert re.findall(r"(?:src|href)=\"(?!#)", text) == []
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_what_a_step_wrote_cannot_become_part_of_the_page(text):
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "<b>flask</b>" not in text


def test_names_that_are_no_text_do_not_keep_the_page_from_being_written():
    recorder = Recorder()
    script = Script(recorder, image="x\udcff")
    script.start()
    script.done()
    assert ">x?<" in page([recorder.run()]).encode("utf-8").decode()


def test_states_are_reported_in_words_not_only_in_colours(text):
    for word in (
        "✗ failed",
        "↻ tried again",
        "≡ from the cache",
        "≡ cached",
        "not needed",
        "✓ run",
    ):
        assert word in text


def test_tables_and_drawings_have_names_for_those_who_cannot_see_them(text):
    assert text.count("<table") == text.count("<caption>")
    assert all("aria-label=" in one for one in re.findall(r"<svg[^>]*>", text))
    assert 'lang="en"' in text
    assert '<label for="search">' in text


def test_cache_places_are_told_with_what_came_from_them_and_what_is_wrong(text):
    plain = re.sub(r"<[^>]+>", "|", text)
    assert re.search(r"registry\.example/cache\|+fetched\|+2 layers\|+1\.2 MB\|+0\.8 s", plain)
    assert re.search(r"registry\.example/cache\|+2 layers, 1\.2 MB\|+1 layer, 1\.2 MB", plain)
    assert "cache place /mnt/cache: no answer in time" in text


def test_several_shards_on_one_page():
    runs = [sample().run(shard="one"), sample().run(shard="two")]
    runs[1] = type(runs[1])(**{**_fields(runs[1]), "started": START + 1})
    text = page(runs)
    found = _Balance()
    found.feed(text)
    assert len(found.ids) == len(set(found.ids))
    assert "Time line of one" in text
    assert "Time line of two" in text


def _fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def many(count: int = 300) -> Recorder:
    """A run of many images with long logs."""
    recorder = Recorder(started=START, logs=True)
    for number in range(count):
        build = Script(recorder, f"b{number}", f"image-{number:03}", f"gw{number % 8}")
        build.at += number // 8 * 3
        stages = [stage(0, "deps"), stage(1, "build", 0), stage(2, "final", 0, 1)]
        build.start(stages, same=f"s{number}")
        for one in stages:
            build.stage(one.name, one.index, 4)
            for step in range(1, 5):
                log = [f"line {line} of step {step} of image {number}" for line in range(300)]
                build.step(one.name, step, f"RUN make {step}", seconds=0.2, log=log)
            build.stage_done(one.name, one.index)
        build.done(test=f"test_many.py::test_{number}")
    return recorder


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "report.html"
    path.write_text(page([many().run()]), encoding="utf-8")
    return path


def test_three_hundred_images_stay_below_five_megabytes(large):
    assert large.stat().st_size < 5_000_000


@needs_browser
def test_three_hundred_images_open(large):
    # How quickly: benchmarks/report_page.py.
    assert answers(large, "document.querySelectorAll('.card:not([hidden])').length") == "300"


@needs_browser
def test_the_script_runs_under_the_policy_of_the_page(file):
    anchor = re.search(r'<section id="(i-\w+)" class="card built"', file.read_text("utf-8"))
    assert anchor is not None
    dom = browse(file, "--dump-dom", fragment=f"#{anchor[1]}")
    # The script opens what the address names; without it only what failed is open.
    section = dom.partition(f'<section id="{anchor[1]}"')[2]
    assert section.partition("<details")[2].startswith(' open=""')


_SEARCH = """await (async () => {
  const field = document.getElementById("search");
  field.value = "%s";
  field.dispatchEvent(new Event("input"));
  await new Promise((done) => setTimeout(done, 400));
  const cards = [...document.querySelectorAll(".card")].filter((one) => !one.hidden);
  const open = document.querySelectorAll(".card:not([hidden]) li details[open]").length;
  const said = document.getElementById("found").textContent;
  return [cards.map((one) => one.querySelector(".image").textContent), open, said].join("|");
})()"""


@needs_browser
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("flask", "api|1|1 of 2 images"),
        ("LAST WORDS", "web|1|1 of 2 images"),
        ("nowhere", "|0|0 of 2 images"),
        ("", "web,api|1|"),
    ],
)
def test_the_search_finds_images_steps_and_logs(file, words, found):
    assert answers(file, _SEARCH % words) == found


@needs_browser
def test_boxes_choose_by_outcome(file):
    script = """(() => {
      document.querySelector("#filter input[value=failed]").click();
      return [...document.querySelectorAll(".card")].filter((one) => !one.hidden).length;
    })()"""
    assert answers(file, script) == "1"


@needs_browser
def test_everything_can_be_reached_by_keyboard(file):
    script = """(() => {
      const first = document.querySelector("a").textContent;
      document.dispatchEvent(new KeyboardEvent("keydown", { key: "/" }));
      const logs = [...document.querySelectorAll("pre.log")].every((one) => one.tabIndex === 0);
      return [first, document.activeElement.id, logs].join("|");
    })()"""
    assert answers(file, script) == "Skip to the images|search|true"


@needs_browser
def test_what_is_folded_is_printed(file):
    script = """(() => {
      dispatchEvent(new Event("beforeprint"));
      const open = document.querySelectorAll(".card > details[open]").length;
      dispatchEvent(new Event("afterprint"));
      return [open, document.querySelectorAll(".card > details[open]").length].join("|");
    })()"""
    assert answers(file, script) == "2|1"
    browse(file, f"--print-to-pdf={file.with_suffix('.pdf')}")
    assert file.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@needs_browser
def test_a_narrow_window_scrolls_tables_not_the_page(file):
    # Phones, and the side panes of CI services.
    script = """(() => {
      document.body.style.maxWidth = "320px";
      const cells = [...document.querySelectorAll(".overview td")];
      const lines = cells.filter((one) => one.offsetHeight).map((one) => one.offsetHeight < 40);
      return [document.documentElement.scrollWidth <= innerWidth, new Set(lines).size, lines[0]];
    })()"""
    assert answers(file, f"{script}.join('|')") == "true|1|true"


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_in_both_colours(file, scheme, tmp_path):
    # The pictures of the documentation: PICTURES=1 pytest tests/report/html -k pictures
    folder = PICTURES if os.environ.get("PICTURES") else tmp_path
    picture = folder / f"report-{scheme}.png"
    folder.mkdir(exist_ok=True)
    dark = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()
    size = ("--window-size=1100,1500", f"--screenshot={picture}")
    text = re.sub(r'(class="card built"[^>]*><details)>', r"\1 open>", file.read_text("utf-8"))
    file.write_text(text, encoding="utf-8")
    browse(file, *dark, *size)
    assert picture.read_bytes().startswith(b"\x89PNG")

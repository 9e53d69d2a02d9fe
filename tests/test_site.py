"""The web pages of the notebooks: what is in them, and what a real browser makes of them."""

import base64
import functools
import http.server
import re
import sys
import threading
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from browser import Browser, executable
from tarm.__main__ import main
from tarm.markup import markdown, mathml
from tarm.notebooks import NOTEBOOKS, numbered
from tarm.site import build

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
SLIDER = """<div><input type="range" min="0" max="2" value="0" aria-label="n"><output>one</output>
<script>(() => { const shown = ["one", "two", "<three>"], here = document.currentScript.parentElement;
here.querySelector("input").oninput = event => {
here.querySelector("output").textContent = shown[event.target.value]; }; })()
</script></div>"""
TEXT = (r"""# 1 · First, and $x^2$

The **opening** of [the second](02-second.ipynb#All-the-rest). See [code](../tarm/x.py), """
        r"""[all](../tarm), [more](../README.md).

$$\begin{aligned} a &= %s \\ b &= \frac{c}{d} \end{aligned}$$

| %s |
|%s
| $p_n$%s

<details><summary>Answer</summary>

Inside, $\text{a\_b} < 1$ and `$not$`.

</details>

![A pixel](../pixel.png)""") % (
    " + ".join(f"x_{{{n}}}" for n in range(60)),
    " | ".join(["column of a table"] * 9),
    "---|" * 9,
    "| cell" * 8 + "|",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with two notebooks, and in them everything that a page has to be able to show."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "notebooks").mkdir()
    (folder / "tarm").mkdir()
    (folder / "tarm" / "x.py").write_text("y = 1 < 2\n")
    (folder / "README.md").write_text("# Small\n\nA project.\n\n"
                                      "[one](notebooks/01-first.ipynb), [arXiv](https://arxiv.org)\n")
    (folder / "pixel.png").write_bytes(base64.b64decode(PIXEL))
    picture = new_output("display_data", {"image/png": PIXEL, "text/plain": ""},
                         metadata={"image/png": {"alt": 'a "dot"'}})
    outputs = [picture, new_output("display_data", {"text/html": SLIDER}), new_output("stream", text="z" * 300 + "\n"),
               new_output("display_data", {"text/markdown": "```python\nz = 3\n```"}),
               new_output("display_data", {"text/latex": "$q$"})]
    cells = [new_markdown_cell(TEXT), new_code_cell("x = 1  # " + "long " * 60, execution_count=1, outputs=outputs)]
    nbformat.write(new_notebook(cells=cells), folder / "notebooks" / "01-first.ipynb")
    cells = [new_markdown_cell("# 2 · Second\n\n## All the rest\n\nBack to [1](01-first.ipynb)."),
             new_code_cell("import this", execution_count=1),
             new_code_cell("n = 1", execution_count=2, metadata={"tags": ["parameters"]}),
             new_code_cell("n + 1", execution_count=3),
             new_code_cell("claim('two', n + 1 == 2)", execution_count=4, metadata={"tags": ["claims"]})]
    nbformat.write(new_notebook(cells=cells), folder / "notebooks" / "02-second.ipynb")
    return folder


@pytest.fixture(scope="module")
def small(project, tmp_path_factory):
    """The site of that project."""
    folder = tmp_path_factory.mktemp("small") / "a small one"
    build(numbered(project / "notebooks"), folder, project)
    return folder


@pytest.fixture(scope="module", params=["small", "committed"])
def site(request, tmp_path_factory):
    """The site of that project, and the site of this one."""
    if request.param == "small":
        return request.getfixturevalue("small")
    folder = tmp_path_factory.mktemp("committed") / "site"
    build(numbered(), folder)
    return folder


@functools.cache
def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@functools.cache
def places(page):
    return {element["id"] for element in read(page).select("[id]")}


def pages(site):
    found = sorted(site.rglob("*.html"))
    assert len(found) > 3
    return found


def test_code_that_few_read_is_folded(small):
    """Imports, parameters and checks of the prose."""
    boxes = read(small / "02-second.html").select("details.input")
    assert [(box.summary.text, box.has_attr("open")) for box in boxes] == [
        ("Code 1", False), ("Code 2", False), ("Code 3", True), ("Checks 4", False)]


def test_every_link_leads_to_a_page_and_to_a_place_in_it(site):
    for page in pages(site):
        for element in read(page).select("[href], [src]"):
            url = urlsplit(element.get("href") or element.get("src"))
            if url.scheme in ("http", "https", "data"):
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            assert target.is_file() and target.is_relative_to(site.resolve()), (page.name, element)
            assert not url.fragment or unquote(url.fragment) in places(target), (page.name, element)


def test_nothing_is_loaded_from_elsewhere(site):
    for page in pages(site):
        for element in read(page).select("[src], [srcset], [data], link, iframe, object, embed"):
            address = element.get("href") or element.get("src")
            assert urlsplit(address).scheme in ("", "data") and not urlsplit(address).netloc, element
    assert not re.search(r"url\(|@import|https?:", (site / "style.css").read_text(encoding="utf-8"))


def test_every_picture_has_its_text(site):
    images = [image for page in pages(site) for image in read(page).select("img")]
    assert images and not [image for image in images if not image.get("alt") or "No description" in image["alt"]]


def test_chapters_are_listed_on_every_page_and_opened_on_the_first(small):
    for page in pages(small):
        links = read(page).select("#contents > ol > li > a")
        assert [link.text for link in links] == ["1 · First, and x2", "2 · Second"]
    listed = read(small / "index.html").select_one(".chapters li")
    assert read(small / "01-first.html").select_one("#contents > a")["href"] == "index.html"
    assert listed.a["href"] == "01-first.html" and listed.p.text.startswith("The opening of the second. See code")
    assert read(small / "01-first.html").select_one("[rel=next]")["href"] == "02-second.html"
    assert read(small / "02-second.html").select_one("[rel=prev]")["href"] == "01-first.html"


def test_the_index_lists_all_notebooks_of_this_project(site):
    there = [link["href"] for link in read(site / "index.html").select(".chapters h2 a")]
    assert there == [f"{path.stem}.html" for path in numbered(NOTEBOOKS)] or len(there) == 2


def test_linked_files_are_pages(small):
    assert read(small / "project" / "tarm" / "x.py.html").pre.text == "y = 1 < 2\n"
    assert read(small / "project" / "tarm" / "index.html").main.li.a["href"] == "x.py.html"
    assert read(small / "project" / "README.md.html").select_one("main p a")["href"] == "../01-first.html"


def formulas(notebook):
    """The formulas in a notebook's text, code aside."""
    texts = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "markdown"]
    return re.findall(r"\$\$.+?\$\$|\$.+?\$",
                      re.sub(r"```.*?```|`[^`]*`", "", "\n".join(texts), flags=re.DOTALL), re.DOTALL)


def test_every_formula_is_mathml(site, project):
    for notebook in numbered(project / "notebooks" if site.name == "a small one" else NOTEBOOKS):
        main = BeautifulSoup((site / f"{notebook.stem}.html").read_text(encoding="utf-8"), "html.parser").main
        outputs = main.select(".output_area math")
        assert len(main.select("math")) - len(outputs) == len(formulas(notebook))
        assert len(outputs) == (notebook.name == "01-first.ipynb")
        for code in main.select("code, pre, script"):
            code.decompose()
        assert "$" not in main.text


def test_what_a_formula_becomes():
    assert (re.sub("<math.*?</math>", "M", markdown("$x$ a ($x$). b, $y$"))
            == '<p>M a <span class="whole">(M).</span> b, M</p>\n')
    assert mathml("x_1") == '<math display="inline"><mrow><msub><mi>x</mi><mn>1</mn></msub></mrow></math>'
    assert mathml(r"\dots.") == '<math display="inline"><mrow><mi>&#x02026;</mi><mi>&#x0002E;</mi></mrow></math>'
    assert mathml(r"\text{a\_b}", "block") == '<math display="block"><mrow><mtext>a_b</mtext></mrow></math>'


@pytest.mark.parametrize("formula", ["x_{", r"\frac{1}", r"\nonsense x", r"x \\} y", "a & b", " "])
def test_a_formula_that_cannot_be_read_is_named_and_nothing_is_written(formula, tmp_path):
    (tmp_path / "README.md").write_text("# T")
    nbformat.write(new_notebook(cells=[new_markdown_cell(f"# T\n\n${formula}$ $$")]), tmp_path / "01-t.ipynb")
    with pytest.raises(ValueError, match=re.escape(f"01-t.ipynb: formula ${formula.strip()}$ cannot be read")):
        build([tmp_path / "01-t.ipynb"], tmp_path / "site", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01-t.ipynb", "README.md"]


@pytest.mark.parametrize("link", ["../gone.py", "../../outside.py"])
def test_a_link_that_leads_nowhere_is_named(link, tmp_path):
    (tmp_path / "outside.py").touch()
    project = tmp_path / "project"
    (project / "notebooks").mkdir(parents=True)
    nbformat.write(new_notebook(cells=[new_markdown_cell(f"# T\n\n[x]({link})")]), project / "notebooks" / "01-t.ipynb")
    with pytest.raises(ValueError,
                       match=f"01-t.ipynb: a link leads to .*{link.split('/')[-1]}, which is not a file of"):
        build(numbered(project / "notebooks"), tmp_path / "site", project)


def test_a_slider_keeps_its_script(small):
    script, = re.findall(r"<script>.*?</script>", SLIDER, re.DOTALL)
    assert script in (small / "01-first.html").read_text(encoding="utf-8")


def test_a_site_is_replaced_and_nothing_else_is(project, tmp_path):
    out = tmp_path / "out"
    build(numbered(project / "notebooks"), out, project)
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "of-before.html").touch()
    build(numbered(project / "notebooks"), out, project)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first
    (out / "index.html").write_text("mine")
    with pytest.raises(ValueError, match="holds something else than a site: give --out a new or empty folder"):
        build(numbered(project / "notebooks"), out, project)
    assert (out / "index.html").read_text() == "mine"


def test_the_notebooks_of_a_profile(tmp_path, capsys):
    words = ["site", "--profile", "smoke", "--store", str(tmp_path / "store"), "--out", str(tmp_path / "site")]
    assert main(words) == 1
    assert re.search(rf"lacks {numbered()[0].name}.*`python -m tarm notebooks --profile smoke --store .*` makes them",
                     capsys.readouterr().err)
    ran = tmp_path / "store" / "notebooks" / "smoke"
    ran.mkdir(parents=True)
    for path in numbered():
        nbformat.write(new_notebook(cells=[new_markdown_cell(f"# As run: {path.stem}")]), ran / path.name)
    assert main(words) == 0 and "index.html" in capsys.readouterr().out
    assert f"As run: {numbered()[0].stem}" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_a_missing_package_is_one_line(monkeypatch, capsys):
    for name in "tarm.site", "tarm.markup":
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("tarm.site")
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    assert main(["site"]) == 1
    error = capsys.readouterr().err
    assert "latex2mathml" in error and "pip install -e '.[test]'" in error and error.count("\n") == 1


# In a browser.

needs_browser = pytest.mark.skipif(executable() is None, reason="there is no Chromium on the PATH")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def served(site):
    """The site's address on a server of this machine."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


CONTRAST = """(() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const channel = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const ground = e => { for (; e; e = e.parentElement) {
    const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor); if (a > 0) return [r, g, b]; } };
  const low = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.closest("svg, script")) continue;
    const [a, b] = [luminance(numbers(getComputedStyle(e).color)), luminance(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push([texts.currentNode.data, ratio]);
  }
  return low;
})()"""


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_load_from_files_and_from_a_server(site, served, browser, dark):
    """With no error and no request beyond their own files; on a phone and on a desk; every text legible. Each page of
    the small site in four ways, of this project's light from files on a phone, and dark from a server on a desk."""
    for page in pages(site):
        for root, width in (site.as_uri(), 390), (served, 1280):
            if site.name == "site" and dark != (root == served):
                continue
            browser.visit(f"{root}/{page.relative_to(site).as_posix()}", width, dark=dark)
            assert browser.errors == [], page
            assert [url for url in browser.requests if not url.startswith((root, "data:"))] == []
            assert browser.run("Math.max(document.documentElement.scrollWidth, "
                               "document.body.scrollWidth)") <= width, page
            assert browser.run(CONTRAST) == [], page
            assert browser.run("[...document.images].filter(image => !image.naturalWidth || !image.alt).length") == 0
            boxes = "[...document.querySelectorAll('math')].map(math => math.getBoundingClientRect())"
            assert browser.run(f"{boxes}.filter(box => box.width < 3 || box.height < 3).length") == 0, page


@needs_browser
def test_sliders_move(site, browser):
    """Each, moved to either end, changes what is shown beside it."""
    sliders = 0
    for page in pages(site):
        browser.visit(page.as_uri())
        sliders += browser.run("document.querySelectorAll('input[type=range]').length")
        assert browser.run("""[...document.querySelectorAll('input[type=range]')].filter(slider => {
            const shown = ["min", "max"].map(end => {
                slider.value = slider[end];
                slider.dispatchEvent(new Event("input", {bubbles: true}));
                return slider.closest(".output_html").innerHTML; });
            return shown[0] === shown[1]; }).length""") == 0, page
        assert browser.errors == []
    assert sliders >= sum(len(read(page).select("input[type=range]")) for page in pages(site))
    assert sliders or site.name == "site"


@needs_browser
def test_what_is_wide_scrolls_in_its_own_box(small, browser):
    browser.visit((small / "01-first.html").as_uri(), 390)
    for box in "span.wide", "div.wide", ".input pre", ".output_stdout pre":
        assert browser.run(f"(e => e.scrollWidth - e.clientWidth)(document.querySelector('{box}'))") > 50, box


@needs_browser
def test_light_and_dark_are_switched_and_kept(small, browser):
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.visit((small / "index.html").as_uri())
    light = browser.run(paper)
    browser.run("document.getElementById('theme').click()")
    assert (dark := browser.run(paper)) != light
    browser.visit((small / "01-first.html").as_uri())
    assert browser.run(paper) == dark
    browser.run("document.getElementById('theme').click()")
    assert browser.run(paper) == light


@needs_browser
def test_on_a_phone_the_chapters_are_behind_a_button(small, browser):
    seen = "document.getElementById('contents').checkVisibility()"
    browser.visit((small / "01-first.html").as_uri(), 390)
    assert not browser.run(seen)
    browser.run("document.querySelector('.menu').click()")
    assert browser.run(seen)
    browser.visit((small / "01-first.html").as_uri(), 1280)
    assert browser.run(seen) and not browser.run("document.querySelector('.menu').checkVisibility()")


@needs_browser
def test_answers_open_and_the_keyboard_finds_the_text(small, browser):
    browser.visit((small / "01-first.html").as_uri(), 390)
    answer = "document.querySelector('.text_cell details p').checkVisibility()"
    height = "document.querySelector('.text_cell details').offsetHeight"
    before = browser.run(height)
    assert not browser.run(answer)
    browser.run("document.querySelector('.text_cell summary').click()")
    assert browser.run(answer) and browser.run(height) > before + 10
    browser.visit((small / "01-first.html").as_uri(), 390)
    for kind in "rawKeyDown", "keyUp":
        browser.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    focused = ("(e => [e.textContent, e.getBoundingClientRect().top >= 0, getComputedStyle(e).outlineStyle])"
               "(document.activeElement)")
    assert browser.run(focused) == ["Skip to the text", True, "solid"]

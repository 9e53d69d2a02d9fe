"""The executed notebooks as a static site, for reading without Jupyter: no server, no request beyond its own files."""

import contextlib
import posixpath
import re
import shutil
from functools import partial
from html import escape, unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import nbformat
from nbconvert import HTMLExporter
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from traitlets.config import Config

from .markup import markdown, opening, plain
from .store import PROJECT

TEMPLATE = Path(__file__).parent / "site_template"
MARK = '<meta name="generator" content="tarm">'  # a folder whose index.html has it may be replaced
LINK = re.compile(r'(<(?:a|img)\b[^>]*?\s(?:href|src)=")([^"]+)"')


class Chapter(NamedTuple):
    notebook: Path
    page: str     # its place in the site
    title: str
    opening: str  # its first paragraph, HTML


class Site:
    """Pages of some notebooks, and of each file of the project that they link to, and that these link to.

    A page is named by its place in the site, such as project/README.md.html.
    """

    def __init__(self, notebooks, folder, project):
        self.folder, self.project, self.shown = folder, project.resolve(), {}
        self.exporter = HTMLExporter(template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)],
                                     config=Config(ExtractOutputPreprocessor={"enabled": True}))
        self.template = self.exporter.environment.get_template
        self.chapters = []
        for path in notebooks:
            texts = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
            with naming(path):
                self.chapters.append(Chapter(path, f"{path.stem}.html", *opening("\n\n".join(texts), path.stem)))

    def place(self, file):
        """The page of a file or folder of the project, which is now to be written. Raises ValueError for any other."""
        if not file.exists() or not file.is_relative_to(self.project):
            raise ValueError(f"a link leads to {file}, which is not a file of {self.project}")
        for chapter in self.chapters:
            if file == self.project / "notebooks" / chapter.notebook.name:
                return chapter.page
        suffix = "/index.html" if file.is_dir() else "" if is_copied(file) else ".html"
        return self.shown.setdefault(file, f"project/{file.relative_to(self.project).as_posix()}{suffix}")

    def text(self, source, page, text):
        """Markdown -> HTML for a page; links to files, as seen from the file `source`, lead to their pages, and links
        to a heading, written as GitHub wants them, to its place."""
        html = markdown(text)
        places = {re.sub(r"[^\w-]", "", name).lower(): name for name in re.findall(r'<h\d id="([^"]*)"', html)}

        def new(match):
            url = urlsplit(unescape(match[2]))
            if url.scheme or url.netloc:
                return match[0]
            if not url.path:
                return f'{match[1]}#{places.get(url.fragment, url.fragment)}"'
            target = relative(self.place((source.parent / unquote(url.path)).resolve()), page)
            return f'{match[1]}{target}{"#" * bool(url.fragment)}{url.fragment}"'

        return LINK.sub(new, html)

    def write(self, page, title, body):
        """One page: `body` beside the list of chapters, above the links to the chapters before and after."""
        number = next((n for n, chapter in enumerate(self.chapters) if chapter.page == page), None)
        sections = [(name, plain(text)) for name, text in re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', body)]
        path = self.folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.template("page.html.j2").render(
            mark=MARK, title=title, body=body, page=page, number=number, sections=sections, chapters=self.chapters,
            to=partial(relative, page=page)), encoding="utf-8", newline="\n")

    def write_chapter(self, chapter):
        source = self.project / "notebooks" / chapter.notebook.name
        self.exporter.register_filter("markdown2html", partial(self.text, source, chapter.page))
        with naming(chapter.notebook):
            body, resources = self.exporter.from_notebook_node(
                nbformat.read(chapter.notebook, as_version=4),
                {"unique_key": chapter.notebook.stem, "output_files_dir": "images"})
        self.write(chapter.page, chapter.title, body)
        for name, data in (resources["outputs"] or {}).items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(data)

    def write_file(self, file, page):
        """A file of the project: a folder as its list of files, Markdown as text, pictures as is, others as code."""
        name = file.relative_to(self.project).as_posix()
        if file.is_dir():
            inside = [child for child in sorted(file.iterdir()) if child.is_file() and not child.name.startswith(".")]
            links = "\n".join(f'<li><a href="{relative(self.place(child), page)}">{escape(child.name)}</a></li>'
                              for child in inside)
            self.write(page, name, f"<h1>{escape(name)}</h1>\n<ul>\n{links}\n</ul>")
        elif is_copied(file):
            (self.folder / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.folder / page)
        elif file.suffix == ".md":
            self.write(page, name, self.text(file, page, file.read_text(encoding="utf-8")))
        else:
            code = highlight(file.read_text(encoding="utf-8"), lexer(file), HtmlFormatter())
            self.write(page, name, f"<h1>{escape(name)}</h1>\n{code}")

    def write_all(self):
        for chapter in self.chapters:
            self.write_chapter(chapter)
        readme = self.project / "README.md"
        title, first = opening(readme.read_text(encoding="utf-8"), self.project.name)
        self.write("index.html", title, self.template("home.html.j2").render(
            title=title, opening=first, chapters=self.chapters, readme=self.place(readme)))
        while waiting := [file for file in self.shown if not (self.folder / self.shown[file]).exists()]:
            with naming(waiting[0]):
                self.write_file(waiting[0], self.shown[waiting[0]])
        for name in "style.css", "theme.js":
            shutil.copyfile(TEMPLATE / name, self.folder / name)


@contextlib.contextmanager
def naming(path):
    """Put the file's name before a ValueError raised inside."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def relative(target, page):
    """The link from one page to another."""
    return quote(posixpath.relpath(target, posixpath.dirname(page) or "."))


def is_copied(file):
    """Pictures, tables and whatever is not text are no pages."""
    return file.suffix in (".svg", ".csv") or b"\0" in file.read_bytes()


def lexer(file):
    try:
        return get_lexer_for_filename(file.name)
    except ClassNotFound:
        return TextLexer()


def build(notebooks, out, project=PROJECT):
    """Write the site of these executed notebooks to the folder `out`, in place of one that is there; -> its pages.

    Links in the notebooks are read as from project/notebooks. Raises ValueError for a formula that
    cannot be read, a link that leads nowhere, and a folder that holds something else than a site.
    """
    out = out.resolve()
    index = out / "index.html"
    if out.exists() and any(out.iterdir()) and not (index.exists() and MARK in index.read_text(encoding="utf-8")):
        raise ValueError(f"{out} holds something else than a site: give --out a new or empty folder")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        Site(notebooks, part, project).write_all()
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return sorted(out.rglob("*.html"))

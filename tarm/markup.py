"""Markdown to HTML as Jupyter has it, but with formulas as MathML, which browsers show without a script."""

import re
from html import escape, unescape
from xml.etree import ElementTree

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

ARGUMENTS = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "mroot": 2, "msubsup": 3, "munderover": 3}

# A formula in a sentence, and the signs that stay on its line.
SENTENCE = re.compile(r'\(?<math display="inline">(?:(?!</math>).)*</math>[.,;:!?)]+')


def mathml(formula, display="inline"):
    """A formula in LaTeX -> a <math> element; display: "inline" or "block".

    Raises ValueError, with the formula, where it is not one: latex2mathml lets unknown commands and
    missing arguments pass, and a page would show them as they are.
    """
    try:
        made = convert(formula.replace("{aligned}", "{align*}"), display=display)
        made = re.sub(r"\\([_%#$])", r"\1", made)  # escapes in \text, which it leaves alone
        made = re.sub(r"<mo>(\.|&#x0002E;|&#x02026;)</mo>", r"<mi>\1</mi>", made)  # dots: no space around them
        for element in ElementTree.fromstring(made).iter():
            if len(element) != ARGUMENTS.get(element.tag.rpartition("}")[2], len(element)):
                raise ValueError("an argument is missing")
            if element.tag.endswith("}mi") and re.search(r"[\\{}]", element.text or ""):
                raise ValueError(f"{element.text} is unknown")
    except Exception as error:  # latex2mathml's own errors have no class in common
        raise ValueError(f"formula ${formula.strip()}$ cannot be read: {error or type(error).__name__}") from error
    return re.sub(r' xmlns="[^"]*"', "", made, count=1)


class Renderer(IPythonRenderer):
    """Tables and displayed formulas get boxes to scroll in; headings get the names that Jupyter gives them."""

    def text(self, text):
        return re.sub(r"(?<=\d) (?=%)", "\u00a0", super().text(text))  # a number and its % stay on one line

    def inline_math(self, body):
        return mathml(body)

    def block_math(self, body):
        return f'<span class="wide">{mathml(body, "block")}</span>'

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def table(self, text):
        return f'<div class="wide"><table>{text}</table></div>\n'

    def heading(self, text, level, **attributes):
        return f'<h{level} id="{escape(plain(text).replace(" ", "-"))}">{text}</h{level}>\n'


def markdown(text):
    """Markdown -> HTML. Raises ValueError for a formula that cannot be read."""
    html = MarkdownWithMath(renderer=Renderer(escape=False)).render(text)
    return SENTENCE.sub(r'<span class="whole">\g<0></span>', html)


def plain(html):
    """The text of a piece of HTML."""
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def opening(text, otherwise):
    """A text's first heading, as plain text, or `otherwise`; and the paragraph after it, as HTML without links."""
    html = markdown(text)
    title = re.search(r"<h\d[^>]*>(.*?)</h\d>", html, re.DOTALL)
    first = re.compile(r"<p>(.*?)</p>", re.DOTALL).search(html, title.end() if title else 0)
    return plain(title[1]) if title else otherwise, re.sub(r"</?(a|img)\b[^>]*>", "", first[1]) if first else ""

"""A slider over pictures made beforehand: plain JavaScript, no library, works in a page opened from a file.

A frame is a small SVG. Where scripts do not run, as on a code host's preview, the frames stand one below
the other, or the last one alone.
"""

import hashlib
import html
import math

from .drawing import on

SHADE = "#2878b8"  # of a right character that is sure
LEAST = 1e-8       # share that a bar still shows
FONT = "font-family='sans-serif'"

PAGE = """<div id="{id}" style="max-width:{width}px">
<label style="display:flex;gap:.6em;align-items:center;font-family:sans-serif;font-size:14px">
<button type="button" aria-label="play">&#9654;</button>
<input type="range" min="0" max="{last}" value="{last}" style="flex:1" aria-label="{alt}">
<output style="min-width:8em"></output></label>
{frames}
<script>
(function () {{
  var root = document.getElementById("{id}"), slider = root.querySelector("input"), timer = null;
  var frames = root.querySelectorAll("[data-label]"), button = root.querySelector("button");
  function show() {{
    frames.forEach(function (frame, i) {{ frame.style.display = i == slider.value ? "block" : "none"; }});
    root.querySelector("output").textContent = frames[slider.value].dataset.label;
  }}
  function stop() {{ clearInterval(timer); timer = null; button.innerHTML = "&#9654;"; }}
  button.onclick = function () {{
    if (timer) return stop();
    button.innerHTML = "&#9646;&#9646;";
    if (slider.value == slider.max) slider.value = 0;
    show();
    timer = setInterval(function () {{
      if (slider.value == slider.max) return stop();
      slider.value = +slider.value + 1;
      show();
    }}, {pause});
  }};
  slider.oninput = function () {{ stop(); show(); }};
  show();
}})();
</script></div>"""


def slides(frames, labels, alt, pause=700):
    """The HTML of a slider over SVG frames. pause: milliseconds for each while it plays.

    Raises ValueError where there is not one label for each frame.
    """
    if len(frames) != len(labels) or not frames:
        raise ValueError(f"{len(frames)} frames with {len(labels)} labels: give one label for each frame, and a frame")
    width = int(frames[-1].split("viewBox='0 0 ")[1].split()[0])
    hidden = [";display:none"] * (len(frames) - 1) + [""]
    divs = "\n".join(f'<div data-label="{html.escape(label)}" style="width:100%{style}">{frame}</div>'
                     for frame, label, style in zip(frames, labels, hidden))
    name = "slides-" + hashlib.sha256(f"{alt} {labels}".encode()).hexdigest()[:8]
    return PAGE.format(id=name, width=width, last=len(frames) - 1, alt=html.escape(alt), frames=divs, pause=pause)


def play(frames, labels, alt, pause=700):
    """Show a slider in a notebook; alt says in words what moves."""
    import IPython.display  # an extra: only notebooks need it

    IPython.display.display({"text/html": slides(frames, labels, alt, pause), "text/plain": alt}, raw=True)


def svg(width, height, parts, alt):
    """One picture, on one line."""
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' role='img' width='100%' "
            f"{FONT} aria-label='{html.escape(alt, quote=True)}'><rect width='100%' height='100%' fill='white'/>"
            + "".join(parts) + "</svg>")


def box(x, y, width, height, fill, edge="none", dashed=False):
    dash = " stroke-dasharray='2 2'" if dashed else ""
    return (f"<rect x='{x:.4g}' y='{y:.4g}' width='{width:.4g}' height='{height:.4g}' rx='2' fill='{fill}' "
            f"stroke='{edge}'{dash}/>")


def words(x, y, text, size=13, fill="#222222", anchor="start", bold=False):
    weight = " font-weight='bold'" if bold else ""
    return (f"<text x='{x:.4g}' y='{y:.4g}' font-size='{size}' fill='{fill}' text-anchor='{anchor}'{weight}>"
            f"{html.escape(text)}</text>")


def guesses(rows, alt):
    """A frame of text: rows of (label, characters, right or wrong for each, probability of each).

    A wrong character is struck out as well as pale, so that it is seen without colour.
    """
    parts, left, cell = [], 120, 30
    for r, (label, characters, right, sure) in enumerate(rows):
        y = 8 + 34 * r
        parts.append(words(left - 10, y + 20, label, 14, "#444444", "end"))
        for c, (character, good, p) in enumerate(zip(characters, right, sure)):
            x = left + cell * c
            fill = blend(SHADE, p) if good else "#ffffff"
            parts.append(box(x, y, cell - 2, 28, fill, SHADE if good else "#bbbbbb", not good))
            parts.append(words(x + 14, y + 20, character.replace("\n", "\u21b5"), 16,
                               on(fill) if good else "#888888", "middle"))
            if not good:
                parts.append(f"<path d='M{x + 5} {y + 24}L{x + 23} {y + 4}' stroke='#bbbbbb'/>")
    longest = max(len(row[1]) for row in rows)
    return svg(left + cell * max(longest, 4) + 10, 34 * len(rows) + 12, parts, alt)


def blend(colour, share):
    """The colour over white, share from 0 (white) to 1, as #rrggbb."""
    parts = [int(colour[i:i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * min(1, max(0, share))):02x}" for part in parts)


def pass_boxes(passes, ladder, budget, alt):
    """A frame of compute placement: one row for each rung, one box for each pass of the budget.

    passes: rows of `tarm.placement.compute_placement`. Filled: receives a gradient; white: runs without
    one; dashed: does not run; a triangle: the head reads it.
    """
    parts, left, width = [], 118, 480
    cell = (width - left - 4) / budget
    for r, (rung, rows) in enumerate(passes.groupby("rung", sort=False)):
        y, colour = 14 + 34 * r, ladder[rung].colour
        parts.append(words(left - 8, y + 15, ladder[rung].short, 13, "#222222", "end"))
        for row in rows.itertuples():
            x = left + cell * (row[2] - 1)
            fill = colour if row.gradient else "#ffffff"
            parts.append(box(x, y, cell - 2, 20, fill, colour if row.executed else "#bbbbbb", not row.executed))
            if row.readout:
                middle = x + cell / 2 - 1
                parts.append(f"<path d='M{middle - 4:.4g} {y - 8}h8l-4 6z' fill='#222222'/>")
    return svg(width, 14 + 34 * passes["rung"].nunique(), parts, alt)


def bars(rows, alt, top):
    """A frame of horizontal bars on a logarithmic scale from 0.01 to `top`: rows of (label, value, colour)."""
    parts, left, width = [], 60, 480
    scale = (width - left - 90) / (math.log10(top) + 2)
    for r, (label, value, colour) in enumerate(rows):
        y, length = 8 + 34 * r, max(1.0, scale * (math.log10(max(value, 0.01)) + 2))
        parts += [words(left - 8, y + 19, label, 15, "#222222", "end", bold=True), box(left, y, length, 26, colour),
                  words(left + length + 6, y + 18, f"{value:,.3g}" if value < 100 else f"{value:,.0f}", 13)]
    return svg(width, 34 * len(rows) + 10, parts, alt)


def shares(panels, alt):
    """A frame of panels, each with one bar for every cycle of a loop.

    panels: rows of (title, shares of the cycles, how many of the last ones get a gradient, colour, logarithmic?).
    Filled: gets one; white: gets none. A logarithmic scale goes from LEAST to 1, what is smaller stands as a stump;
    a linear one from 0 to 0.25, 0.5 or 1.
    """
    parts, left, width, height = [], 58, 480, 70
    for r, (title, found, window, colour, log) in enumerate(panels):
        top, cell = 26 + 108 * r, min(36, (width - left - 6) / len(found))
        full = 1 if log else next((limit for limit in (0.25, 0.5) if max(found) <= limit), 1)

        def high(share):
            return height * (1 - math.log(max(share, LEAST)) / math.log(LEAST) if log else share / full)

        parts.append(words(4, top - 9, title, 14, "#222222", bold=True))
        for share in (1, LEAST**0.5, LEAST) if log else (full, full / 2, 0):
            y = top + height - high(share)
            parts += [f"<path d='M{left} {y:.4g}H{width - 6}' stroke='#dddddd'/>",
                      words(left - 6, y + 4, f"{share:g}", 12, "#666666", "end")]
        for k, share in enumerate(found):
            length, fill = max(2 if log else 0, high(share)), colour if k >= len(found) - window else "#ffffff"
            parts.append(box(left + cell * k + 1, top + height - length, cell - 2, length, fill, colour))
    return svg(width, 108 * len(panels) + 4, parts, alt)

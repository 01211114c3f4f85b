"""What all pages have in common: one look, one way to draw figures, and text that can become no tag."""

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from specaug.errors import UserError
from specaug.study.places import replaced

BLUE, ORANGE, GREY = "#3d7ec2", "#d9732f", "#8a8a8a"  # all can be read on white and on black
GREEN, PURPLE, OCHRE, RED, TEAL = "#2f9868", "#a05fb8", "#a98600", "#d0524f", "#2b95a5"
MARGIN = {"l": 52, "r": 12, "t": 12, "b": 44}
HERE = Path(__file__).parent

# Nothing is asked for from elsewhere, whatever a page holds; what is shown and played lies in it.
ALONE = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "media-src data: blob:; base-uri 'none'; form-action 'none'"
)

Table = Sequence[Sequence[str]]  # rows of cells that are HTML already, the header first


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


def plain(traces: Sequence[Any], x: str, y: str, height: int, **more: Any) -> Any:
    """A figure without colours of its own around what is shown, so that it suits any page."""
    axis = {"gridcolor": "#dddddd", "zeroline": False, "automargin": True, "fixedrange": True}
    return go.Figure(
        list(traces),
        {
            "template": "none",
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "height": height,
            "margin": MARGIN,
            "showlegend": False,
            "hovermode": "closest",
            "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": "#111111"}},
            "xaxis": {"title": {"text": x}, **axis},
            "yaxis": {"title": {"text": y}, **axis},
            **more,
        },
    )


def embedded(name: str, value: Any) -> str:
    """A value as JSON in an element that scripts find by `name`; no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return in_script(name, text.replace("<", "\\u003c"))


def in_script(name: str, text: str) -> str:
    """JSON without < in an element."""
    return f'<script type="application/json" id="{escape(name)}">{text}</script>'


def division(name: str, figure: Any) -> str:
    """A figure that is drawn once it is looked at; its name is what it is for those who do not see it."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name)
    text = figure.to_json()  # in which plotly has escaped every < already
    height = figure.layout.height
    place = (
        f'<div class="chart" id="{slug}" role="img" aria-label="{escape(name)}" style="height: {height}px">'
    )
    return f"{place}</div>{in_script(f'{slug}-figure', text)}"


def captioned(drawing: str, caption: str) -> list[str]:
    """A figure over its caption; nothing where there is none."""
    if not drawing:
        return []
    return [f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"]


def tabled(rows: Table, kind: str = "", left: int = 1) -> str:
    """An HTML table: the first `left` columns to the left, the others to the right."""
    header, *body = (
        "".join(cell(text, "td" if y else "th", "left" if x < left else "") for x, text in enumerate(row))
        for y, row in enumerate(rows)
    )
    lines = "".join(f"<tr>{line}</tr>" for line in body)
    return (
        f'<div class="wide"><table class="{kind}"><thead><tr>{header}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def cell(text: str, tag: str, kind: str) -> str:
    """One cell; a header says that it is one of a column."""
    scope = ' scope="col"' if tag == "th" else ""
    kind = f' class="{kind}"' if kind else ""
    return f"<{tag}{scope}{kind}>{text}</{tag}>"


def whole(title: str, parts: Iterable[str], styles: Sequence[str] = (), scripts: Sequence[str] = ()) -> str:
    """A page of parts that are HTML already; `styles` and `scripts` name files beside this one."""
    style = "".join(asset(name) for name in ("style.css", *styles))
    script = "\n".join(asset(name) for name in scripts)
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{ALONE}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f'<body><main>\n{body}\n</main><script type="text/plain" id="plotly">{get_plotlyjs()}</script>'
        f'<script type="module">{asset("charts.js")}</script>'
        f'<script type="module">{script}</script></body></html>\n'
    )


def put(text: str, out: Path) -> Path:
    """The page, written whole or not at all. Raises UserError where it cannot be."""
    if not out.name or out.is_dir():
        raise UserError(f"{out}: a folder; expected a file that can be written")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replaced(out, text)
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}; expected a file that can be written") from None
    return out

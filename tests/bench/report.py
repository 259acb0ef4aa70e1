"""What people see of the figures: a table in Markdown, and a plot."""
from __future__ import annotations

from html import escape

from rows import Row

OWN, OTHER, LIMIT, INK, FAINT = "#2a78d6", "#9aa0a6", "#dfe3e8", "#1f2328", "#656d76"
LABELS, BARS, FIGURES = 250, 420, 90  # pixels, from left to right
LINE, GAP = 18, 30


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def own_name(name: str, row: Row) -> bool:
    """Whether that figure is one of rcmd's: in a row without others they all are."""
    return "rcmd" in name or not any("rcmd" in each for each in row.figures)


def figure_text(figures: dict[str, float]) -> str:
    return "; ".join(f"{name} {number(value)}" for name, value in figures.items())


def table(rows: list[Row]) -> str:
    lines = ["| row | rcmd | others | limit | must reach | reached |", "|---|---|---|---|---|---|"]
    for row in rows:
        own = {name: value for name, value in row.figures.items() if own_name(name, row)}
        others = {name: value for name, value in row.figures.items() if name not in own}
        unit = f" ({row.unit})" if row.unit else ""
        reached = "; ".join(f"{number(each.value)}{'' if each.reached else ' **no**'}" for each in row.required)
        text = figure_text(own) if list(own) != ["rcmd"] else number(own["rcmd"])
        lines.append(f"| {row.name}{unit} | {text} | {figure_text(others)} | {figure_text(row.limits)} | "
                     f"{'; '.join(each.text for each in row.required)} | {reached} |")
    return "\n".join(lines) + "\n"


def plot(rows: list[Row]) -> str:
    """For each row a bar a figure, the longest of a row being as long as there is room."""
    parts: list[str] = []
    y = GAP
    for row in rows:
        parts.append(text(10, y, f"{row.name}{f', {row.unit}' if row.unit else ''}", INK, bold=True))
        y += LINE // 2
        bars = [(name, value, OWN if own_name(name, row) else OTHER) for name, value in row.figures.items()]
        bars += [(name, value, LIMIT) for name, value in row.limits.items()]
        longest = max(value for _, value, _ in bars)
        for name, value, colour in bars:
            length = max(1.0, BARS * value / longest)
            parts.append(text(LABELS - 8, y + 13, name, FAINT, anchor="end"))
            parts.append(f'<rect x="{LABELS}" y="{y + 2}" width="{length:.1f}" height="{LINE - 4}" fill="{colour}"/>')
            parts.append(text(LABELS + length + 6, y + 13, number(value), INK))
            y += LINE
        y += GAP
    width = LABELS + BARS + FIGURES
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{width}" height="{y}" fill="white"/>', *parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, colour: str, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(words)}</text>'

"""Small inline charts: SVG text from numbers only, so nothing in them needs escaping but the labels given here."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from gasp_env.config import Band

__all__ = ("histogram", "lines")

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 520, 160, 34, 22


def histogram(counts: Mapping[int, int], band: Band | None) -> Markup:
    """Bars over the tenths of a solve rate, with the accepted band shaded."""
    top = max(counts.values(), default=0) or 1
    step, floor = (_WIDTH - _LEFT) / 11, _HEIGHT - _BOTTOM
    parts = [_axes(f"{top}", "0")]
    if band is not None:
        left, right = _LEFT + band.low * step, _LEFT + (band.high + 1) * step
        parts.append(f'<rect class="band" x="{left:.1f}" y="0" width="{right - left:.1f}" height="{floor}"/>')
    for tenth in range(11):
        count, x = counts.get(tenth, 0), _LEFT + tenth * step
        height = floor * count / top * 0.94
        parts.append(
            f'<rect class="bar" x="{x + 3:.1f}" y="{floor - height:.1f}" width="{step - 6:.1f}" height="{height:.1f}">'
            f"<title>{tenth / 10:.1f}: {count}</title></rect>"
            f'<text x="{x + step / 2:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">{tenth / 10:.1f}</text>'
        )
    return _svg(parts, "Proposals by solve rate")


def lines(series: Mapping[str, Sequence[tuple[float, float]]]) -> Markup:
    """One line a series, on shared axes."""
    points = [point for found in series.values() for point in found]
    if not points:
        return Markup("")
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y, high_y = min(0.0, *(y for _, y in points)), max(1.0, *(y for _, y in points))
    floor = _HEIGHT - _BOTTOM

    def place(x: float, y: float) -> str:
        across = (x - low_x) / ((high_x - low_x) or 1)
        return f"{_LEFT + 6 + across * (_WIDTH - _LEFT - 12):.1f},{floor - (y - low_y) / (high_y - low_y) * (floor - 8):.1f}"

    parts = [_axes(f"{high_y:.1f}", f"{low_y:.1f}")]
    for number, (name, found) in enumerate(series.items()):
        path = " ".join(place(x, y) for x, y in found)
        parts.append(f'<polyline class="line s{number % 5}" points="{path}"><title>{escape(name)}</title></polyline>')
        parts += [f'<circle class="dot s{number % 5}" cx="{x}" cy="{y}" r="2"/>' for x, y in _pairs(path)]
    parts.append(f'<text x="{_WIDTH - 6}" y="{_HEIGHT - 6}" text-anchor="end">episode {high_x:.0f}</text>')
    return _svg(parts, "Mean reward over episodes")


def _pairs(path: str) -> list[tuple[str, str]]:
    return [(x, y) for x, _, y in (pair.partition(",") for pair in path.split())]


def _axes(top: str, bottom: str) -> str:
    floor = _HEIGHT - _BOTTOM
    return (
        f'<path class="axis" d="M{_LEFT},4 V{floor} H{_WIDTH}"/>'
        f'<text x="{_LEFT - 4}" y="12" text-anchor="end">{escape(top)}</text>'
        f'<text x="{_LEFT - 4}" y="{floor}" text-anchor="end">{escape(bottom)}</text>'
    )


def _svg(parts: Sequence[str], label: str) -> Markup:
    body = "".join(parts)
    text = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{body}</svg>'
    return Markup(text)  # noqa: S704 - numbers and escaped labels only

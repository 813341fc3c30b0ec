"""The pass@k curve as one SVG file without outside assets."""

from collections.abc import Mapping, Sequence
from html import escape

from gasp_env.evaluate.summary import Estimate

__all__ = ("pass_curve",)

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 560, 320, 48, 130, 16, 40
_COLORS = ("#2563eb", "#d97706", "#059669", "#7c3aed", "#dc2626")


def pass_curve(series: Mapping[str, Sequence[Estimate]]) -> str:
    """One line with its interval band a series; k on equal steps."""
    ks = sorted({one.k for found in series.values() for one in found})
    top = max((one.high for found in series.values() for one in found), default=1.0) or 1.0
    parts = _axes(ks, top)
    for number, (name, found) in enumerate(series.items()):
        parts += _line(name, found, ks, top, number)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="pass@k"><rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _x(place: int, count: int) -> float:
    room = _WIDTH - _LEFT - _RIGHT
    return _LEFT + room * (place / (count - 1) if count > 1 else 0.5)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _axes(ks: Sequence[int], top: float) -> list[str]:
    parts: list[str] = []
    for step in range(5):
        value = top * step / 4
        y = _y(value, top)
        parts.append(f'<path d="M{_LEFT},{y:.1f} H{_WIDTH - _RIGHT}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for place, k in enumerate(ks):
        x = _x(place, len(ks))
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{k}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">k</text>')
    parts.append(f'<text x="{_LEFT}" y="12">pass@k, percent</text>')
    return parts


def _line(name: str, found: Sequence[Estimate], ks: Sequence[int], top: float, number: int) -> list[str]:
    color = _COLORS[number % len(_COLORS)]
    places = [(_x(ks.index(one.k), len(ks)), one) for one in found]
    if not places:
        return []
    upper = [f"{x:.1f},{_y(one.high, top):.1f}" for x, one in places]
    lower = [f"{x:.1f},{_y(one.low, top):.1f}" for x, one in reversed(places)]
    middle = [f"{x:.1f},{_y(one.value, top):.1f}" for x, one in places]
    last_x, last = places[-1]
    return [
        f'<polygon points="{" ".join(upper + lower)}" fill="{color}" opacity="0.15"/>',
        f'<polyline points="{" ".join(middle)}" fill="none" stroke="{color}" stroke-width="2"/>',
        *(f'<circle cx="{point.split(",")[0]}" cy="{point.split(",")[1]}" r="3" fill="{color}"/>' for point in middle),
        f'<text x="{last_x + 8:.1f}" y="{_y(last.value, top) + 4:.1f}" fill="{color}">{escape(name[:18])}</text>',
    ]

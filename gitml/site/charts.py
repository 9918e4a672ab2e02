"""Vega specifications of the charts; pure values, without data and without a user's text.

Scripts of the page fill in the data sets (paths already in pixels) and the signals: size, colours
of the theme, titles, domains. Each specification therefore serves any number of runs and axes, and
a user's names are only ever data values. Many-line charts use one ``path`` mark per run, which is
several times faster than line marks.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_COLOURS = {"ink": "#222", "quiet": "#666", "rule": "#ccc", "card": "#fff", "accent": "#06c"}
_PADDING = {"left": 64, "right": 20, "top": 12, "bottom": 46}
_AT = {"x": {"scale": "x", "field": "x"}, "y": {"scale": "y", "field": "y"}}
_FONT = "system-ui, sans-serif"


def _signals(**more: object) -> list[Spec]:
    values = {"width": 600, "height": 320, **_COLOURS, **more}
    return [{"name": name, "value": value} for name, value in values.items()]


def _spec(**more: object) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "autosize": "none",
        "config": {"text": {"font": _FONT}, "axis": {"labelFont": _FONT, "titleFont": _FONT}},
        **more,
    }


def _set(**channels: object) -> Spec:
    """Encode channels: text and numbers as values, ``=name`` as a field, dicts as they are."""
    encoded: Spec = {}
    for name, value in channels.items():
        if isinstance(value, str) and value.startswith("="):
            encoded[name] = {"field": value[1:]}
        else:
            encoded[name] = value if isinstance(value, dict) else {"value": value}
    return encoded


def _signal(expression: str) -> Spec:
    return {"signal": expression}


def _mark(kind: str, data: str, update: Spec, **more: object) -> Spec:
    return {"type": kind, "from": {"data": data}, "encode": {"update": update}, **more}


def parallel() -> Spec:
    """Parallel coordinates: one path per run, one brush per axis.

    Data sets: ``lines`` (row, path, colour, on, name), ``axes`` (axis, at; for its title x, align,
    limit), ``ticks`` (x, dx, y, label, align), ``brushes`` (x, y0, y1). The signal ``drag`` tells
    an axis, the two ends of a drag in pixels, and whether the pointer was let go.
    """
    top, bottom = {"name": "top", "value": 34}, {"name": "bottom", "value": 300}
    return _spec(
        padding=0,
        signals=[*_signals(lineWidth=1.5, lineOpacity=0.8), top, bottom, _drag()],
        data=[{"name": name} for name in ("lines", "axes", "ticks", "brushes")],
        marks=[
            _run_lines(),
            _axis_rules(),
            _brush_areas(),
            _tick_labels(stroke=_signal("card"), strokeWidth=4, strokeOpacity=0.9),
            _tick_labels(),
            _axis_titles(),
            _hit_areas(),
        ],
    )


def _drag() -> Spec:
    moves = {
        "@hit:pointerdown": "{axis: datum.axis, from: y(), to: y(), done: false}",
        "[@hit:pointerdown, window:pointerup] > window:pointermove!": (
            "{axis: drag.axis, from: drag.from, to: y(), done: false}"
        ),
        "window:pointerup": (
            "drag && !drag.done"
            " ? {axis: drag.axis, from: drag.from, to: drag.to, done: true} : drag"
        ),
    }
    on = [{"events": events, "update": update} for events, update in moves.items()]
    return {"name": "drag", "value": None, "on": on}


def _run_lines() -> Spec:
    update = _set(
        stroke=_signal("datum.on ? datum.colour : rule"),
        strokeWidth=_signal("datum.on ? lineWidth : 0.75"),
        opacity=_signal("datum.on ? lineOpacity : 0.6"),
        zindex=_signal("datum.on ? 1 : 0"),
        tooltip=_signal("datum.on ? datum : null"),
    )
    mark = _mark("path", "lines", update, name="runs")
    mark["encode"]["enter"] = _set(path="=path", strokeJoin="round")
    mark["encode"]["hover"] = _set(strokeWidth=4, opacity=1, zindex=2)
    return mark


def _axis_rules() -> Spec:
    update = _set(x="=at", y=_signal("top"), y2=_signal("bottom"), stroke=_signal("quiet"))
    return _mark("rule", "axes", update, interactive=False)


def _brush_areas() -> Spec:
    accent = _signal("accent")
    update = _set(
        x=_signal("datum.x - 8"),
        width=16,
        y="=y0",
        y2="=y1",
        fill=accent,
        fillOpacity=0.22,
        stroke=accent,
        cornerRadius=2,
    )
    return _mark("rect", "brushes", update, interactive=False)


def _tick_labels(**style: object) -> Spec:
    update = _set(
        x=_signal("datum.x + datum.dx"),
        y="=y",
        text="=label",
        align="=align",
        baseline="middle",
        limit=92,
        fontSize=11,
        fill=_signal("quiet"),
        **style,
    )
    return _mark("text", "ticks", update, interactive=False)


def _axis_titles() -> Spec:
    update = _set(
        x="=x",
        y=14,
        text="=title",
        align="=align",
        limit="=limit",
        fontSize=12,
        fontWeight=600,
        fill=_signal("ink"),
    )
    return _mark("text", "axes", update, interactive=False)


def _hit_areas() -> Spec:
    update = _set(
        x=_signal("datum.at - 16"),
        width=32,
        y=_signal("top - 8"),
        y2=_signal("bottom + 8"),
        fill="transparent",
        cursor="ns-resize",
    )
    return _mark("rect", "axes", update, name="hit")


def scatter() -> Spec:
    """A point per run. Data set ``points`` (row, x, y, colour, on, name, text).

    The page sets the scales' types; their domains come from signals.
    """
    update = _set(
        **_AT,
        size=90,
        fill=_signal("datum.on ? datum.colour : rule"),
        fillOpacity=_signal("datum.on ? 0.85 : 0.4"),
        stroke=_signal("card"),
        strokeWidth=1,
        zindex=_signal("datum.on ? 1 : 0"),
        cursor="pointer",
        tooltip=_signal("datum"),
    )
    points = _mark("symbol", "points", update, name="runs")
    points["encode"]["hover"] = _set(size=160, zindex=2)
    return _plane(["points"], [points])


def curves() -> Spec:
    """Metric curves: ``lines`` (path in pixels, colour, dash, faint), ``dots`` (x, y, colour)."""
    drawn = _set(
        path="=path",
        stroke="=colour",
        strokeDash="=dash",
        strokeJoin="round",
        strokeWidth=_signal("datum.faint ? 1 : 2"),
        opacity=_signal("datum.faint ? 0.3 : 1"),
    )
    dots = _mark("symbol", "dots", _set(**_AT, size=260, fill="transparent"))
    dots["encode"]["update"] |= _set(stroke="transparent", tooltip=_signal("datum"))
    dots["encode"]["hover"] = _set(stroke="=colour", strokeWidth=2, size=60)
    return _plane(["lines", "dots"], [_mark("path", "lines", drawn, clip=True), dots])


def _plane(data: list[str], marks: list[Spec]) -> Spec:
    return _spec(
        padding=_PADDING,
        signals=_signals(xdomain=[0, 1], ydomain=[0, 1], xtitle="", ytitle=""),
        data=[{"name": name} for name in data],
        scales=[_scale("x", "width"), _scale("y", "height")],
        axes=[_axis("bottom", "x"), _axis("left", "y")],
        marks=marks,
    )


def _scale(name: str, extent: str) -> Spec:
    ends = [0, _signal(extent)] if name == "x" else [_signal(extent), 0]
    return {
        "name": name,
        "type": "linear",
        "domain": _signal(f"{name}domain"),
        "range": ends,
        "zero": False,
        "nice": False,
    }


def _axis(orient: str, scale: str) -> Spec:
    extent = "width" if scale == "x" else "height"
    return {
        "orient": orient,
        "scale": scale,
        "title": _signal(f"{scale}title"),
        "titleColor": _signal("ink"),
        "titleFontWeight": 500,
        "titleFontSize": 12,
        "titleLimit": 360,
        "titlePadding": 8,
        "labelColor": _signal("quiet"),
        "labelLimit": 110,
        "labelOverlap": True,
        "labelFontSize": 11,
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": _signal("rule"),
        "gridOpacity": 0.6,
        "tickCount": _signal(f"ceil({extent} / {80 if scale == 'x' else 45})"),
    }


def specs() -> dict[str, Spec]:
    """Give every chart by the name under which scripts find it."""
    return {"parallel": parallel(), "scatter": scatter(), "curves": curves()}

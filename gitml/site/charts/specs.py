"""Specify the charts in Vega: pure values, without data and without a user's text.

Scripts of the page fill in the data sets (everything already in pixels) and the signals: size,
colours of the theme, titles, domains. Two specifications therefore serve every chart: parallel
coordinates, and a plane of two axes with whatever marks lie on it. A user's names are only ever
data values. Many lines are ``path`` marks, which are several times faster than line marks, and
what is under the pointer is found by the page, because asking a thousand marks is slow.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_COLOURS = {"ink": "#222", "quiet": "#666", "rule": "#ccc", "card": "#fff", "accent": "#06c"}
_FONT = "system-ui, sans-serif"


def _signals(**more: object) -> list[Spec]:
    values = {"width": 600, "height": 320, **_COLOURS, **more}
    return [{"name": name, "value": value} for name, value in values.items()]


def _spec(**more: object) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "autosize": "none",
        "background": _signal("card"),
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


def _data(*names: str) -> list[Spec]:
    return [{"name": name} for name in names]


def _mark(kind: str, data: str, update: Spec, **more: object) -> Spec:
    encode = {"update": update}
    return {"type": kind, "from": {"data": data}, "interactive": False, "encode": encode, **more}


def parallel() -> Spec:
    """Parallel coordinates: one path per run.

    Data sets: ``lines`` (path, colour, on), ``hot`` (path, colour), ``axes`` (at; for its title x,
    title, align, limit), ``ticks`` (x, dx, y, label, align), ``brushes`` (x, y0, y1), ``legend``.
    The signal ``titles`` is true if the picture names its axes, false if the page does.
    """
    top, bottom = {"name": "top", "value": 34}, {"name": "bottom", "value": 300}
    more = {"lineWidth": 1.5, "lineOpacity": 0.8, "titles": False}
    return _spec(
        padding=0,
        signals=[*_signals(**more), top, bottom],
        data=_data("lines", "hot", "axes", "ticks", "brushes", "legend"),
        marks=[
            _run_lines(),
            *_hot_paths(),
            _axis_rules(),
            _brush_areas(),
            _tick_labels(stroke=_signal("card"), strokeWidth=7, strokeOpacity=0.9),
            _tick_labels(),
            _axis_titles(),
            *_legend("height - 10"),
        ],
    )


def _run_lines() -> Spec:
    update = _set(
        stroke=_signal("datum.on ? datum.colour : rule"),
        strokeWidth=_signal("datum.on ? lineWidth : 0.75"),
        opacity=_signal("datum.on ? lineOpacity : 0.6"),
        zindex=_signal("datum.on ? 1 : 0"),
    )
    mark = _mark("path", "lines", update)
    mark["encode"]["enter"] = _set(path="=path", strokeJoin="round")
    return mark


def _hot_paths() -> list[Spec]:
    """Draw the run under the pointer, on a halo that sets it apart from the others."""
    halo = _set(path="=path", stroke=_signal("card"), strokeWidth=8, strokeOpacity=0.85)
    line = _set(path="=path", stroke="=colour", strokeWidth=3.5, strokeJoin="round")
    return [_mark("path", "hot", halo), _mark("path", "hot", line)]


def _axis_rules() -> Spec:
    update = _set(x="=at", y=_signal("top"), y2=_signal("bottom"), stroke=_signal("quiet"))
    return _mark("rule", "axes", update)


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
    return _mark("rect", "brushes", update)


def _tick_labels(**style: object) -> Spec:
    update = _set(
        x=_signal("datum.x + datum.dx"),
        y="=y",
        text="=label",
        align="=align",
        baseline="middle",
        limit=150,
        fontSize=11,
        fill=_signal("quiet"),
        **style,
    )
    return _mark("text", "ticks", update)


def _axis_titles() -> Spec:
    update = _set(
        x="=x",
        y=14,
        text=_signal("titles ? datum.title : ''"),
        align="=align",
        limit="=limit",
        fontSize=12,
        fontWeight=600,
        fill=_signal("ink"),
    )
    return _mark("text", "axes", update)


def _legend(y: str) -> list[Spec]:
    """Explain the colours. Data set ``legend``: x, width, colour, label, line (pixels)."""
    shade = _set(x="=x", width="=width", y=_signal(f"{y} - 5"), height=10, fill="=colour")
    label = _set(
        x="=x",
        y=_signal(y),
        text="=label",
        baseline="middle",
        limit=150,
        fontSize=11,
        fill=_signal("quiet"),
    )
    return [_mark("rect", "legend", shade), _mark("text", "legend", label)]


def plane() -> Spec:
    """Two axes and what lies on them: points, curves, boxes, bars and contours.

    Data sets: ``grid`` (width, height, values: what contours are drawn from), ``bars`` (x, x2, y,
    y2, colour, opacity), ``rules`` (x, x2, y, y2, colour, width), ``lines`` (path, colour, dash,
    faint), ``dots`` (path, colour, opacity), ``labels`` (x, y, text, align; below the plane where
    y is null), ``hot`` (path, colour), ``legend``. The page sets the scales' types; their domains
    come from signals.
    """
    sets = ("grid", "bars", "rules", "lines", "dots", "labels", "hot", "legend")
    more = {
        "xtitle": "",
        "ytitle": "",
        "cell": 10,
        "inset": 0,
        "titles": False,
        "room": 110,
        "dot": 9,
        **dict.fromkeys(("xbase", "ybase"), 0),
        **dict.fromkeys(("xtime", "ytime"), False),
    }
    ends = {"xdomain": [0, 1], "ydomain": [0, 1], "levels": [0, 1], "shades": ["#222", "#222"]}
    return _spec(
        padding={"left": 64, "right": 20, "top": 30, "bottom": 46},
        signals=_signals(**more, **ends),
        data=[*_data(*sets), _isocontours()],
        scales=[_scale("x", "width"), _scale("y", "height"), _shades()],
        axes=[_axis("bottom", "x"), _axis("left", "y")],
        marks=[*_plane_marks(), *_hot_paths(), *_legend("-18 - 16 * (datum.line || 0)")],
    )


def _plane_marks() -> list[Spec]:
    return [_bars(), _areas(), _rules(), _curves(), *_dots(), _labels()]


def _isocontours() -> Spec:
    steps = {"type": "isocontour", "scale": _signal("cell"), "levels": 12}
    return {"name": "contours", "source": "grid", "transform": [steps]}


def _areas() -> Spec:
    update = _set(fill={"scale": "shade", "field": "contour.value"}, stroke=_signal("card"))
    update |= _set(strokeOpacity=0.25)
    geometry = [{"type": "geopath", "field": "datum.contour"}]
    return _mark("path", "contours", update, clip=True, transform=geometry)


def _shades() -> Spec:
    ends = {"domain": _signal("levels"), "range": _signal("shades")}
    return {"name": "shade", "type": "linear", "zero": False, **ends}


def _bars() -> Spec:
    update = _set(x="=x", x2="=x2", y="=y", y2="=y2", fill="=colour", cornerRadius=2)
    return _mark("rect", "bars", update | _set(fillOpacity="=opacity"))


def _rules() -> Spec:
    update = _set(x="=x", x2="=x2", y="=y", y2="=y2", stroke="=colour", strokeWidth="=width")
    return _mark("rule", "rules", update)


def _curves() -> Spec:
    update = _set(
        path="=path",
        stroke="=colour",
        strokeDash="=dash",
        strokeJoin="round",
        strokeWidth=_signal("datum.faint ? 1 : 2"),
        opacity=_signal("datum.faint ? 0.3 : 1"),
    )
    return _mark("path", "lines", update, clip=True)


def _dots() -> list[Spec]:
    """Draw points of one colour at once: steps of no length with round ends, on a halo."""
    shared = _set(path="=path", strokeCap="round", opacity="=opacity")
    halo = _set(stroke=_signal("card"), strokeWidth=_signal("dot + 2"))
    point = _set(stroke="=colour", strokeWidth=_signal("dot"))
    return [_mark("path", "dots", shared | look) for look in (halo, point)]


def _labels() -> Spec:
    update = _set(x="=x", text="=text", align="=align", baseline="middle", fontSize=11, limit=92)
    below = _signal("datum.y === null ? height + 11 : datum.y")
    return _mark("text", "labels", update | _set(y=below, fill=_signal("ink")))


def _scale(name: str, extent: str) -> Spec:
    start, stop = f"(inset + {name}base * ({extent} - 2 * inset))", f"{extent} - inset"
    inner = [start, stop] if name == "x" else [f"{extent} - {start}", "inset"]
    ends = [_signal(end) for end in inner]
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
        "labelLimit": 110 if scale == "x" else _signal("room"),
        "labelOverlap": True,
        "labelSeparation": 6,
        "labelFontSize": 11,
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": _signal("rule"),
        "gridOpacity": 0.6,
        "tickCount": _signal(f"ceil({extent} / {80 if scale == 'x' else 45})"),
        "encode": {"labels": {"update": {"text": _signal(_tick_text(scale))}}},
    }


def _tick_text(scale: str) -> str:
    """Return the expression of a tick's text; times have parts enough to tell ticks apart."""
    span = f"({scale}domain[1] - {scale}domain[0])"
    fine = ((6e3, "%H:%M:%S.%L"), (6e5, "%H:%M:%S"), (1.7e8, "%d %b %H:%M"))
    formats = (*fine, (None, "%Y-%m-%d"))
    choice = "".join(
        f"{span} < {limit:.0f} ? '{words}' : " if limit else f"'{words}'"
        for limit, words in formats
    )
    return f"{scale}time ? utcFormat(datum.value, {choice}) : datum.label"


def specs() -> dict[str, Spec]:
    """Return every specification by the name that scripts know it by."""
    return {"parallel": parallel(), "plane": plane()}

"""The page of the line: how it was chosen, and what another one would change."""

from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from ruamel.yaml import YAML

from pulse.calibration.linefile import document
from pulse.config import Config
from pulse.config.line import LineSettings
from pulse.engagement.line import Line
from pulse.history import History, Lines, Trial
from pulse.model.time import format_ms
from pulse.refusals import Refusal
from pulse.web.api.asking import Shared
from pulse.web.lists import beside, remembered
from pulse.web.pages.fleet import distributions
from pulse.web.pages.frame import path_of, signed_in, to_sign_in
from pulse.web.pages.holding import held_lines, moved, moved_lines, of_their_own
from pulse.web.pages.plots import Distribution
from pulse.web.pages.views import page
from pulse.web.service import Service

router = APIRouter(include_in_schema=False, default_response_class=Response)

DAYS: Final = 28
"""Over which another line is tried."""
_MOST_REPORT_BYTES: Final = 16 << 20

Enter = Annotated[float | None, Query(ge=1, le=94)]
Segment = Annotated[str | None, Query(max_length=256)]


class Seen(NamedTuple):
    """What a history says of two lines. `day`: the last day of which all is known."""

    day: date
    held: Line
    other: Line
    own: list[tuple[str, float]]
    """Segments that the line that holds is not for, and where danger begins in them."""
    stays: list[tuple[str, float]]
    """Those that the other one is not for."""
    trial: Trial
    plots: list[tuple[str, Distribution]]
    """For a wide page, and for a narrow one."""
    segments: list[str]
    """That there are to choose from."""


@router.get("/line")
async def line_page(
    request: Request, service: Shared, enter: Enter = None, segment: Segment = None
) -> Response:
    """The line that holds, and beside it another one."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    config, segment = service.config, segment or None
    seen, is_away = None, False
    if service.history is not None:
        kept = service.history
        seen, is_away = await remembered(lambda: _look(kept, config, enter, segment))
    return page(
        "line.html",
        at="/line",
        settings=config.line_for(segment),
        seen=seen,
        is_away=is_away,
        is_kept=service.history is not None,
        segment=segment,
        name_of=lambda account_id: _name(service, account_id),
        has_report=_report(config.web.calibration_report) is not None,
        **signed_in(service, session),
    )


@router.get("/line.yaml")
async def line_file(
    request: Request, service: Shared, enter: Enter = None, segment: Segment = None
) -> Response:
    """The other line as a file for `line_file` of the configuration."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    config, segment = service.config, segment or None
    lines = _said(config if enter is None else moved(config, segment, enter), config)
    made = {"at": format_ms(service.now_ms()), "by": session.who.name, "on": "the page of the line"}
    text = StringIO()
    YAML().dump(document(lines, made), text)
    headers = {"Content-Disposition": 'attachment; filename="line.yaml"'}
    return Response(text.getvalue(), media_type="application/yaml", headers=headers)


@router.get("/line/report")
async def report(request: Request, service: Shared) -> Response:
    """The report that `pulse calibrate --report` wrote."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    file = _report(service.config.web.calibration_report)
    if file is None:
        raise Refusal(404, "no_report", "web.calibration_report names no file that is there")
    text = await beside(lambda: file.read_bytes()[:_MOST_REPORT_BYTES])
    return Response(
        text,
        media_type="text/html; charset=utf-8",
        # It brings its style within it, and no script.
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
                 "img-src data:; base-uri 'none'; frame-ancestors 'none'; sandbox"},
    )  # fmt: skip


def _look(
    history: History, config: Config, enter: float | None, segment: str | None
) -> Seen | None:
    """Both lines; None where no account has a day by which they could be told apart."""
    newest = history.newest()
    if newest is None:
        return None
    last = newest - timedelta(days=1)
    found = history.lines(last, newest)
    held = held_lines(config, found)
    other = held if enter is None else moved_lines(held, config, moved(config, segment, enter))
    trial = history.try_line(last - timedelta(days=DAYS - 1), last, held, other, segment)
    if not trial.accounts:
        return None
    line = _of(other, segment)
    return Seen(
        last,
        _of(held, segment),
        line,
        [] if segment else of_their_own(held, found),
        [] if segment else of_their_own(other, found),
        trial,
        distributions(history.distribution(last, segment), line.enter, line.approach),
        [each for each in history.segments() if each],
    )


def _of(lines: Lines, segment: str | None) -> Line:
    return lines.all if segment is None else lines.of(segment)


def _said(config: Config, before: Config) -> dict[str | None, dict[str, Any]]:
    """What a configuration says of the line of all, under None, and what segments change of it.

    The file is named instead of the one that held before, which may be where all of this is said.
    """
    lines: dict[str | None, dict[str, Any]] = {None: _scores(config.line)}
    if config.line_file is not None:
        lines[None] = config.line.model_dump(mode="json", by_alias=True)
    elif config.line.source != before.line.source:
        lines[None] = {"from": config.line.source, **lines[None]}
    for name, segment in config.segments.items():
        said = segment.line.model_dump(mode="json", by_alias=True, exclude_none=True)
        if said:
            lines[name] = said
    return lines


def _scores(line: LineSettings) -> dict[str, float]:
    return {"enter": line.enter, "exit": line.exit, "approach": line.approach}


def _name(service: Service, account_id: str) -> str:
    known = None if service.board is None else service.board.get(account_id)
    return account_id if known is None else known.name


def _report(name: str | None) -> Path | None:
    file = None if name is None else Path(name)
    return file if file is not None and file.is_file() else None

"""The page of silences: what is held, by whom and until when; make one, or end it."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.alerting.people.silences import silence_id
from pulse.alerting.stages.matching import Matcher, is_everything
from pulse.alerting.stages.muting import Silence
from pulse.refusals import Refusal
from pulse.web.api.asking import Shared, need
from pulse.web.pages.forms import LONGEST_NOTE, sent, until_of
from pulse.web.pages.views import FOR, page
from pulse.web.tokens import Role

router = APIRouter(include_in_schema=False, default_response_class=Response)

_FIELDS = {
    "accounts": "acme, acme-*",
    "segments": "free*, trial",
    "plans": "starter",
    "owners": "kim",
    "reasons": "usage_drop, silence",
    "severities": "warning",
    "lifecycles": "new",
}
"""By what may be matched, each with an example."""
_MOST_SHOWN = 500
_LONGEST = 256
_DONE = {"made": "It is silenced.", "ended": "It has ended: what still fires is told now."}


@router.get("/silences")
async def listed(request: Request, service: Shared, done: Annotated[str, Query()] = "") -> Response:
    """Silences that are in force or to come, the one that ends first first."""
    session = service.access.session(request)
    if session is None:
        return RedirectResponse("/sign-in?next=%2Fsilences", 303)
    now_ms = service.now_ms()
    known = [each for each in service.books.muted.silences.values() if each.ends_ms > now_ms]
    return page(
        "silences.html",
        silences=sorted(known, key=lambda each: each.ends_ms)[:_MOST_SHOWN],
        more=max(len(known) - _MOST_SHOWN, 0),
        now_ms=now_ms,
        fields=_FIELDS,
        in_words=in_words,
        durations=FOR,
        may_act=session.who.role.may(Role.member),
        may_end=lambda each: each.author == session.who.name or session.who.role.may(Role.admin),
        form=service.access.form_token(session.mark),
        note=_DONE.get(done, ""),
        at="/silences",
        who=session.who,
        sign_out_token=service.access.form_token(session.mark),
    )


@router.post("/silences")
async def make(request: Request, service: Shared) -> Response:
    """Silence what matches; what would match all alerts only for who may."""
    form = await sent(request, service)
    if form is None:
        return RedirectResponse("/sign-in?next=%2Fsilences", 303)
    session, said = form
    patterns: dict[str, Any] = {name: _patterns(name, said.get(name, "")) for name in _FIELDS}
    match = Matcher(**patterns)
    if is_everything(match):
        need(session.who, Role.admin)
    reason = said.get("reason", "").strip()
    if not 0 < len(reason) <= LONGEST_NOTE:
        raise Refusal(400, "reason", "say why, in at most 1,000 characters: others will ask")
    now_ms = service.now_ms()
    silence = Silence(
        id=silence_id(session.who.name),
        match=match,
        author=session.who.name,
        reason=reason,
        starts_ms=now_ms,
        ends_ms=until_of(said, now_ms),
    )
    await service.desk.silence(silence, now_ms, session.who.by)
    return RedirectResponse("/silences?done=made", 303)


@router.post("/silences/{silence_id}/end")
async def end(
    request: Request, service: Shared, silence_id: Annotated[str, Path(max_length=40)]
) -> Response:
    """End a silence: one's own, or anybody's for an admin."""
    form = await sent(request, service)
    if form is None:
        return RedirectResponse("/sign-in?next=%2Fsilences", 303)
    session, _ = form
    known = service.books.muted.silences.get(silence_id)
    if known is None:
        raise Refusal(404, "no_such_silence", "there is no such silence")
    if known.author != session.who.name:
        need(session.who, Role.admin)
    now_ms = service.now_ms()
    if known.ends_ms > now_ms:
        await service.desk.silence(known.ended(now_ms), now_ms, session.who.by)
    return RedirectResponse(f"/silences?done={quote('ended')}", 303)


def in_words(match: Matcher) -> str:
    """What a silence matches, for people.

    >>> in_words(Matcher(segments=("free*", "trial"), reasons=("usage_drop",), mrr_below=100))
    'Segment free* or trial; reason usage drop; pays less than 100 a month'
    """
    said = []
    for name in _FIELDS:
        patterns = [each.replace("_", " ") if name == "reasons" else each
                    for each in getattr(match, name)]  # fmt: skip
        if patterns:
            said.append(f"{_ONE.get(name, name[:-1])} {' or '.join(patterns)}")
    if match.mrr_from is not None:
        said.append(f"pays {match.mrr_from:,g} a month or more")
    if match.mrr_below is not None:
        said.append(f"pays less than {match.mrr_below:,g} a month")
    text = "; ".join(said) or "every alert"
    return text[:1].upper() + text[1:]


_ONE = {"severities": "severity"}


def _patterns(name: str, said: str) -> tuple[str, ...]:
    """Patterns from a line, between commas."""
    patterns = tuple(each.strip() for each in said.split(",") if each.strip())
    if len(patterns) > 100 or any(len(each) > _LONGEST for each in patterns):
        raise Refusal(400, name, f"{name}: at most 100 patterns of {_LONGEST} characters")
    return patterns

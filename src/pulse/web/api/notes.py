"""Notes on accounts: what people write down for whoever looks next."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from pulse.alerting.people.account_notes import LONGEST, AccountNote
from pulse.model.fields import PlainText
from pulse.model.time import format_ms
from pulse.serving import answer
from pulse.web.api.asking import (
    PREFIX,
    Cursor,
    Limit,
    Member,
    Shared,
    Viewer,
    answers,
    need,
)
from pulse.web.lists import paged
from pulse.web.tokens import Role

router = APIRouter(prefix=f"{PREFIX}/notes", tags=["notes"])

Id = Annotated[str, Path(pattern=r"^no_[0-9a-f]{16}$")]


class NoteBody(BaseModel):
    """What is to be written down of an account."""

    account_id: PlainText
    text: str = Field(min_length=1, max_length=LONGEST, description="Plain text; it has lines.")


class NoteView(BaseModel):
    """A note, by whom it was written, and when."""

    id: str
    account_id: str
    author: str
    at: str
    text: str


class Notes(BaseModel):
    """Some notes, the newest first."""

    items: list[NoteView]
    cursor: str | None = Field(description="Where to go on; null: no more.")


def view(note: AccountNote) -> dict[str, Any]:
    """A note as the API shows it."""
    return {
        "id": note.id,
        "account_id": note.account_id,
        "author": note.author,
        "at": format_ms(note.at_ms),
        "text": note.text,
    }


@router.get("", summary="List the notes on an account, the newest first", responses=answers(Notes))
async def list_notes(
    service: Shared,
    who: Viewer,
    account: Annotated[PlainText, Query(description="The account's id.")],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """As long as nobody erases them."""
    found, following = await paged(
        service.books.notes.of(account), lambda each: (each.at_ms, each.id), limit, cursor
    )
    return answer(200, {"items": [view(each) for each in found], "cursor": following})


@router.post(
    "",
    summary="Write a note on an account",
    status_code=201,
    responses=answers(NoteView, 404, 409, success=201),
)
async def write_note(
    service: Shared,
    who: Member,
    body: NoteBody,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=256,
            description="The same word again writes no second note, but answers with the first.",
        ),
    ] = None,
) -> Response:
    """Kafka has it when this is answered."""
    note = await service.note(body.account_id, who.by, body.text, idempotency_key)
    return answer(201, view(note))


@router.delete("/{note_id}", summary="Erase a note", responses=answers(NoteView, 404))
async def erase_note(service: Shared, who: Member, note_id: Id) -> Response:
    """Nobody sees it again. Another author's needs the role admin."""
    note = service.known_note(note_id)
    if note.author != who.name:
        need(who, Role.admin)
    await service.desk.erase_note(note, who.by)
    return answer(200, view(note))

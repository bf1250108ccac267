"""Endpoints of programs."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from market.access import ContextDep, limited, occupied
from market.guard import StrictRoute
from market.programs import service
from market.programs.models import Program
from market.wire import Hash, HashPath, Wire
from protocol.wasm import Limits
from protocol.wasm.bounds import MAX_FRAME_BYTES, MAX_MEMORY_PAGES, MAX_TASK_WU

router = APIRouter(prefix="/v1/programs", tags=["programs"], route_class=StrictRoute)


class ProgramLimits(Wire):
    """A program's limits: WU for each task, memory pages of 64 KiB, bytes of all active frames."""

    wu: int = Field(ge=1, le=MAX_TASK_WU)
    memory_pages: int = Field(ge=1, le=MAX_MEMORY_PAGES)
    frame_bytes: int = Field(ge=1, le=MAX_FRAME_BYTES)


class ProgramRequest(Wire):
    """A module that was uploaded as a blob."""

    original_hash: Hash
    limits: ProgramLimits
    name: str | None = Field(None, min_length=1, max_length=80, pattern=r"^[\w .:/@+-]+$")


class ProgramId(Wire):
    """The program's id."""

    program_id: str


class ProgramBody(Wire):
    """All that a program id commits to; `class` is 1 provable or 2 replayable."""

    program_id: str
    assurance: int = Field(alias="class")
    original_hash: str
    rewritten_hash: str
    code_root: str
    initial_memory_root: str
    limit_wu: str = Field(alias="limitWU")
    memory_pages: int
    frame_bytes: int
    tool_version: int
    name: str | None
    state: str
    attested: bool


class ProgramPage(BaseModel):
    """Programs, newest first; `next` continues, null at the end."""

    programs: list[ProgramBody]
    next: int | None


def body_of(row: Program) -> ProgramBody:
    """A program on the wire."""
    return body_from({name: getattr(row, name) for name in ProgramBody.model_fields})


def body_from(columns: Mapping[str, Any]) -> ProgramBody:
    """The same of the program's columns by name."""
    values = {name: columns[name] for name in ProgramBody.model_fields}
    return ProgramBody(**values | {"limit_wu": str(columns["limit_wu"])})


@router.post(
    "",
    status_code=202,
    operation_id="admitProgram",
    dependencies=[Depends(limited("program")), Depends(occupied("work"), scope="function")],
)
def post_program(request: ProgramRequest, context: ContextDep) -> ProgramId:
    """Admit an uploaded module and register it on chain. `module_refused` lists what is wrong with it."""
    limits = Limits(request.limits.wu, request.limits.memory_pages, request.limits.frame_bytes)
    return ProgramId(program_id=service.admit(context, request.original_hash, limits, request.name))


@router.get("/{program}", operation_id="getProgram")
def get_program(program: HashPath, context: ContextDep) -> ProgramBody:
    """A program."""
    return body_of(service.get(context, program))


@router.get("", operation_id="listPrograms")
def list_programs(
    context: ContextDep,
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ProgramPage:
    """Programs, newest first."""
    rows = service.page(context, cursor, limit)
    return ProgramPage(programs=[body_of(row) for row in rows], next=rows[-1].seq if len(rows) == limit else None)

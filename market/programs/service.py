"""Admission of uploaded modules and their registration through the outbox."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from market.blobs import uploads
from market.blobs.store import BlobMissing
from market.context import Context
from market.problems import Problem, not_found
from market.programs.models import Program
from market.settlement.gateway import Call
from protocol.encoding import to_hex
from protocol.wasm import Limits, ModuleRefused, build_program


def admit(context: Context, original_hash: str, limits: Limits, name: str | None) -> str:
    """Builds a program from its uploaded module, stores what devices run, asks the chain to register it; its id.

    Problem 404 without the blob, 422 `module_refused` with its faults where it is not admitted.
    """
    try:
        program = build_program(context.blobs.get(original_hash), limits)
    except BlobMissing:
        raise not_found("module: upload it as a blob first") from None
    except ModuleRefused as error:
        faults = [fault.to_json() for fault in error.faults]
        raise Problem(422, "module_refused", str(error), faults=faults, more=error.more) from None
    context.blobs.put(program.rewritten)
    program_id, facts = to_hex(program.program_id), program.facts
    standing = context.chain.program(program.program_id)
    values = {
        "assurance": facts.assurance,
        "original_hash": to_hex(facts.original_hash),
        "rewritten_hash": to_hex(facts.rewritten_hash),
        "code_root": to_hex(facts.code_root),
        "initial_memory_root": to_hex(facts.initial_memory_root),
        "limit_wu": facts.limit_wu,
        "memory_pages": facts.memory_pages,
        "frame_bytes": facts.frame_bytes,
        "tool_version": facts.tool_version,
        "name": name,
        "state": "registered" if standing.registered else "registering",
        "attested": standing.attested,
    }
    with context.transaction() as session:
        uploads.keep(session, [original_hash])
        session.execute(insert(Program).values(program_id=program_id, **values).on_conflict_do_nothing())
        if not standing.registered:
            call = Call("register_program", program_id, "ProgramRegistry", "register", (facts,), attempts=3)
            context.chain.enqueue(session, call)
    return program_id


def get(context: Context, program_id: str) -> Program:
    """A program. Problem 404 where there is none."""
    with context.sessions() as session:
        row = session.get(Program, program_id)
    if row is None:
        raise not_found("program")
    return row


def page(context: Context, before: int | None, limit: int) -> list[Program]:
    """Programs, newest first, before a cursor."""
    query = select(Program).order_by(Program.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(Program.seq < before)
    with context.sessions() as session:
        return list(session.scalars(query))

"""A request becomes a job that can be stored: its host, source, length, cost and what it was made from."""

from __future__ import annotations

import time
from dataclasses import replace

from acestep_mcp.api.edits import minimum_guidance
from acestep_mcp.api.endpoints import BY_REQUEST
from acestep_mcp.api.requests import ApiRequest, EditRequest
from acestep_mcp.inputs import Inputs, LocalSource, RemoteSource
from acestep_mcp.library.jobs import new_id
from acestep_mcp.library.models import Job, JobOptions, Progress, Status
from acestep_mcp.net.data_uris import is_data_uri
from acestep_mcp.readers.length import in_named_length
from acestep_mcp.readers.request_texts import read_texts
from acestep_mcp.settings import Settings
from acestep_mcp.studio.backends import Choice, price, submit_options
from acestep_mcp.studio.fal_v15 import in_v15_terms


def new_job(request: ApiRequest, choice: Choice, settings: Settings, inputs: Inputs) -> Job:
    """A job that is not stored yet. Raises InvalidRequest when the source of an edit cannot be used."""
    endpoint = BY_REQUEST[type(request)]
    request, length = in_named_length(request)
    submit = submit_options(settings) if choice.name != "draft" else {}
    options = JobOptions(format=settings.format, submit=submit)
    notes: tuple[str, ...] = ()
    if choice.name == "fal":
        request, notes = read_texts(request, loras=())
    source: LocalSource | RemoteSource | None = None
    if isinstance(request, EditRequest):
        source = inputs.resolve(request.audio_url)
    if isinstance(source, LocalSource) and isinstance(request, EditRequest):
        edit = endpoint.edit(request, source.seconds)
        notes += edit.notes
        options = replace(options, source=str(source.path), content_type=source.content_type, edit=edit.span or None)
        if is_data_uri(request.audio_url):
            request = request.model_copy(update={"audio_url": source.path.as_uri()})
    if choice.name == "fal":
        options, more = _at_fal(request, options, settings)
        notes += more
    seconds = endpoint.seconds(request, source.seconds if isinstance(source, LocalSource) else None)
    cost = round(options.price * seconds, 6)
    return Job(
        id=new_id(),
        endpoint=endpoint.id,
        request=request,
        status=Status.NEW,
        backend=choice.name,
        created_at=time.time(),
        queue_url=choice.queue_url,
        parent=source.parent if isinstance(source, LocalSource) else None,
        estimated_cost=cost,
        # Reported first, before anything is submitted.
        progress=Progress(stage=f"{choice.name}, about ${cost:.4f}" if cost else ""),
        # Our own engines add these notes themselves.
        notes=(*length, *(notes if choice.name == "fal" else ())),
        options=replace(options, seconds=seconds),
    )


def _at_fal(request: ApiRequest, options: JobOptions, settings: Settings) -> tuple[JobOptions, tuple[str, ...]]:
    """The options of a job for fal with its price, and with what is sent to ACE-Step 1.5 where that was chosen; notes."""
    sent = in_v15_terms(request, options.edit or {}) if settings.fal_model == "ace-step-1.5" else None
    options = replace(options, price=price(settings, "fal", v15=sent is not None))
    if sent is None:
        return options, minimum_guidance(request)[1]
    return replace(options, sent_as=sent[0]), sent[1]

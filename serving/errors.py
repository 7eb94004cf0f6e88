"""What can go wrong, each with its own sentence: what happened, where, and what to do next.

Every error carries its facts as fields, the HTTP status it answers with (RFC 9457) and the exit
code a command ends with. Catch by type, never by text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from http import HTTPStatus
from typing import Any, ClassVar, Self


class ExitCode(IntEnum):
    """How a command ends; 2 is left to the command line parser (wrong usage)."""

    FAILED = 1
    BAD_INPUT = 3
    UNKNOWN = 4
    CONFLICT = 5
    UNREACHABLE = 6
    UNUSABLE_MODEL = 7
    NOTHING_TO_LEARN = 8
    WRONG_SETTING = 9


class PrecedenceError(Exception):
    """Base of every error this package raises on purpose.

    Attributes
    ----------
    fields : the facts of the case, which a problem response repeats.
    status : HTTP status; exit_code : of a command; title : the kind of error in a few words.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    exit_code: ExitCode = ExitCode.FAILED
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.fields = fields


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input: where, what was given, and what is allowed there."""

    field: str
    value: Any
    allowed: str


class BadInput(PrecedenceError):
    """An input breaks its rules; `faults` lists every breach found."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = ExitCode.BAD_INPUT
    title = "The input is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        self.faults: tuple[Fault, ...] = (Fault(field, value, allowed),)
        super().__init__(_sentence(self.faults), errors=[asdict(f) for f in self.faults])

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> Self:
        """One error about several faults, at least one."""
        error = cls(faults[0].field, faults[0].value, faults[0].allowed)
        error.faults = tuple(faults)
        error.args = (_sentence(error.faults),)
        error.fields = {"errors": [asdict(f) for f in faults]}
        return error


class NotJson(BadInput):
    """A body or file is not JSON at all."""

    status = HTTPStatus.BAD_REQUEST
    title = "The body is not JSON"


class SettingInvalid(PrecedenceError):
    """A setting names no known field or holds a value that is not allowed."""

    exit_code = ExitCode.WRONG_SETTING
    title = "A setting is not valid"

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        super().__init__(f"setting {field} is {value!r}: {allowed}", field=field, value=value, allowed=allowed)


class CampaignUnknown(PrecedenceError):
    """No campaign of that name was submitted."""

    status = HTTPStatus.NOT_FOUND
    exit_code = ExitCode.UNKNOWN
    title = "Unknown campaign"

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            f"no campaign {campaign_id!r} was submitted: submit it with PUT /campaigns/{campaign_id}",
            campaign_id=campaign_id,
        )


class CampaignConflict(PrecedenceError):
    """The campaign was submitted before with other content."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "Already submitted with other content"

    def __init__(self, campaign_id: str) -> None:
        super().__init__(
            f"campaign {campaign_id!r} was submitted before with other content:"
            f" change its facts with PATCH /campaigns/{campaign_id}, or submit it under another id",
            campaign_id=campaign_id,
        )


class IllegalTransition(PrecedenceError):
    """A campaign cannot go from its state to the one asked for."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "Not possible in this state"

    def __init__(self, state: str, event: str, allowed: Sequence[str]) -> None:
        options = ", ".join(allowed) or "nothing: the state is final"
        super().__init__(
            f"a campaign that is {state} cannot {event}: allowed here is {options}",
            state=state,
            event=event,
            allowed=list(allowed),
        )


class HandlerUnknown(PrecedenceError):
    """A task names a handler that this installation does not run."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = ExitCode.BAD_INPUT
    title = "Unknown handler"

    def __init__(self, handler: str, known: Sequence[str], field: str = "handler") -> None:
        allowed = f"one of {', '.join(sorted(known)) or 'none: no handler is registered'}"
        super().__init__(
            f"{field} {handler!r} is not registered: {allowed}",
            errors=[asdict(Fault(field, handler, allowed))],
        )


class StaleLease(PrecedenceError):
    """A worker reports on a task that was leased again, or settled, meanwhile."""

    status = HTTPStatus.CONFLICT
    exit_code = ExitCode.CONFLICT
    title = "The lease is stale"

    def __init__(self, lease_id: str) -> None:
        super().__init__(
            f"lease {lease_id!r} is stale: its task was given on or settled meanwhile, so this report is dropped",
            lease_id=lease_id,
        )


class BundleCorrupt(PrecedenceError):
    """A file of a model bundle is missing, unreadable or not the one that was saved."""

    exit_code = ExitCode.UNUSABLE_MODEL
    title = "The model bundle is corrupt"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(
            f"bundle file {file} {reason}: download the bundle again, or train and register a new one",
            file=file,
            reason=reason,
        )


class ContractMismatch(PrecedenceError):
    """The model was trained on other feature definitions than this build computes."""

    exit_code = ExitCode.UNUSABLE_MODEL
    title = "The model expects other features"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(
            f"model expects feature contract {expected}, this build computes {found}:"
            " retrain, or deploy the build that trained it",
            expected=expected,
            found=found,
        )


class NoChampion(PrecedenceError):
    """The registry answers, but holds no model under the champion's alias."""

    exit_code = ExitCode.UNUSABLE_MODEL
    title = "No champion"

    def __init__(self, name: str, alias: str, uri: str) -> None:
        super().__init__(
            f"no champion: registry {uri} has no {name!r} with alias {alias!r}: train one with 'precedence train'",
            name=name,
            alias=alias,
            uri=uri,
        )


class RegistryUnreachable(PrecedenceError):
    """The model registry does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The model registry is unreachable"

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(
            f"model registry {uri} is unreachable ({reason}): start it, or set PRECEDENCE_TRACKING_URI",
            uri=uri,
            reason=reason,
        )


class ServiceUnreachable(PrecedenceError):
    """One of our services does not answer, or answers what is not an answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The service is unreachable"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no usable answer from {url} ({reason}): start it with 'precedence serve'", url=url, reason=reason
        )


class ServiceEnded(PrecedenceError):
    """A service that was to run ended by itself; its own last words say why."""

    title = "The service ended"

    def __init__(self, service: str, code: int) -> None:
        super().__init__(f"the {service} service ended with exit code {code}: its lines above say why", service=service)
        known = {each.value: each for each in ExitCode}
        self.exit_code = known.get(code, ExitCode.FAILED)


class Refused(PrecedenceError):
    """A service answered with a problem; its sentence is passed on, and its HTTP status as `answered`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or "refused"), problem=problem)
        self.answered = int(problem.get("status", HTTPStatus.INTERNAL_SERVER_ERROR))
        self.exit_code = _EXIT_CODES.get(self.answered, ExitCode.FAILED)


_EXIT_CODES: dict[int, ExitCode] = {
    HTTPStatus.BAD_REQUEST: ExitCode.BAD_INPUT,
    HTTPStatus.UNPROCESSABLE_ENTITY: ExitCode.BAD_INPUT,
    HTTPStatus.NOT_FOUND: ExitCode.UNKNOWN,
    HTTPStatus.CONFLICT: ExitCode.CONFLICT,
    HTTPStatus.SERVICE_UNAVAILABLE: ExitCode.UNREACHABLE,
}


class HistoryEmpty(PrecedenceError):
    """There is nothing to learn from."""

    exit_code = ExitCode.NOTHING_TO_LEARN
    title = "The history is empty"

    def __init__(self, source: str, lacking: str) -> None:
        super().__init__(
            f"history {source} is empty: it holds no {lacking}; bring campaigns with KPIs, or let some finish first",
            source=source,
            lacking=lacking,
        )


def problem(error: PrecedenceError) -> dict[str, Any]:
    """The RFC 9457 problem document of an error: type, title, status, detail and its fields."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    own = {"type": f"urn:precedence:{kind}", "title": error.title, "status": int(error.status), "detail": str(error)}
    return {**error.fields, **own}


def _sentence(faults: Sequence[Fault]) -> str:
    """The faults in one line; long values are cut, since a whole body may be the value."""
    return "; ".join(f"{f.field} is {_short(f.value)}: {f.allowed}" for f in faults)


def _short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."

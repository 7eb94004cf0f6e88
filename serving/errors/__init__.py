"""What can go wrong, each with its own sentence: what happened, where, and what to do next.

Every error carries its facts as fields, the HTTP status it answers with (RFC 9457) and the exit
code a command ends with. Catch by type, never by text.
"""

from serving.errors.access import (
    AskedFromElsewhere,
    AskedTooFast,
    NobodyMayAsk,
    NotAllowed,
    TokenRefused,
    TokenUnknown,
)
from serving.errors.base import ExitCode, PrecedenceError, problem, shown_url
from serving.errors.campaigns import CampaignConflict, CampaignUnknown, IllegalTransition, NothingDead, StaleLease
from serving.errors.given import (
    BadInput,
    Fault,
    HandlerUnknown,
    MediaTypeUnknown,
    MethodUnknown,
    NotJson,
    ParameterUnknown,
    SettingInvalid,
)
from serving.errors.handlers import AnswerInvalid, CheckpointInvalid, WorkerDied
from serving.errors.models import (
    BundleCorrupt,
    ContractMismatch,
    HistoryEmpty,
    NoChampion,
    NothingToRestore,
    RegistryUnreachable,
    TooFewWeeks,
)
from serving.errors.overload import BodyTooLarge, QueueFull, SubmittedTooFast, TooMuch
from serving.errors.services import NotReady, Refused, ServiceEnded, ServiceUnreachable, StoreUnreachable, TookTooLong

__all__ = [
    "AnswerInvalid",
    "AskedFromElsewhere",
    "AskedTooFast",
    "BadInput",
    "BodyTooLarge",
    "BundleCorrupt",
    "CampaignConflict",
    "CampaignUnknown",
    "CheckpointInvalid",
    "ContractMismatch",
    "ExitCode",
    "Fault",
    "HandlerUnknown",
    "HistoryEmpty",
    "IllegalTransition",
    "MediaTypeUnknown",
    "MethodUnknown",
    "NoChampion",
    "NobodyMayAsk",
    "NotAllowed",
    "NotJson",
    "NotReady",
    "NothingDead",
    "NothingToRestore",
    "ParameterUnknown",
    "PrecedenceError",
    "QueueFull",
    "Refused",
    "RegistryUnreachable",
    "ServiceEnded",
    "ServiceUnreachable",
    "SettingInvalid",
    "StaleLease",
    "StoreUnreachable",
    "SubmittedTooFast",
    "TokenRefused",
    "TokenUnknown",
    "TooFewWeeks",
    "TooMuch",
    "TookTooLong",
    "WorkerDied",
    "problem",
    "shown_url",
]

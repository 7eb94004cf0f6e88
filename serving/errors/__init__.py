"""What can go wrong, each with its own sentence: what happened, where, and what to do next.

Every error carries its facts as fields, the HTTP status it answers with (RFC 9457) and the exit
code a command ends with. Catch by type, never by text.
"""

from serving.errors.base import ExitCode, PrecedenceError, problem
from serving.errors.campaigns import CampaignConflict, CampaignUnknown, IllegalTransition, StaleLease
from serving.errors.given import BadInput, Fault, HandlerUnknown, NotJson, SettingInvalid
from serving.errors.models import (
    BundleCorrupt,
    ContractMismatch,
    HistoryEmpty,
    NoChampion,
    NothingToRestore,
    RegistryUnreachable,
    TooFewWeeks,
)
from serving.errors.services import Refused, ServiceEnded, ServiceUnreachable

__all__ = [
    "BadInput",
    "BundleCorrupt",
    "CampaignConflict",
    "CampaignUnknown",
    "ContractMismatch",
    "ExitCode",
    "Fault",
    "HandlerUnknown",
    "HistoryEmpty",
    "IllegalTransition",
    "NoChampion",
    "NotJson",
    "NothingToRestore",
    "PrecedenceError",
    "Refused",
    "RegistryUnreachable",
    "ServiceEnded",
    "ServiceUnreachable",
    "SettingInvalid",
    "StaleLease",
    "TooFewWeeks",
    "problem",
]

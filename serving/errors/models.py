"""A model cannot be used, found or made."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from serving.errors.base import ExitCode, PrecedenceError, shown_url


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
        uri = shown_url(uri)
        super().__init__(
            f"no champion: registry {uri} has no {name!r} with alias {alias!r}: train one with 'precedence train'",
            name=name,
            alias=alias,
            uri=uri,
        )


class NothingToRestore(PrecedenceError):
    """The champion replaced nobody, so there is nobody to go back to."""

    exit_code = ExitCode.UNUSABLE_MODEL
    title = "No earlier champion"

    def __init__(self, version: str, known: str) -> None:
        super().__init__(
            f"version {version} replaced no earlier champion: name a version with --to, one of {known}",
            version=version,
            known=known,
        )


class RegistryUnreachable(PrecedenceError):
    """The model registry does not answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = ExitCode.UNREACHABLE
    title = "The model registry is unreachable"

    def __init__(self, uri: str, reason: str) -> None:
        uri = shown_url(uri)
        super().__init__(
            f"model registry {uri} is unreachable ({reason}): start it, or set PRECEDENCE_TRACKING_URI",
            uri=uri,
            reason=reason,
        )


class TooFewWeeks(PrecedenceError):
    """A champion has learned from all there is but a few weeks, so that a challenger cannot be judged."""

    exit_code = ExitCode.NOTHING_TO_LEARN
    title = "Too few weeks to judge by"

    def __init__(self, version: str, learned_until: datetime, unseen: int, needed: int) -> None:
        more = needed - unseen
        super().__init__(
            f"champion (version {version}) has learned until {learned_until:%Y-%m-%d}, and"
            f" {unseen or 'no'} {'week' if unseen == 1 else 'weeks'} of finished campaigns came after: a challenger is"
            f" judged on {needed} at least that neither learned from, so {more} more"
            f" {'is' if more == 1 else 'are'} needed: retrain then",
            version=version,
            learned_until=learned_until.isoformat(),
            unseen=unseen,
            needed=needed,
        )


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

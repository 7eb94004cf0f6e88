"""What the scheduler needs from the outside: where work is kept, what runs it, and what knows its worth.

Stores and executors implement these protocols elsewhere; one test suite holds every one of them to the promises
written here. Every time is an argument, taken from the one injected clock.
"""

from serving.scheduling.ports.executors import AHEAD_S, Executor, Predictor, Running
from serving.scheduling.ports.stores import Intake, Log, LogTable, Notes, Standings, Store, WorkQueue
from serving.scheduling.ports.workforce import Out, Worker, Workforce

__all__ = [
    "AHEAD_S",
    "Executor",
    "Intake",
    "Log",
    "LogTable",
    "Notes",
    "Out",
    "Predictor",
    "Running",
    "Standings",
    "Store",
    "WorkQueue",
    "Worker",
    "Workforce",
]

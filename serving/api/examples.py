"""One example of every body and answer, as the API's documents show them; a test holds each to its type."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CAMPAIGN: Json = {
    "campaign_id": "flash-sale-shoes",
    "account": "shoes",
    "kind": "flash_sale",
    "channel": "mail",
    "released_at": "2026-11-27T08:00:00+00:00",
    "ends_at": "2026-11-28T08:00:00+00:00",
    "work_units": 12000,
    "targets": {"segment:vip": 3000, "segment:all": 9000},
    "urgency": 0.9,
}
TASK: Json = {
    "task_id": "send",
    "handler": "http",
    "units": 12000,
    "payload": {"url": "https://hooks.example.com/send"},
}
ASKED: Json = {
    "campaigns": [CAMPAIGN],
    "at": "2026-11-27T08:00:00+00:00",
    "progress": {"flash-sale-shoes": {"done": 0.75, "spent_h": 0.4}},
}
SUBMISSION: Json = {**{name: value for name, value in CAMPAIGN.items() if name != "campaign_id"}, "tasks": [TASK]}
CHANGE: Json = {"facts": {"urgency": 1}, "boost": 2, "pin": False, "paused": False}
MORE_TASKS: Json = {"tasks": [{**TASK, "task_id": "remind", "after": ["send"]}]}
REDRIVE: Json = {"task_ids": ["send"]}
WHAT_IF: Json = {"changes": {"flash-sale-shoes": {"boost": 2}}}
_KNOWN: Json = {"at": "2026-11-27T09:00:00+00:00", "known_at": "2026-11-27T09:05:00+00:00"}
OUTCOMES: Json = {"kpis": [{"campaign_id": "flash-sale-shoes", **_KNOWN, "metric": "revenue", "value": 129.9}]}
SIGNALS: Json = {"signals": [{"entity": "market:us", **_KNOWN, "name": "demand", "value": 1.1, "source": "survey"}]}

_IDENTITY: Json = {"name": "campaign-priority", "version": "3", "source": "champion"}
PREDICTION: Json = {
    "campaign_id": "flash-sale-shoes",
    "score": 87.5,
    "index": 412.6,
    "value": 5180.0,
    "curve": {
        "shape": "window",
        "starts_at": "2026-11-27T08:00:00+00:00",
        "ends_at": "2026-11-28T08:00:00+00:00",
        "launch_by": None,
        "late_fraction": None,
        "half_life_h": None,
    },
    "loss_per_hour": 215.8,
    "processing_s": {"p50": 1900.0, "p90": 2400.0},
    "left_s": {"p50": 475.0, "p90": 600.0},
    "fallback": None,
}
PREDICTIONS: Json = {"model": _IDENTITY, "predictions": [PREDICTION]}
EXPLANATIONS: Json = {
    "model": _IDENTITY,
    "predictions": [
        {
            **PREDICTION,
            "reasons": [{"feature": "planned_exposures", "value": 12000.0, "contribution": 0.84}],
            "plain": ["12,000 planned exposures raise it most"],
            "matrix": [{"feature": "urgency", "value": 0.9, "contribution": 22.5}],
        }
    ],
}
CARD: Json = {
    **_IDENTITY,
    "reason": None,
    "refused": None,
    "registry": None,
    "contract": "9f2c6d1e",
    "trained_at": "2026-11-23T03:00:00+00:00",
    "training_window": ["2026-01-05T00:00:00+00:00", "2026-11-22T00:00:00+00:00"],
    "snapshot_at": "2026-11-22T00:00:00+00:00",
    "objective": "tweedie",
    "label": "gross",
    "horizon_h": 12.0,
    "index_quantiles": [0.0, 41.7, 903.2],
    "rhythm": [],
    "matrix_dollars": [[20.0, 40.0], [80.0, 2400.0]],
    "features": ["planned_exposures", "urgency"],
    "metrics": {"value": {"spearman": 0.93}},
}

PLACE: Json = {
    "campaign_id": "flash-sale-shoes",
    "account": "shoes",
    "state": "ready",
    "position": 2,
    "score": 87.5,
    "index": 412.6,
    "value": 5180.0,
    "model_version": "3",
    "source": "champion",
    "fallback": None,
    "eta": {
        "p50": "2026-11-27T09:10:00+00:00",
        "p90": "2026-11-27T09:40:00+00:00",
        "start": {"p50": "2026-11-27T08:20:00+00:00", "p90": "2026-11-27T08:35:00+00:00"},
    },
    "feasibility": None,
    "why": {"reason": "outranked", "object": "launch-boots", "until": None},
    "ended": None,
    "progress": {"share_done": 0.0, "tasks": 1, "done": 0, "running": 0, "dead": 0},
    "boost": 1.0,
    "pinned": False,
    "preemptions": 0,
    "submitted_at": "2026-11-27T08:00:01+00:00",
    "launched_at": None,
}
_UNSAID: Json = {
    "launch_by": None,
    "starts_at": None,
    "planned_revenue": None,
    "brand": None,
    "tags": [],
    "value_shape": "window",
    "late_fraction": None,
    "half_life_h": None,
    "delivers": "at_end",
    "exclusive": [],
    "after": [],
    "on_failure": "hold",
    "holdout": None,
}
PLACED: Json = {**PLACE, "campaign": {**CAMPAIGN, **_UNSAID}}
TASKS_ADDED: Json = {**PLACE, "added": 1}
QUEUE: Json = {"moment": "2026-11-27T08:05:00+00:00", "slots": 4, "by_matrix": False, "total": 1, "campaigns": [PLACE]}
SUPPOSED: Json = {
    "moment": "2026-11-27T08:05:00+00:00",
    "campaigns": [{"campaign_id": PLACE["campaign_id"], "before": PLACE, "after": {**PLACE, "position": 1}}],
    "put_back": 1,
}
STORED: Json = {"stored": 1}
REDRIVEN: Json = {"campaign_id": "flash-sale-shoes", "redriven": 1}
DEAD_LETTERS: Json = {
    "total": 1,
    "dead_letters": [
        {
            "campaign_id": "flash-sale-shoes",
            "task_id": "send",
            "error": "https://hooks.example.com/send answered 410 (Gone)",
            "attempts": 1,
            "died_at": "2026-11-27T08:30:00+00:00",
        }
    ],
}
KPIS: Json = {
    "moment": "2026-11-27T10:00:00+00:00",
    "live": {"ready": 12, "running": 4},
    "done": 310,
    "on_time": 0.97,
    "latency_h": {"mean": 1.4, "p95": 6.1},
    "dead_letters": 1,
}

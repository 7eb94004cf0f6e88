"""The demonstration: the loop closed once, on real campaigns, by the real services."""

from training.demo.story import DemoResult, run_demo
from training.demo.telling import told

__all__ = ["DemoResult", "run_demo", "told"]

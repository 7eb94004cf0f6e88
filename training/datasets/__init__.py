"""Public data as history tables, with the truth a backtest needs beside them."""

"""Learn what delay costs and prove it: data sets, labels, the value model, baselines and how they are judged."""

//! Histograms, confidence intervals, warm-up detection and the queueing formulas that tests use.

"""The shell around the pipeline: settings, one run, its report, the watch, the memo."""

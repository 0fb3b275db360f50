"""For tests, ours and those of plug-in authors: memory stores, contract suites, a crash harness, a fault proxy."""

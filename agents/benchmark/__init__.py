"""The benchmark of dynamic recommendation policies: suites, grid, statistics, report."""

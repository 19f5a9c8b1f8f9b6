"""Runs one suite: main.py PROGRAM SUITE."""
import sys
import unittest

import program

program.path = sys.argv[1]
suite = unittest.defaultTestLoader.loadTestsFromName(f"test_{sys.argv[2]}")
result = unittest.TextTestRunner(verbosity=2).run(suite)
sys.exit(not result.wasSuccessful())

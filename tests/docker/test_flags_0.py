"""Flags in pairs: part of test_flags.py, so that they run side by side."""

import unittest

from test_flags import Pairs as AllPairs


class Pairs(AllPairs):
    PART = 0


del AllPairs

if __name__ == "__main__":
    unittest.main()

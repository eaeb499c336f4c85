"""Entry of the agent process: the folder is run as a script, outside of any installed package."""

from __future__ import annotations

import importlib
import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.exit(importlib.import_module("agent.server").main(sys.argv[1:]))

"""Writes the schema file anew, after a change of the model."""

from __future__ import annotations

import json

from pytest_zlayer.report.json_file import SCHEMA, schema

if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")

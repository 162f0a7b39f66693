#!/usr/bin/env python3

# validate.py KIND < JSON: whether it is what t/lib/api.schema.json says of
# that kind, as python3-jsonschema understands it.

import json
import sys

import jsonschema

with open("t/lib/api.schema.json", encoding="utf-8") as file:
    schema = json.load(file)

jsonschema.Draft202012Validator.check_schema(schema)
schema["$ref"] = "#/$defs/" + sys.argv[1]
jsonschema.Draft202012Validator(schema).validate(json.load(sys.stdin))

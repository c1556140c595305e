"""Holds what a daemon was asked and has answered against its description, with jsonschema as the referee.

    openapi.py OPENAPI.yaml < EXCHANGES.json

prints a line for each difference. An exchange has the operation ("GET /v1/keys/{key}"), the request's and the answer's content types and
bodies, and the status.
"""

import json
import re
import sys

import jsonschema
import yaml


def strict(schema):
    """Takes away the room that the description leaves for later versions: what is not described yet is an error."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)


formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time")
def utc(text):
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)


def documents(content_type, body):
    """The JSON in a body: all of it, each line of a stream, or the line before the secrets."""
    if content_type == "application/json":
        return [json.loads(body)]
    if content_type == "application/x-ndjson":
        return [json.loads(line) for line in body.splitlines()]
    if content_type in ("application/vnd.oathd.seeds", "application/vnd.oathd.secrets"):
        return [json.loads(body.split("\n")[0])]
    return [body]


def check(api, what, content, content_type, body):
    content_type = content_type.split(";")[0]
    if content_type not in content:
        print(f"{what}: {content_type} is not described, but {', '.join(content)}")
        return
    resolver = jsonschema.RefResolver("", api)
    validator = jsonschema.Draft202012Validator(content[content_type]["schema"], resolver=resolver, format_checker=formats)
    for document in documents(content_type, body):
        for error in validator.iter_errors(document):
            print(f"{what}: {error.json_path}: {error.message} in {json.dumps(document)}")


with open(sys.argv[1]) as file:
    api = yaml.safe_load(file)
strict(api["components"]["schemas"])
refused = api["components"]["responses"]["Refused"]
for exchange in json.load(sys.stdin):
    method, path = exchange["operation"].split(" ")
    operation = api["paths"][path][method.lower()]
    status = exchange["status"]
    what = f"{exchange['operation']} answered {status}"
    answer = operation["responses"]["200"] if status == 200 else refused
    check(api, what, answer["content"], exchange["content_type"], exchange["body"])
    if status == 200 and "requestBody" in operation:
        check(api, what + ", asked", operation["requestBody"]["content"], exchange["request_type"], exchange["request"])
    if status != 200 and exchange["content_type"] == "application/json":
        code = json.loads(exchange["body"])["error"]["code"]
        if refused["x-statuses"].get(code) != status:
            print(f"{what} with the code {code}")

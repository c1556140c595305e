"""A client of IAM and STS that is not ours, and a judge of what the stand-in answers.

It reads a call as JSON from each line of standard input, makes it with botocore, and holds the answer against botocore's copy of the
services' public model: no member that the model does not have, none missing that it requires, each in its form, and no error code but
those of the operation and those common to all. It answers with one line of JSON.
"""
import base64
import binascii
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

import awscli  # Debian's brings a botocore of its own along, under the usual name
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, InvalidRetryConfigurationError

assert awscli
try:
    ONCE = Config(retries={"total_max_attempts": 1})
except InvalidRetryConfigurationError:  # awscli's own means the same by another name
    ONCE = Config(retries={"max_attempts": 1})

# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html, and what the services are seen to answer in practice.
COMMON = {
    "AccessDenied": 403, "ExpiredToken": 403, "IncompleteSignature": 400, "InvalidAction": 400, "InvalidClientTokenId": 403,
    "MalformedQueryString": 404, "MissingAuthenticationToken": 403, "SignatureDoesNotMatch": 403, "Throttling": 400, "ValidationError": 400,
}
# Its front end refuses what is no service's.
FRONT = "http://webservices.amazon.com/AWSFault/2005-15-09"
ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Judge:
    """Holds one answer against the model of its operation."""

    def __init__(self, service, operation, shapes):
        self.operation, self.shapes, self.faults = operation, shapes, []
        self.space = service.metadata["xmlNamespace"]

    def want(self, good, what):
        if not good:
            self.faults.append(what)

    def answer(self, status, body):
        root = ElementTree.fromstring(body)
        if status < 300:
            self.success(root)
        else:
            self.error(root, status)

    def success(self, root):
        shape = self.operation.output_shape
        self.want(root.tag == self.tag(self.operation.name + "Response"), "the root is " + root.tag)
        parts = ["ResponseMetadata"] if shape is None else [shape.serialization["resultWrapper"], "ResponseMetadata"]
        self.want([child.tag for child in root] == [self.tag(p) for p in parts], "the root holds %r" % [c.tag for c in root])
        self.want(root.findtext("/".join(map(self.tag, ["ResponseMetadata", "RequestId"]))), "there is no RequestId")
        if shape is not None:
            self.element(root[0], shape, self.operation.name)

    def error(self, root, status):
        code = root.findtext("{*}Error/{*}Code")
        self.want(root.tag in (self.tag("ErrorResponse"), "{%s}ErrorResponse" % FRONT), "the root of an error is " + root.tag)
        self.want(root.findtext("{*}Error/{*}Type") == ("Receiver" if status >= 500 else "Sender"), "the error's Type is wrong")
        self.want(root.findtext("{*}Error/{*}Message"), "the error has no Message")
        self.want(root.findtext("{*}RequestId"), "the error has no RequestId")
        known = dict(COMMON)
        for shape in self.operation.error_shapes if self.operation else []:
            known[shape.metadata["error"]["code"]] = shape.metadata["error"]["httpStatusCode"]
        self.want(known.get(code) == status, "%s with status %d is no error of %s" % (code, status, self.operation and self.operation.name))

    def tag(self, name):
        return "{%s}%s" % (self.space, name)

    def element(self, node, shape, where):
        judge = getattr(self, shape.type_name, None)
        self.want(judge, "%s: %s cannot be judged" % (where, shape.type_name))
        if judge:
            judge(node, shape, where)

    def structure(self, node, shape, where):
        names = {m.serialization.get("name", n): n for n, m in shape.members.items()}
        there = [child.tag.replace("{%s}" % self.space, "") for child in node]
        self.want(len(set(there)) == len(there), where + " has a member twice")
        for child, name in zip(node, there):
            self.want(name in names, "%s has no member %s" % (where, name))
            if name in names and not self.of_root(node, shape):
                self.element(child, shape.members[names[name]], where + "." + name)
        for name in shape.required_members:
            self.want(name in there or self.of_root(node, shape), "%s lacks %s" % (where, name))

    def of_root(self, node, shape):
        """Root has neither Path nor UserName, and a short UserId, in the documentation's own example of ListVirtualMFADevices too."""
        return shape.name == "User" and (node.findtext(self.tag("Arn")) or "").endswith(":root")

    def list(self, node, shape, where):
        for child in node:
            self.want(child.tag == self.tag("member"), "%s holds %s" % (where, child.tag))
            self.element(child, shape.member, where + "[]")

    def map(self, node, shape, where):
        for child in node:
            self.want([c.tag for c in child] == [self.tag("key"), self.tag("value")], where + " holds what is no entry")
            self.element(child[0], shape.key, where + " key")
            self.element(child[1], shape.value, where + " value")

    def string(self, node, shape, where):
        text, meta = node.text or "", self.shapes[shape.name]
        self.want(meta.get("min", 0) <= len(text) <= meta.get("max", len(text)), "%s is %d long" % (where, len(text)))
        self.want(not meta.get("enum") or text in meta["enum"], "%s is %r" % (where, text))
        if "pattern" in meta and "u10000" not in meta["pattern"]:  # that one is broken, in the model itself
            self.want(re.fullmatch(meta["pattern"], text), "%s is %r" % (where, text))

    def timestamp(self, node, shape, where):
        self.want(ISO8601.fullmatch(node.text or ""), "%s is %r" % (where, node.text))

    def integer(self, node, shape, where):
        self.want(re.fullmatch(r"-?\d+", node.text or ""), "%s is %r" % (where, node.text))

    def boolean(self, node, shape, where):
        self.want(node.text in ("true", "false"), "%s is %r" % (where, node.text))

    def blob(self, node, shape, where):
        try:
            base64.b64decode(node.text or "", validate=True)
        except binascii.Error as error:
            self.faults.append("%s: %s" % (where, error))


class Client:
    """Makes the calls."""

    def __init__(self):
        self.session = botocore.session.get_session()

    def model(self, service):
        return self.session.get_service_model(service)

    def shapes(self, service):
        """The model's shapes as they are in the file; botocore itself has no use for patterns."""
        return self.session.get_component("data_loader").load_service_model(service, "service-2")["shapes"]

    def parameters(self, service, operation):
        """What an operation takes, with its bounds in the words of the tests."""
        shape, known = self.model(service).operation_model(operation).input_shape, {}
        for name, member in shape.members.items() if shape else ():
            raw = self.shapes(service)[member.name]
            known[name] = {
                "pattern": raw.get("pattern", "|".join(raw.get("enum", []))), "least": raw.get("min", 0), "most": raw.get("max", 0),
                "number": member.type_name == "integer", "required": name in shape.required_members,
            }
        return known

    def judge(self, service, operation, status, body):
        model = self.model(service)
        judge = Judge(model, model.operation_model(operation) if operation in model.operation_names else None, self.shapes(service))
        judge.answer(status, body)
        return judge.faults

    def call(self, endpoint, service, operation, params, key):
        unsigned = {} if key else {"signature_version": UNSIGNED}
        client = self.session.create_client(
            service, region_name="us-east-1", endpoint_url=endpoint,
            aws_access_key_id=key and key[0], aws_secret_access_key=key and key[1], aws_session_token=key and key[2],
            config=ONCE.merge(Config(parameter_validation=False, **unsigned)))
        faults = []

        def received(response_dict, **_):
            if response_dict:
                faults.extend(self.judge(service, operation, response_dict["status_code"], response_dict["body"]))

        client.meta.events.register("response-received", received)
        method = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", operation).lower()
        try:
            return {"result": getattr(client, method)(**params), "faults": faults}
        except ClientError as error:
            return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"], "faults": faults}
        except HTTPClientError as error:
            return {"code": "lost", "message": str(error), "faults": faults}

    def do(self, task):
        if "body" in task:
            return {"faults": self.judge(task["service"], task["operation"], task["status"], task["body"])}
        if "params" not in task:
            return {"parameters": self.parameters(task["service"], task["operation"])}
        return self.call(task["endpoint"], task["service"], task["operation"], task["params"], task.get("key"))


def plain(value):
    """JSON of what botocore parses: bytes as base64, times as ISO 8601."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.isoformat()


if __name__ == "__main__":
    client = Client()
    for line in sys.stdin:
        print(json.dumps(client.do(json.loads(line)), default=plain), flush=True)

"""What the schemas cannot say, for schemathesis."""

import json

import schemathesis


@schemathesis.hook
def filter_body(context, body):
    """To JSON Schema 30.0 is a whole number. The services take only one that is written in digits alone.

    The test has the database refuse one name, which schemathesis finds among the dead letters.
    """
    if not isinstance(body, dict):
        return True
    age = body.get("age")
    return not (isinstance(age, float) and age.is_integer()) and body.get("name") != "refused"


@schemathesis.hook
def filter_case(context, case):
    """Takes `0` for a valid entity tag, which the pattern of the parameter refuses."""
    headers = case.headers or {}
    return all(headers.get(name) != "0" for name in ("If-Match", "If-None-Match"))


@schemathesis.deserializer("application/x-ndjson")
def last_line(context, response):
    """The schema is that of one line; the last one is always there."""
    return json.loads(response.content.splitlines()[-1])

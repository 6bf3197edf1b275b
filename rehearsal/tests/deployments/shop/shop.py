"""The function whose alias the tests shift. Its versions differ in nothing but their number and a variable."""

import os


def handler(event, context):
    return {"version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"], "edition": os.environ.get("EDITION")}

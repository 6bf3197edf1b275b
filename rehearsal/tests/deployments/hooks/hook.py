"""A lifecycle hook for tests. `ANSWER` says what it does: a status to report, `twice` for two reports, `crash`, or
`silence`. It prints what it was given, and what CodeDeploy said to each report."""

import json
import os
import urllib.error
import urllib.request

ANSWER = os.environ["ANSWER"]


def report(event, status):
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{os.environ['AWS_REGION']}/codedeploy/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=test",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
    }
    document = {
        "deploymentId": event["DeploymentId"],
        "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
        "status": status,
    }
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(document).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        return json.loads(refusal.read())


def handler(event, context):
    print(json.dumps({"hooked": event}), flush=True)
    if ANSWER == "crash":
        raise RuntimeError("as it was told")
    statuses = {"silence": [], "twice": ["Succeeded", "Failed"]}.get(ANSWER, [ANSWER])
    for status in statuses:
        print(json.dumps({"reported": status, "said": report(event, status)}), flush=True)

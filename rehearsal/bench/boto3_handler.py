"""The rollback of one alarm with boto3: the calls that Ripcord makes, written as one would for Lambda.

Clients are made once, while the function starts; what does not depend on each other runs at the same time. The
runtime loop at the end is leaner than the one in Lambda's own Python image.
"""

import http.client
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import boto3

TABLE = os.environ["RIPCORD_TABLE"]
TOPIC = os.environ["RIPCORD_TOPIC_ARN"]
EVIDENCE_KEPT_S = 90 * 24 * 3600
QUARANTINE_KEPT_S = 7 * 24 * 3600
LOGS_BEFORE_MS = 15 * 60 * 1000
LOG_PATTERN = '?ERROR ?Error ?error ?Exception ?"Task timed out"'

dynamodb = boto3.client("dynamodb")
lambda_ = boto3.client("lambda")
sns = boto3.client("sns")
logs = boto3.client("logs")
pool = ThreadPoolExecutor(max_workers=2)

services_of_alarms = {}


def query(partition):
    answer = dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
        ConsistentRead=True,
    )
    return answer["Items"]


def document(item):
    return json.loads(item["doc"]["S"])


def put(pk, sk, doc, expires_at=None, seq=None):
    item = {"pk": {"S": pk}, "sk": {"S": sk}, "doc": {"S": json.dumps(doc)}}
    if expires_at is not None:
        item["expires_at"] = {"N": str(expires_at)}
    write = {"TableName": TABLE, "Item": item}
    if seq is not None:
        item |= {"seq": {"N": str(seq)}, "phase": {"S": doc["phase"]}}
        write["ConditionExpression"] = "seq = :before"
        write["ExpressionAttributeValues"] = {":before": {"N": str(seq - 1)}}
    return {"Put": write}


def handle(event):
    alarm = event["alarmArn"]
    state = event["alarmData"]["state"]
    if state["value"] != "ALARM":
        return {"course": "stand_down"}
    # What an earlier event taught is a first guess; the ledger is asked all the same, while the guess is followed.
    asking = pool.submit(query, f"alarm#{alarm}")
    guess = services_of_alarms.get(alarm, [])
    answers = [roll_back(guarded, event, state) for guarded in guess]
    services_of_alarms[alarm] = [document(item) for item in asking.result()]
    missed = [guarded for guarded in services_of_alarms[alarm] if guarded not in guess]
    return answers + [roll_back(guarded, event, state) for guarded in missed]


def roll_back(guarded, event, state):
    service = guarded["service"]
    target = guarded["targets"][0]
    name = {"FunctionName": target["function"], "Name": target["alias"]}
    partition = f"service#{service}"
    reading = pool.submit(query, partition)
    alias = lambda_.get_alias(**name)
    items = {item["sk"]["S"]: item for item in reading.result()}

    release = document(items["release"])
    changed_at = datetime.strptime(state["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    if changed_at < datetime.fromisoformat(release["opened_at"]) or release["phase"] == "rolled_back":
        return {"course": "stand_down"}
    change = release["changes"][0]
    lambda_.update_alias(
        **name,
        FunctionVersion=change["stable"],
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=alias["RevisionId"],
    )

    restored = lambda_.get_alias(**name)
    if restored["FunctionVersion"] != change["stable"] or restored.get("RoutingConfig"):
        raise RuntimeError(f"{target['function']}:{target['alias']} was changed by somebody else")
    now = datetime.now(timezone.utc).isoformat()
    now_s = int(time.time())
    generation = release["generation"]
    why = f"{event['alarmData']['alarmName']} fired: {state['reason']}"
    release |= {"phase": "rolled_back", "ended_at": now, "ended_because": why, "seq": release["seq"] + 1}
    past = {"generation": generation, "target": change["target"], "version": change["candidate"], "at": now, "reason": why}
    del alias["ResponseMetadata"], restored["ResponseMetadata"]
    evidence = {"kind": "rollback", "signal": event, "alias": {"before": alias, "after": restored}, "release": release}
    dynamodb.transact_write_items(
        TransactItems=[
            put(partition, "release", release, seq=release["seq"]),
            put(f"history#{service}", f"{generation:010}", release),
            put(partition, f"rollback#{generation:010}#{change['target']}", past, expires_at=now_s + QUARANTINE_KEPT_S),
            put(f"evidence#{service}", f"{generation:010}#rollback", evidence, expires_at=now_s + EVIDENCE_KEPT_S),
        ]
    )
    message = {
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": f"{service} was rolled back (release {generation})",
            "description": why,
            "nextSteps": [f"ripcord status {service}"],
        },
        "metadata": {"threadId": f"{service}#{generation}", "eventType": "ripcord"},
    }
    text = {"DataType": "String"}
    sns.publish(
        TopicArn=TOPIC,
        Subject=f"{service} was rolled back (release {generation})",
        Message=json.dumps(message),
        MessageAttributes={
            "severity": text | {"StringValue": "warning"},
            "service": text | {"StringValue": service},
        },
    )
    release |= {"report": {"sent": {"at": now}}, "seq": release["seq"] + 1}
    dynamodb.transact_write_items(
        TransactItems=[
            put(partition, "release", release, seq=release["seq"]),
            put(f"history#{service}", f"{generation:010}", release),
        ]
    )
    group, version, to = f"/aws/lambda/{target['function']}", change["candidate"], datetime.now(timezone.utc)
    lines = logs.filter_log_events(
        logGroupName=group,
        logStreamNamePrefix=f"{to:%Y/%m/%d}/[{version}]",
        filterPattern=LOG_PATTERN,
        startTime=int(changed_at.timestamp() * 1000) - LOGS_BEFORE_MS,
        endTime=int(to.timestamp() * 1000),
        limit=25,
    )["events"]
    excerpt = {"source": f"{target['function']}:{version}", "lines": [line["message"].rstrip()[:1000] for line in lines]}
    key = f"{generation:010}#{target['function']}"
    dynamodb.transact_write_items(
        TransactItems=[put(f"logs#{service}", key, excerpt, expires_at=now_s + EVIDENCE_KEPT_S)]
    )
    return {"course": "restore", "service": service, "generation": generation, "reason": why}


def main():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = api.getresponse()
        event = json.loads(answer.read())
        result = json.dumps(handle(event))
        request_id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
        api.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", result)
        api.getresponse().read()


if __name__ == "__main__":
    main()

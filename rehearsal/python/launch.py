"""Starts ministack for one rehearsal, behind the front, and teaches its CloudFormation what it lacks.

What this file is for: to tie ministack's life to the process that started it, to send a stack's CloudWatch alarms to
the rehearsal's own alarm evaluator, and to sign each function's calls with a name that the journal can read. What
Step Functions lack is in step_functions.py, and what CloudFormation needs of CodeDeploy in codedeploy.py.
What it must not do: re-implement a service. Whatever needs more than a few lines here belongs to the front, in Rust.

Every change is checked against the shape that the pinned ministack has. A different shape ends the start with a clear
message, because a silently missing hook would make a rehearsal prove nothing.
"""

import datetime
import functools
import json
import os
import shlex
import sys
import threading
import urllib.error
import urllib.request

import codedeploy
import step_functions
from parent import end_with_parent, fail

FRONT = os.environ["AWS_ENDPOINT_URL"]
CODEDEPLOY_SCALE = float(os.environ["RIPCORD_REHEARSAL_CODEDEPLOY_SCALE"])
MINUTE_S = float(os.environ["RIPCORD_MINUTE_MS"]) / 1000
PORT = os.environ["RIPCORD_REHEARSAL_PORT"]
PUBLICATION = os.environ["RIPCORD_REHEARSAL_PUBLICATION"]
FRONT_TIMEOUT_S = 10
# Faults leave the rehearsal's own calls alone.
EVENTS_CALLER = "rehearsal-itself"


def unpublish():
    """Removes the parent's publication of its endpoint, unless another rehearsal has published its own meanwhile."""
    try:
        with open(PUBLICATION, encoding="utf-8") as publication:
            is_ours = json.load(publication).get("endpoint") == FRONT
        if is_ours:
            os.remove(PUBLICATION)
    except (OSError, ValueError):
        pass


def ask_front(method, path, document=None):
    """Calls the front and returns its JSON answer. A refusal becomes the resource's failure reason."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(
        FRONT + path, data=body, method=method, headers={"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=FRONT_TIMEOUT_S) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refusal:
        raise ValueError(refusal.read().decode(errors="replace")) from refusal


def send_alarms_to_the_front(provisioners, responses):
    """Replaces the alarm handlers of CloudFormation: ministack's refuse metric math and know no composite alarms."""

    def where():
        """The place of the stack that is at hand."""
        return {"AccountId": responses.get_account_id(), "Region": responses.get_region()}

    def put(kind, name, props):
        alarm = {"Kind": kind, "Properties": {**props, "AlarmName": name}, **where()}
        answer = ask_front("PUT", "/_rehearsal/alarms", alarm)
        return name, {"Arn": answer["AlarmArn"]}

    def handlers(kind):
        def name_of(logical_id, props, stack_name):
            return props.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)

        def create(logical_id, props, stack_name):
            return put(kind, name_of(logical_id, props, stack_name), props)

        def update(physical_id, old_props, new_props, stack_name, logical_id=None):
            name = name_of(logical_id or physical_id, new_props, stack_name)
            created = put(kind, name, new_props)
            # A changed name replaces the alarm: the new one exists before the old one goes.
            if name != physical_id:
                delete(physical_id, old_props)
            return created

        def delete(physical_id, props):
            ask_front("DELETE", "/_rehearsal/alarms", {"AlarmNames": [physical_id], **where()})

        return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}

    known = provisioners._RESOURCE_HANDLERS
    expected = {"create", "update", "update_with_logical_id", "delete"}
    shapes = (provisioners._physical_name, responses.get_account_id, responses.get_region)
    if set(known.get("AWS::CloudWatch::Alarm", {})) != expected or not all(map(callable, shapes)):
        fail("ministack's CloudFormation handlers have another shape than the pinned version's")
    known["AWS::CloudWatch::Alarm"] = handlers("Metric")
    known["AWS::CloudWatch::CompositeAlarm"] = handlers("Composite")


def name_the_callers(lambda_svc, lambda_runtime):
    """Gives each function an access key id of its own, so that the journal can tell who called."""
    original = getattr(lambda_runtime, "execution_credentials", None)
    if not callable(original) or lambda_svc.execution_credentials is not original:
        fail("ministack's execution_credentials is not where the pinned version has it")

    def credentials(config):
        return {**original(config), "AWS_ACCESS_KEY_ID": f"FN.{config.get('FunctionName', 'unknown')}"}

    lambda_svc.execution_credentials = credentials
    lambda_runtime.execution_credentials = credentials


def let_the_front_put_events(eventbridge):
    """Takes events of `aws.*` sources from the rehearsal's own CloudWatch and CodeDeploy, and from nobody else."""
    original = getattr(eventbridge, "_put_events", None)
    if not callable(original) or "allow_aws_source" not in original.__code__.co_varnames:
        fail("ministack's _put_events has another shape than the pinned version's")

    def put_events(data, allow_aws_source=False):
        return original(data, allow_aws_source or data.get("FromRehearsal") is True)

    eventbridge._put_events = put_events


def deliver_events_through_the_front(eventbridge):
    """Hands events to functions as EventBridge does: asynchronously, so that a failed one is tried again and kept.

    Ministack runs the function once, and forgets. In a thread, because this one may be what serves the front's call.
    """
    original = getattr(eventbridge, "_dispatch_to_lambda", None)
    if not callable(original) or original.__code__.co_varnames[:2] != ("arn", "payload"):
        fail("ministack's _dispatch_to_lambda has another shape than the pinned version's")

    def dispatch(arn, payload):
        def invoke():
            try:
                with step_functions.invocation(FRONT, arn, payload.encode(), EVENTS_CALLER, asynchronous=True):
                    pass
            except OSError as refused:
                print(f"rehearsal: EventBridge could not invoke {arn}: {refused}", file=sys.stderr, flush=True)

        threading.Thread(target=invoke, daemon=True).start()

    eventbridge._dispatch_to_lambda = dispatch


def tell_of_stacks(cloudformation, eventbridge):
    """Tells EventBridge of every status of a stack, which ministack keeps to itself."""
    original = cloudformation.stacks._add_event

    @functools.wraps(original)
    def add_event(stack_id, stack_name, logical_id, resource_type, status, reason="", *rest, **options):
        original(stack_id, stack_name, logical_id, resource_type, status, reason, *rest, **options)
        if resource_type != "AWS::CloudFormation::Stack" or logical_id != stack_name:
            return
        detail = {"stack-id": stack_id, "status-details": {"status": status, "status-reason": reason}}
        entry = {
            "Source": "aws.cloudformation",
            "DetailType": "CloudFormation Stack Status Change",
            "Resources": [stack_id],
            "Detail": json.dumps(detail),
        }
        eventbridge._put_events({"Entries": [entry], "FromRehearsal": True})

    for name in ("stacks", "handlers", "changesets"):
        module = getattr(cloudformation, name)
        if getattr(module, "_add_event", None) is original:
            module._add_event = add_event


def find_log_lines(logs):
    """Makes FilterLogEvents find what CloudWatch would: `?a ?b` means any of the terms, and a prefix of the streams'
    names chooses among them. Ministack wants all terms, and overlooks the prefix."""
    original_pattern, original_filter = logs._compile_filter_pattern, logs._filter_log_events
    if not callable(original_pattern) or not callable(original_filter):
        fail("ministack's CloudWatch Logs has another shape than the pinned version's")

    def compile_pattern(raw):
        terms = shlex.split(raw or "")
        if not terms or not all(term.startswith("?") for term in terms):
            return original_pattern(raw)
        return lambda message: any(term[1:] in message for term in terms)

    def filter_events(data):
        prefix = data.get("logStreamNamePrefix")
        if prefix:
            group = logs._log_groups.get(data.get("logGroupName"), {"streams": {}})
            # No name at all would mean every stream.
            names = [name for name in group["streams"] if name.startswith(prefix)] or ["none has this prefix"]
            data = {**data, "logStreamNames": names}
        return original_filter(data)

    logs._compile_filter_pattern = compile_pattern
    logs._filter_log_events = filter_events


def name_crashes(lambda_runtime):
    """A process that ends before it asks for an event is `Runtime.ExitError`, as Lambda calls it."""
    worker = getattr(lambda_runtime, "ProvidedWorker", None)
    original = getattr(worker, "_await_init", None)
    named = getattr(lambda_runtime, "ProvidedRuntimeError", None)
    slow = getattr(lambda_runtime, "ProvidedInitTimeout", None)
    if not callable(original) or not named or not slow:
        fail("ministack's ProvidedWorker has another shape than the pinned version's")

    def await_init(self, init_timeout=None):
        try:
            original(self, init_timeout)
        except (named, slow):
            raise
        except RuntimeError as crash:
            raise named(str(crash), "Runtime.ExitError") from crash

    worker._await_init = await_init


def deploy_configurations_as_appconfig(appconfig):
    """Gives AppConfig the rehearsal's minutes, its lists the newest first, and no deployment of what does not exist."""
    original_start, original_list = appconfig._start_deployment, appconfig._list_deployments
    known = ("_DEPLOYMENT_MINUTE_SECONDS", "_REVERT_WINDOW_SECONDS", "_hosted_versions", "_error", "_refresh_environment")
    if not callable(original_start) or not all(hasattr(appconfig, name) for name in known):
        fail("ministack's AppConfig has another shape than the pinned version's")
    appconfig._REVERT_WINDOW_SECONDS *= MINUTE_S / appconfig._DEPLOYMENT_MINUTE_SECONDS
    appconfig._DEPLOYMENT_MINUTE_SECONDS = MINUTE_S

    def start(app_id, env_id, body):
        profile, version = body.get("ConfigurationProfileId", ""), body.get("ConfigurationVersion", "")
        location = (appconfig._config_profiles.get(f"{app_id}/{profile}") or {}).get("LocationUri")
        if location == "hosted" and f"{app_id}/{profile}/{version}" not in appconfig._hosted_versions:
            return appconfig._error(404, "ResourceNotFoundException", f"Configuration version {version} not found")
        return original_start(app_id, env_id, body)

    def newest_first(app_id, env_id, query):
        refresh = appconfig._refresh_environment
        appconfig._refresh_environment = lambda *ids: list(reversed(refresh(*ids)))
        try:
            return original_list(app_id, env_id, query)
        finally:
            appconfig._refresh_environment = refresh

    appconfig._start_deployment = start
    appconfig._list_deployments = newest_first


def associate_extensions(provisioners):
    """Lets a stack associate AppConfig's extensions. The front tells of deployments whether or not one does."""

    def create(logical_id, props, stack_name):
        if not props.get("ExtensionIdentifier") or not props.get("ResourceIdentifier"):
            raise ValueError("AWS::AppConfig::ExtensionAssociation requires ExtensionIdentifier and ResourceIdentifier")
        name = provisioners._physical_name(stack_name, logical_id, max_len=64)
        return name, {"Id": name}

    handlers = {"create": create, "delete": lambda physical_id, props: None}
    provisioners._RESOURCE_HANDLERS.setdefault("AWS::AppConfig::ExtensionAssociation", handlers)


def take_saved_queries(provisioners):
    """Lets a stack save queries of Logs Insights. Nobody runs them here: what they read is tested against the log lines."""

    def create(logical_id, props, stack_name):
        if not props.get("Name") or not props.get("QueryString"):
            raise ValueError("AWS::Logs::QueryDefinition requires Name and QueryString")
        name = provisioners._physical_name(stack_name, logical_id, max_len=64)
        return name, {"QueryDefinitionId": name}

    handlers = {"create": create, "delete": lambda physical_id, props: None}
    provisioners._RESOURCE_HANDLERS.setdefault("AWS::Logs::QueryDefinition", handlers)


def watch_the_fronts_alarms(appconfig):
    """Has AppConfig look at the alarms of the rehearsal's own evaluator, where an environment watches any.

    The front answers this itself, so that asking it holds nothing up that it waits for.
    """
    original = getattr(appconfig, "_first_monitor_alarm", None)
    if not callable(original) or original.__code__.co_varnames[:4] != ("app_id", "env_id", "start", "end"):
        fail("ministack's _first_monitor_alarm has another shape than the pinned version's")

    def first_monitor_alarm(app_id, env_id, start, end):
        monitors = (appconfig._environments.get(f"{app_id}/{env_id}") or {}).get("Monitors") or []
        watched = {monitor.get("AlarmArn") for monitor in monitors}
        if not watched:
            return None
        fired = [
            (max(start, datetime.datetime.fromisoformat(alarm["since"]).timestamp()), alarm["arn"])
            for alarm in ask_front("GET", "/_rehearsal/alarms")
            if alarm["arn"] in watched and alarm["state"] == "ALARM"
        ]
        at, arn = min(fired, default=(end + 1, None))
        return (arn, at) if at <= end else None

    appconfig._first_monitor_alarm = first_monitor_alarm


def listen_behind_the_front(app):
    """Listens on a port of its own, while GATEWAY_PORT, from which ministack makes URLs, is the front's."""
    if not callable(getattr(app, "_resolve_port", None)):
        fail("ministack's _resolve_port is not where the pinned version has it")
    app._resolve_port = lambda: PORT


def main():
    end_with_parent(unpublish)
    from ministack import app
    from ministack.core import lambda_runtime, responses
    from ministack.services import appconfig, cloudformation, cloudwatch_logs, eventbridge, lambda_svc, stepfunctions
    from ministack.services.cloudformation import provisioners

    send_alarms_to_the_front(provisioners, responses)
    name_the_callers(lambda_svc, lambda_runtime)
    let_the_front_put_events(eventbridge)
    deliver_events_through_the_front(eventbridge)
    find_log_lines(cloudwatch_logs)
    name_crashes(lambda_runtime)
    deploy_configurations_as_appconfig(appconfig)
    watch_the_fronts_alarms(appconfig)
    associate_extensions(provisioners)
    take_saved_queries(provisioners)
    codedeploy.teach(cloudformation, responses, FRONT, CODEDEPLOY_SCALE, fail)
    tell_of_stacks(cloudformation, eventbridge)
    step_functions.teach(stepfunctions, eventbridge, FRONT, fail)
    listen_behind_the_front(app)
    app.main()


if __name__ == "__main__":
    main()

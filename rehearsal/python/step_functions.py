"""Teaches ministack's Step Functions what a progressive release relies on and ministack does not do.

What this file is for: an execution that ends once and stays ended, timeouts and waits on the rehearsal's scaled time,
tasks whose calls pass the front, and paths that select nothing failing as they do on AWS instead of becoming null.
What it must not do: decide where an execution goes. Whatever ministack does right is called, not written again.

Waits, callbacks and whole executions last scaled seconds. A task that only calls a function has its `TimeoutSeconds`
in real ones, because the function's own work is not scaled.
"""

import contextvars
import inspect
import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request

# Synchronous invocations take at most Lambda's fifteen minutes.
INVOKE_TIMEOUT_S = 900
# How soon an execution that runs another one notices its own end.
POLL_S = 0.1
CALLER = "rehearsal-states"

# What is replaced here, with the parameters that it has in the pinned version.
PARAMETERS = {
    "_add_event": "execution event_type details",
    "_call_lambda": "func_ref event",
    "_error_matches": "error_equals error",
    "_evaluate_rule": "rule data ctx",
    "_execute_task": "state_def raw_input execution ctx",
    "_execute_wait": "state_def raw_input ctx",
    "_find_matching_retrier": "retriers error retry_counts",
    "_invoke_nested_start_execution_sync": "resource input_data",
    "_invoke_with_callback": "resource input_data token state_def",
    "_resolve_params_obj": "template data ctx",
    "_run_execution": "exec_arn",
    "_run_sub_machine": "states start_at input_data execution ctx",
    "_scaled_sleep": "seconds",
    "_send_task_failure": "data",
    "_send_task_heartbeat": "data",
    "_send_task_success": "data",
    "_start_execution": "data",
    "_stop_execution": "data",
}
# Who must reach it through the module, so that the replacement is what runs.
CALLERS = {
    "_add_event": ["_execute_task", "_fail_execution", "_run_execution", "_stop_execution"],
    "_call_lambda": ["_invoke_resource"],
    "_error_matches": ["_find_matching_catcher", "_find_matching_retrier"],
    "_executions": ["_run_execution", "_start_execution", "_stop_execution"],
    "_invoke_nested_start_execution_sync": ["_invoke_resource"],
    "_invoke_with_callback": ["_execute_task"],
    "_scaled_sleep": ["_execute_task", "_execute_wait"],
}

# The execution and the context object that a thread works for.
current = contextvars.ContextVar("execution", default=None)
context = contextvars.ContextVar("context", default=None)
# How long the thread's next sleep lasts, if that is the one before a retry.
retry_delay = contextvars.ContextVar("retry_delay", default=None)
# Held for every change that must not come between another's look and change.
one_at_a_time = threading.RLock()


class Ended(BaseException):
    """Unwinds a thread whose execution has ended meanwhile.

    It is no Exception, because the engine takes every Exception for a failed task, and would retry or catch it.
    """


class Execution(dict):
    """An execution's record. Its status leaves RUNNING once, whoever comes first, and then stays."""

    def __setitem__(self, key, value):
        if key != "status":
            return super().__setitem__(key, value)
        with one_at_a_time:
            if self["status"] != "RUNNING":
                raise Ended
            super().__setitem__(key, value)
            for waiting in ends.get(self["executionArn"], ()):
                waiting.set()


# What to set when an execution ends: the first is what its waits wait for, the others are pending callbacks.
ends = {}


def teach(sfn, eventbridge, front, fail):
    """Replaces what PARAMETERS names. `fail` ends the start with a message."""
    check_shapes(sfn, fail)
    original = {name: getattr(sfn, name) for name in PARAMETERS}
    keep_the_end(sfn, original)
    scale_the_time(sfn, original)
    call_through_the_front(sfn, front)
    call_back(sfn, original)
    run_executions_within(sfn)
    read_paths_strictly(sfn, original)
    match_errors(sfn, original)
    tell_why_in_events(sfn, eventbridge)


def check_shapes(sfn, fail):
    for name, expected in PARAMETERS.items():
        if list(inspect.signature(getattr(sfn, name, check_shapes)).parameters) != expected.split():
            fail(f"ministack's Step Functions have another {name} than the pinned version's")
    for name, callers in CALLERS.items():
        for caller in callers:
            if name not in getattr(sfn, caller).__code__.co_names:
                fail(f"ministack's Step Functions do not use {name} in {caller}, as the pinned version does")
    if type(sfn._executions).__name__ != "AccountRegionScopedDict" or "Detail" not in inspect.getsource(
        sfn._emit_execution_status_event
    ):
        fail("ministack's Step Functions keep executions in another way than the pinned version's")


def failure(sfn, cause):
    """What AWS calls an execution that cannot go on: neither Retry nor Catch stops it."""
    return sfn._ExecutionError("States.Runtime", cause)


def refusal(sfn, code, message):
    return sfn.error_response_json(code, message, 400)


def keep_the_end(sfn, original):
    """StopExecution and timeouts stick: nothing is written, scheduled or reported after the end."""

    class Executions(type(sfn._executions)):
        __slots__ = ()

        def __setitem__(self, arn, record):
            ends[arn] = [threading.Event()]
            super().__setitem__(arn, Execution(record))

    def add_event(execution, event_type, details=None):
        with one_at_a_time:
            has_ended = execution["status"] != "RUNNING"
            if has_ended and not event_type.startswith("Execution"):
                raise Ended
            return original["_add_event"](execution, event_type, details)

    def start_execution(data):
        # The same name with the same input is the same execution, for as long as it runs.
        machine = sfn._state_machines.get(sfn._resolve_state_machine_arn(data.get("stateMachineArn", "")))
        known = machine and sfn._executions.get(
            f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{data.get('name')}"
        )
        if known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return sfn.json_response({"executionArn": known["executionArn"], "startDate": known["startDate"]})
        return original["_start_execution"](data)

    def stop_execution(data):
        try:
            return original["_stop_execution"](data)
        except Ended:
            return refusal(sfn, "ValidationException", "Execution is not running")

    def time_out(execution):
        try:
            execution["status"] = "TIMED_OUT"
        except Ended:
            return
        execution["error"] = "States.Timeout"
        execution["stopDate"] = sfn.now_iso()
        sfn._add_event(
            execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
        )
        sfn._emit_execution_status_event(execution)

    def limit_s(execution):
        machine = sfn._state_machines.get(execution["stateMachineArn"]) or {}
        try:
            return json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
        except ValueError:
            return None

    def run_execution(exec_arn):
        execution = sfn._executions.get(exec_arn)
        if execution is None:
            return
        limit = limit_s(execution)
        timer = None
        if limit is not None:
            in_scope = contextvars.copy_context().run
            timer = threading.Timer(limit * sfn._SFN_WAIT_SCALE, in_scope, (time_out, execution))
            timer.daemon = True
            timer.start()
        token = current.set(execution)
        try:
            original["_run_execution"](exec_arn)
        except Ended:
            pass
        finally:
            current.reset(token)
            if timer:
                timer.cancel()

    def run_sub_machine(states, start_at, input_data, execution, ctx):
        # In a thread of its own, where nobody would see the exception. Whoever waits for it sees the end itself.
        try:
            return original["_run_sub_machine"](states, start_at, input_data, execution, ctx)
        except Ended:
            return None

    sfn._executions = Executions()
    sfn._add_event = add_event
    sfn._start_execution = start_execution
    sfn._stop_execution = stop_execution
    sfn._run_execution = run_execution
    sfn._run_sub_machine = run_sub_machine


def scale_the_time(sfn, original):
    """Waits end with their execution, and a wait or timeout that is no number of seconds fails."""

    def scaled_sleep(seconds):
        execution = current.get()
        if execution is None:
            return original["_scaled_sleep"](seconds)
        if retry_delay.get() is not None:
            seconds = retry_delay.get()
            retry_delay.set(None)
        if ends[execution["executionArn"]][0].wait(seconds * sfn._SFN_WAIT_SCALE):
            raise Ended

    def seconds_at(field, state_def, raw_input, ctx, least):
        path = state_def[field]
        seconds = sfn._resolve_path_or_ctx(path, sfn._apply_input_path(state_def, raw_input, ctx), ctx)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < least:
            raise failure(sfn, f"The {field} '{path}' selects {json.dumps(seconds)}, not {least} seconds or more")
        return seconds

    def execute_wait(state_def, raw_input, ctx=None):
        if "SecondsPath" in state_def:
            seconds_at("SecondsPath", state_def, raw_input, ctx, 0)
        return original["_execute_wait"](state_def, raw_input, ctx)

    def execute_task(state_def, raw_input, execution, ctx):
        if "HeartbeatSeconds" in state_def or "HeartbeatSecondsPath" in state_def:
            raise failure(sfn, "the local Step Functions have no heartbeats")
        if "TimeoutSecondsPath" in state_def:
            seconds = seconds_at("TimeoutSecondsPath", state_def, raw_input, ctx, 1)
            state_def = {**state_def, "TimeoutSeconds": seconds}
        token = context.set(ctx)
        try:
            return original["_execute_task"](state_def, raw_input, execution, ctx)
        finally:
            context.reset(token)

    sfn._scaled_sleep = scaled_sleep
    sfn._execute_wait = execute_wait
    sfn._execute_task = execute_task


def call_through_the_front(sfn, front):
    """Tasks call their functions as AWS does, over HTTP, so that the journal has them and faults can hit them."""

    def call_lambda(func_ref, event):
        try:
            with invocation(front, func_ref, json.dumps(event).encode(), CALLER) as answer:
                text, failed = answer.read().decode(), answer.headers.get("x-amz-function-error")
        except urllib.error.HTTPError as refused:
            code = refused.headers.get("x-amzn-errortype", "AWSLambdaException").split(":")[0]
            raise sfn._ExecutionError(f"Lambda.{code}", refused.read().decode()) from None
        except OSError as lost:
            raise sfn._ExecutionError("Lambda.SdkClientException", str(lost)) from None
        try:
            document = json.loads(text) if text else None
        except ValueError:
            document = text
        if failed:
            named = document.get("errorType") if isinstance(document, dict) else None
            raise sfn._ExecutionError(named or "Lambda.Unknown", text)
        return document

    sfn._call_lambda = call_lambda


def invocation(front, function, payload, caller, asynchronous=False):
    """The answer to an invocation that passes the front under the caller's name. Raises OSError when there is none."""
    name, _, qualifier = function.split(":function:")[-1].partition(":")
    url = f"{front}/2015-03-31/functions/{urllib.parse.quote(name)}/invocations"
    if qualifier:
        url += f"?Qualifier={urllib.parse.quote(qualifier)}"
    scope = f"{caller}/20260101/{os.environ['AWS_DEFAULT_REGION']}/lambda/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=rehearsal",
        "Content-Type": "application/json",
        "X-Amz-Invocation-Type": "Event" if asynchronous else "RequestResponse",
    }
    request = urllib.request.Request(url, payload, headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=INVOKE_TIMEOUT_S)


def call_back(sfn, original):
    """A task with a token fails when its function does, ends with its execution, and is answered once at most."""
    closed = set()

    def invoke_with_callback(resource, input_data, token, state_def):
        if "states:::lambda:invoke" not in resource:
            raise failure(sfn, f"the local Step Functions are called back by functions alone, not by {resource}")
        function = sfn._resolve_lambda_function_ref(input_data.get("FunctionName", ""), optimized=True)
        answered = threading.Event()
        answer = {"event": answered, "result": None, "error": None, "heartbeat": None}

        def call():
            try:
                sfn._call_lambda(function, input_data.get("Payload", input_data))
                return
            except sfn._ExecutionError as error:
                problem = {"Error": error.error, "Cause": error.cause}
            except Exception as error:  # Anything else would leave the task waiting for ever.
                problem = {"Error": "States.Runtime", "Cause": repr(error)}
            with one_at_a_time:
                if not answered.is_set():
                    answer["error"] = problem
                    answered.set()

        sfn._task_tokens[token] = answer
        arn = current.get()["executionArn"]
        with one_at_a_time:
            ends[arn].append(answered)
        try:
            if current.get()["status"] != "RUNNING":
                raise Ended
            threading.Thread(target=contextvars.copy_context().run, args=(call,), daemon=True).start()
            limit = state_def.get("TimeoutSeconds")
            answered.wait(None if limit is None else limit * sfn._SFN_WAIT_SCALE)
        finally:
            with one_at_a_time:
                closed.add(token)
                sfn._task_tokens.pop(token, None)
                ends[arn].remove(answered)
        if current.get()["status"] != "RUNNING":
            raise Ended
        if answer["error"]:
            raise sfn._ExecutionError(answer["error"]["Error"], answer["error"]["Cause"])
        if not answered.is_set():
            raise sfn._ExecutionError("States.Timeout", "")
        return json.loads(answer["result"])

    def unless_closed(name):
        def send(data):
            with one_at_a_time:
                token = data.get("taskToken")
                pending = sfn._task_tokens.get(token)
                if token in closed or (pending and pending["event"].is_set()):
                    return refusal(
                        sfn, "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"
                    )
                if name == "_send_task_success" and not is_json(data.get("output")):
                    return refusal(sfn, "InvalidOutput", "Invalid Output: the output is not JSON")
                return original[name](data)

        return send

    sfn._invoke_with_callback = invoke_with_callback
    for name in ("_send_task_failure", "_send_task_heartbeat", "_send_task_success"):
        setattr(sfn, name, unless_closed(name))


def run_executions_within(sfn):
    """A task that runs an execution starts a standard one, which tells of its end, and fails with its description."""

    def run(resource, input_data):
        status, _, body = sfn._start_execution(sfn._nested_start_execution_request(input_data))
        started = json.loads(body)
        if status >= 400:
            code = started.get("__type", "AWSStepFunctions").split("#")[-1]
            raise sfn._ExecutionError(f"StepFunctions.{code}Exception", started.get("message", ""))
        arn = started["executionArn"]
        parent, child = current.get(), sfn._executions[arn]
        while child["status"] == "RUNNING":
            if parent["status"] != "RUNNING":
                sfn._stop_execution({"executionArn": arn, "cause": "the execution that runs it has ended"})
                raise Ended
            ends[arn][0].wait(POLL_S)
        names = ("executionArn", "name", "stateMachineArn", "input", "status", "output", "error", "cause")
        described = {name[0].upper() + name[1:]: child[name] for name in names if child.get(name) is not None}
        if child["status"] != "SUCCEEDED":
            raise sfn._ExecutionError("States.TaskFailed", json.dumps(described))
        if resource.endswith(":2") and is_json(described.get("Output")):
            described["Output"] = json.loads(described["Output"])
        return described

    sfn._invoke_nested_start_execution_sync = run


def is_json(text):
    try:
        json.loads(text)
    except (TypeError, ValueError):
        return False
    return True


def read_paths_strictly(sfn, original):
    """A path that selects nothing ends the execution. Ministack makes null of it, and goes on."""

    def selects(path, data, ctx):
        if path.startswith("$$"):
            path, data = path[1:], ctx or {}
        tokens = sfn._parse_jsonpath_tokens(path)
        for kind, key in tokens or ():
            if kind == "wildcard":
                return True
            is_there = key in data if kind == "field" and isinstance(data, dict) else (
                kind == "index" and isinstance(data, list) and key < len(data)
            )
            if not is_there:
                return False
            data = data[key]
        return tokens is not None

    def resolve_params(template, data, ctx=None):
        # ResultSelector may name the context object too.
        ctx = ctx or context.get()
        for key, path in template.items() if isinstance(template, dict) else ():
            is_path = key.endswith(".$") and isinstance(path, str) and path.startswith("$")
            if is_path and not selects(path, data, ctx):
                raise failure(sfn, f"The JSONPath '{path}' specified for the field '{key}' could not be found")
        return original["_resolve_params_obj"](template, data, ctx)

    def evaluate_rule(rule, data, ctx=None):
        path = rule.get("Variable")
        if path and "IsPresent" not in rule and not selects(path, data, ctx):
            raise failure(sfn, f"Invalid path '{path}': the choice's condition references an invalid value")
        return original["_evaluate_rule"](rule, data, ctx)

    sfn._resolve_params_obj = resolve_params
    sfn._evaluate_rule = evaluate_rule


def match_errors(sfn, original):
    """No Retry or Catch matches States.Runtime, and a delay is as long as its retrier says. Jitter is not applied."""

    def error_matches(error_equals, error):
        return error != "States.Runtime" and original["_error_matches"](error_equals, error)

    def find_retrier(retriers, error, retry_counts):
        retrier, index = original["_find_matching_retrier"](retriers, error, retry_counts)
        if retrier is not None:
            grown = retrier.get("BackoffRate", 2.0) ** retry_counts.get(index, 0)
            delay = retrier.get("IntervalSeconds", 1) * grown
            # The engine sleeps next, and for a minute at most; what is left here is stronger.
            retry_delay.set(min(delay, retrier.get("MaxDelaySeconds", delay)))
        return retrier, index

    sfn._error_matches = error_matches
    sfn._find_matching_retrier = find_retrier


def tell_why_in_events(sfn, eventbridge):
    """The status change event of an aborted or timed out execution says why, and that it can be redriven."""
    original = eventbridge._put_events

    def put_events(data, allow_aws_source=False):
        for entry in data.get("Entries", []):
            if entry.get("Source") != "aws.states" or not allow_aws_source:
                continue
            detail = json.loads(entry["Detail"])
            execution = sfn._executions.get(detail.get("executionArn"))
            if execution and detail.get("status") in ("ABORTED", "TIMED_OUT"):
                why = {"error": execution.get("error"), "cause": execution.get("cause")}
                redrive = {"redriveStatus": "REDRIVABLE", "redriveStatusReason": None}
                entry["Detail"] = json.dumps({**detail, **why, **redrive})
        return original(data, allow_aws_source)

    eventbridge._put_events = put_events

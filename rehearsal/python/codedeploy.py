"""Teaches ministack's CloudFormation what SAM's DeploymentPreference makes.

What this file is for: CodeDeploy's resource types, and aliases whose UpdatePolicy hands their update to CodeDeploy. All
of it asks the front, where CodeDeploy is.
What it must not do: shift traffic, or decide whether a deployment is good.
"""

import inspect
import json
import os
import time
import urllib.error
import urllib.request

CALLER = "rehearsal-itself"
CALL_TIMEOUT_S = 30
LOOK_EVERY_S = 0.2
# A shift takes two days at most, and its hooks an hour each; the rollback takes none of them.
DEPLOYMENT_HOURS_MAX = 48 + 2
# What is not scaled: the calls themselves, on a busy machine.
DEPLOYMENT_OVERHEAD_S = 60
ENDED = ("Succeeded", "Failed", "Stopped")
ALIAS = "AWS::Lambda::Alias"

# What is replaced here or called, with the parameters that it has in the pinned version.
PARAMETERS = {
    ("engine", "_extract_deps"): "resource_def all_resource_names",
    ("engine", "_intrinsic_references"): "value",
    ("engine", "_resolve_refs"): "value resources params conditions mappings stack_name stack_id",
    ("provisioners", "_lambda_alias_update"): "physical_id old_props new_props stack_name logical_id",
    ("provisioners", "_physical_name"): "stack_name logical_id lowercase max_len seeded",
    ("stacks", "_add_event"): "stack_id stack_name logical_id resource_type status reason physical_id detailed_status",
    ("stacks", "_runs_on_worker_thread"): "resource_type",
}

# The template and the parameters that each stack is being deployed with.
deploying = {}
# Aliases whose deployment did not succeed in the update that is now being rolled back.
left_alone = set()


def teach(cloudformation, responses, front, scale, fail):
    """Registers the types and the alias's update. `fail` ends the start with a message."""
    check_shapes(cloudformation, fail)
    known = cloudformation.provisioners._RESOURCE_HANDLERS
    named = cloudformation.provisioners._physical_name
    ask = asking(front, responses)
    known["AWS::CodeDeploy::Application"] = applications(ask, named)
    known["AWS::CodeDeploy::DeploymentConfig"] = configs(ask, named)
    known["AWS::CodeDeploy::DeploymentGroup"] = groups(ask, named)
    remember_templates(cloudformation)
    wait_in_a_thread(cloudformation.stacks)
    known[ALIAS] = {**known[ALIAS], "update": alias_update(cloudformation, ask, scale)}


def check_shapes(cloudformation, fail):
    for (module, name), expected in PARAMETERS.items():
        found = getattr(getattr(cloudformation, module), name, check_shapes)
        if list(inspect.signature(found).parameters) != expected.split():
            fail(f"ministack's CloudFormation has another {name} than the pinned version's")
    alias = cloudformation.provisioners._RESOURCE_HANDLERS.get(ALIAS, {})
    if not alias.get("update_with_logical_id") or "update" not in alias:
        fail("ministack's CloudFormation updates aliases in another way than the pinned version's")
    for module in (cloudformation.handlers, cloudformation.changesets):
        deploy = getattr(module, "_deploy_stack_async", check_shapes)
        if list(inspect.signature(deploy).parameters)[:4] != ["stack_name", "stack_id", "template", "param_values"]:
            fail("ministack's CloudFormation deploys stacks in another way than the pinned version's")


def asking(front, responses):
    def ask(operation, document):
        """The answer to a call of CodeDeploy. A refusal becomes the resource's failure reason."""
        account = responses.get_account_id()
        # Another account's calls are made under the key that stands for it.
        caller = CALLER if account == os.environ["MINISTACK_ACCOUNT_ID"] else account
        scope = f"{caller}/20260101/{responses.get_region()}/codedeploy/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=rehearsal",
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"CodeDeploy_20141006.{operation}",
        }
        request = urllib.request.Request(front, json.dumps(document).encode(), headers, method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=CALL_TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as refusal:
            error = json.loads(refusal.read() or b"{}")
            raise ValueError(f"{error.get('message')} ({error.get('__type')})") from refusal

    return ask


def request_of(props):
    """The properties as the API names and types them. Templates name them with a capital, and parameters are texts."""
    if isinstance(props, list):
        return [request_of(item) for item in props]
    if not isinstance(props, dict):
        return props
    request = {}
    for key, value in props.items():
        if key == "Tags":
            continue
        if key in ("Enabled", "IgnorePollAlarmFailure"):
            value = value in (True, "true")
        elif key.endswith(("Percentage", "Interval", "InMinutes")):
            value = int(value)
        request["ecsServices" if key == "ECSServices" else key[:1].lower() + key[1:]] = request_of(value)
    return request


def applications(ask, named):
    def name_of(logical_id, props, stack_name):
        return props.get("ApplicationName") or named(stack_name, logical_id, max_len=100)

    def create(logical_id, props, stack_name):
        name = name_of(logical_id, props, stack_name)
        ask("CreateApplication", {**request_of(props), "applicationName": name})
        return name, {}

    def update(physical_id, old_props, new_props, stack_name, logical_id=None):
        if name_of(logical_id, new_props, stack_name) == physical_id:
            return physical_id, {}
        return create(logical_id, new_props, stack_name)

    def delete(physical_id, props):
        ask("DeleteApplication", {"applicationName": physical_id})

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def configs(ask, named):
    def create(logical_id, props, stack_name):
        name = props.get("DeploymentConfigName") or named(stack_name, logical_id, max_len=100)
        ask("CreateDeploymentConfig", {**request_of(props), "deploymentConfigName": name})
        return name, {}

    def update(physical_id, old_props, new_props, stack_name, logical_id=None):
        # No property of a configuration can change: another one takes its place.
        return create(logical_id, new_props, stack_name)

    def delete(physical_id, props):
        ask("DeleteDeploymentConfig", {"deploymentConfigName": physical_id})

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def groups(ask, named):
    def name_of(logical_id, props, stack_name):
        return props.get("DeploymentGroupName") or named(stack_name, logical_id, max_len=100)

    def create(logical_id, props, stack_name):
        name = name_of(logical_id, props, stack_name)
        ask("CreateDeploymentGroup", {**request_of(props), "deploymentGroupName": name})
        return name, {}

    def update(physical_id, old_props, new_props, stack_name, logical_id=None):
        name = name_of(logical_id, new_props, stack_name)
        if (name, new_props.get("ApplicationName")) != (physical_id, old_props.get("ApplicationName")):
            return create(logical_id, new_props, stack_name)
        # What a template does not say any more is taken back, not kept.
        cleared = {
            "alarmConfiguration": {"enabled": False, "alarms": []},
            "autoRollbackConfiguration": {"enabled": False, "events": []},
            "triggerConfigurations": [],
        }
        ask("UpdateDeploymentGroup", {**cleared, **request_of(new_props), "currentDeploymentGroupName": name})
        return physical_id, {}

    def delete(physical_id, props):
        application = props.get("ApplicationName")
        ask("DeleteDeploymentGroup", {"applicationName": application, "deploymentGroupName": physical_id})

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def remember_templates(cloudformation):
    """Keeps what a stack is deployed with, where an alias's update finds its policy, and lets the policy's references
    decide the order of the resources, as CloudFormation does."""
    engine, original_deps = cloudformation.engine, cloudformation.engine._extract_deps

    def extract_deps(resource_def, all_resource_names):
        names = {name for name, _ in engine._intrinsic_references(resource_def.get("UpdatePolicy", {}))}
        return original_deps(resource_def, all_resource_names) | (names & set(all_resource_names))

    def remembering(deploy):
        def deploy_stack(stack_name, stack_id, template, param_values, *rest, **options):
            deploying[stack_name] = (template, param_values)
            return deploy(stack_name, stack_id, template, param_values, *rest, **options)

        return deploy_stack

    engine._extract_deps = extract_deps
    for module in (cloudformation.handlers, cloudformation.changesets):
        module._deploy_stack_async = remembering(module._deploy_stack_async)


def wait_in_a_thread(stacks):
    """An alias may wait for a deployment, whose hooks and calls ministack must serve meanwhile."""
    original = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda resource_type: resource_type == ALIAS or original(resource_type)


def alias_update(cloudformation, ask, scale):
    original = cloudformation.provisioners._lambda_alias_update

    def update(physical_id, old_props, new_props, stack_name, logical_id=None):
        policy = policy_of(cloudformation, stack_name, logical_id)
        before, after = old_props.get("FunctionVersion"), new_props.get("FunctionVersion")
        is_same_alias = all(old_props.get(key) == new_props.get(key) for key in ("FunctionName", "Name"))
        if not policy or before == after or not is_same_alias:
            return original(physical_id, old_props, new_props, stack_name, logical_id)
        stack = cloudformation._stacks[stack_name]
        if "ROLLBACK" in stack["StackStatus"] and physical_id in left_alone:
            # CodeDeploy has taken its own deployment back, or was told not to.
            left_alone.discard(physical_id)
            return physical_id, {"AliasArn": physical_id}

        def tell(reason):
            cloudformation.stacks._add_event(
                stack["StackId"], stack_name, logical_id, ALIAS, "UPDATE_IN_PROGRESS", reason, physical_id
            )

        left_alone.add(physical_id)
        deploy(ask, revision(new_props, before, after, policy), policy, scale, tell)
        left_alone.discard(physical_id)
        # CodeDeploy moved the alias; everything else that a template says of it is not CodeDeploy's.
        moved = {**old_props, "FunctionVersion": after}
        if moved != new_props:
            return original(physical_id, moved, new_props, stack_name, logical_id)
        return physical_id, {"AliasArn": physical_id}

    return update


def policy_of(cloudformation, stack_name, logical_id):
    """The alias's CodeDeployLambdaAliasUpdate with its references resolved, if it has one."""
    template, param_values = deploying.get(stack_name, ({}, {}))
    resource = template.get("Resources", {}).get(logical_id, {})
    stack = cloudformation._stacks[stack_name]
    policy = cloudformation.engine._resolve_refs(
        json.loads(json.dumps(resource.get("UpdatePolicy", {}))),
        stack["_resources"],
        param_values,
        stack.get("_conditions", {}),
        template.get("Mappings", {}),
        stack_name,
        stack["StackId"],
    )
    return policy.get("CodeDeployLambdaAliasUpdate")


def revision(props, before, after, policy):
    hooks = [
        {event: policy[field]}
        for event, field in (
            ("BeforeAllowTraffic", "BeforeAllowTrafficHook"),
            ("AfterAllowTraffic", "AfterAllowTrafficHook"),
        )
        if isinstance(policy.get(field), str) and policy[field]
    ]
    properties = {
        "Name": props["FunctionName"].split(":function:")[-1],
        "Alias": props["Name"],
        "CurrentVersion": before,
        "TargetVersion": after,
    }
    resource = {"Alias": {"Type": "AWS::Lambda::Function", "Properties": properties}}
    content = json.dumps({"version": 0.0, "Resources": [resource], "Hooks": hooks})
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}


def deploy(ask, revision, policy, scale, tell):
    """Creates a deployment and waits for its end, and for its rollback's. Raises ValueError when it did not succeed."""
    names = {"applicationName": policy["ApplicationName"], "deploymentGroupName": policy["DeploymentGroupName"]}
    deployment = ask("CreateDeployment", {**names, "revision": revision})["deploymentId"]
    tell(f"CodeDeploy deployment started: {deployment}")
    deadline = time.monotonic() + DEPLOYMENT_HOURS_MAX * 3600 * scale + DEPLOYMENT_OVERHEAD_S
    ended = until_ended(ask, deployment, deadline)
    if ended["status"] == "Succeeded":
        return
    rollback = ended.get("rollbackInfo", {}).get("rollbackDeploymentId")
    if rollback:
        tell(f"CodeDeploy rollback deployment started: {rollback}")
        until_ended(ask, rollback, deadline)
    message = ended.get("errorInformation", {}).get("message", "")
    raise ValueError(f"{deployment} {ended['status'].lower()}. {message}")


def until_ended(ask, deployment, deadline):
    while time.monotonic() < deadline:
        info = ask("GetDeployment", {"deploymentId": deployment})["deploymentInfo"]
        if info["status"] in ENDED:
            return info
        time.sleep(LOOK_EVERY_S)
    raise ValueError(f"failed to see the end of {deployment} in time")

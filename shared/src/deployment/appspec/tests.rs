use std::fmt::Write;

use proptest::prelude::*;

use super::*;

fn shift(function: &str, current: u64, target: u64) -> AliasShift {
    AliasShift::of_texts(function, "live", &current.to_string(), &target.to_string()).expect("valid names")
}

const YAML: &str = r#"
version: 0.0
Resources:
  - checkout:
      Type: AWS::Lambda::Function
      Properties:
        Name: "checkout-api"
        Alias: live
        CurrentVersion: "4"
        TargetVersion: 5
Hooks:
  - BeforeAllowTraffic: "arn:aws:lambda:eu-west-1:123456789012:function:CodeDeployHook_ripcord-pre-traffic-hook"
  - AfterAllowTraffic: CodeDeployHook_ripcord-post-traffic-hook
"#;

#[track_caller]
fn check(text: &str, expected: Result<Resource, &str>) {
    let shown = text.get(..1_000).unwrap_or(text);
    match (AppSpec::parse(text), expected) {
        (Ok(spec), Ok(expected)) => assert_eq!(spec.resource, expected, "{shown}"),
        (Err(error), Err(expected)) => {
            assert!(error.to_string().contains(expected), "{error}\nbut not {expected}\n{shown}");
        }
        (read, expected) => panic!("{read:?}, and not {expected:?}\n{shown}"),
    }
}

/// A spec of Lambda in JSON with other properties than usual.
fn lambda(properties: &str) -> String {
    format!(
        r#"{{"version":0.0,"Resources":[{{"f":{{"Type":"AWS::Lambda::Function","Properties":{properties}}}}}]}}"#
    )
}

#[test]
fn a_shift_is_read_from_yaml_and_from_json() {
    let expected = || Ok(Resource::Alias(shift("checkout-api", 4, 5)));
    check(YAML, expected());
    check(
        &lambda(r#"{"Name":"checkout-api","Alias":"live","CurrentVersion":"4","TargetVersion":"5"}"#),
        expected(),
    );
    check(
        &lambda(r#"{"Name":"checkout-api","Alias":"live","CurrentVersion":4,"TargetVersion":5}"#),
        expected(),
    );
    check(&AppSpec::of_shift(&shift("checkout-api", 4, 5)), expected());
    // JSON that only YAML takes: with a comment, and with a comma too many.
    check(
        "{Resources: [{f: {Type: 'AWS::Lambda::Function', Properties: {Name: checkout-api, Alias: live, CurrentVersion: 4, TargetVersion: 5,}}}]} # by hand",
        expected(),
    );
    check(&YAML.replace("Resources", "resources").replace("Properties", "properties"), expected());
}

#[test]
fn a_function_is_named_by_its_arn_too() {
    for name in [
        "checkout-api",
        "arn:aws:lambda:eu-west-1:123456789012:function:checkout-api",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:checkout-api:live",
        "123456789012:function:checkout-api",
    ] {
        let properties =
            format!(r#"{{"Name":"{name}","Alias":"live","CurrentVersion":"1","TargetVersion":"2"}}"#);
        check(&lambda(&properties), Ok(Resource::Alias(shift("checkout-api", 1, 2))));
    }
}

#[test]
fn a_task_set_is_read_with_its_task_definition() {
    let task_definition = "arn:aws:ecs:eu-west-1:123456789012:task-definition/checkout:7".to_owned();
    let yaml = format!(
        "version: 0.0\nResources:\n  - TargetService:\n      Type: AWS::ECS::Service\n      Properties:\n        TaskDefinition: \"{task_definition}\"\n        LoadBalancerInfo:\n          ContainerName: web\n          ContainerPort: 80\nHooks:\n"
    );
    check(&yaml, Ok(Resource::TaskSet { task_definition: task_definition.clone() }));
    let json = format!(
        r#"{{"version":1,"Resources":[{{"TargetService":{{"Type":"AWS::ECS::Service","Properties":{{"TaskDefinition":"{task_definition}","LoadBalancerInfo":{{"ContainerName":"web","ContainerPort":80}}}}}}}}]}}"#
    );
    check(&json, Ok(Resource::TaskSet { task_definition }));
}

#[test]
fn hooks_are_functions_by_their_names() {
    let hooks = AppSpec::parse(YAML).expect("it is valid").hooks;
    let hooks: Vec<(&str, &str)> =
        hooks.iter().map(|(event, call)| (event.as_str(), call.as_str())).collect();
    assert_eq!(
        hooks,
        [
            ("AfterAllowTraffic", "CodeDeployHook_ripcord-post-traffic-hook"),
            ("BeforeAllowTraffic", "CodeDeployHook_ripcord-pre-traffic-hook"),
        ]
    );
    assert_eq!(AppSpec::parse(&AppSpec::of_shift(&shift("a", 1, 2))).expect("it is valid").hooks.len(), 0);
}

#[test]
fn what_is_repeated_by_name_is_read_where_it_stands() {
    let yaml = "Common: &name checkout-api\nResources:\n  - f: &resource\n      Type: AWS::Lambda::Function\n      Properties: {Name: *name, Alias: live, CurrentVersion: 1, TargetVersion: 2}\nAgain: *resource\n";
    check(yaml, Ok(Resource::Alias(shift("checkout-api", 1, 2))));
}

#[test]
fn what_is_no_appspec_says_in_which_way() {
    for (text, why) in [
        (String::new(), "the AppSpec is empty"),
        ("- a\n".to_owned(), "has no list of Resources"),
        ("Resources: []".to_owned(), "has 0 Resources"),
        (YAML.replace("Hooks:", "  - other: {}\nHooks:"), "has 2 Resources, and 1 is deployed"),
        ("Resources: [text]".to_owned(), "is not NAME: {Type, Properties}"),
        ("Resources: [{f: {Type: T}}]".to_owned(), "without Properties"),
        ("Resources: [{f: {Properties: {}}}]".to_owned(), "without Type"),
        (
            "Resources: [{f: {Type: T, Properties: {}}}]".to_owned(),
            "deploys \"T\", and AWS::Lambda::Function",
        ),
        (lambda(r#"{"Name":"a","Alias":"live","CurrentVersion":"1"}"#), "without TargetVersion"),
        (
            lambda(r#"{"Name":"a","Alias":"live","CurrentVersion":"1","TargetVersion":"$LATEST"}"#),
            "shifts no alias: the version \"$LATEST\"",
        ),
        (
            lambda(r#"{"Name":"a","Alias":"live","CurrentVersion":1.5,"TargetVersion":2}"#),
            "the version \"1.5\"",
        ),
        (
            lambda(r#"{"Name":"a b","Alias":"live","CurrentVersion":1,"TargetVersion":2}"#),
            "the function name \"a b\"",
        ),
        (
            YAML.replace("  - BeforeAllowTraffic:", "  - - BeforeAllowTraffic:"),
            "a hook that is not EVENT: FUNCTION",
        ),
        ("Resources: [{f: *nobody}]".to_owned(), "is neither JSON nor YAML"),
        ("? [a]\n: b".to_owned(), "a key that is no text"),
        ("a: [".to_owned(), "is neither JSON nor YAML"),
    ] {
        check(&text, Err(why));
    }
}

#[test]
fn size_depth_and_repetition_have_a_bound() {
    let padded = |bytes: usize| format!("{YAML}#{}", "x".repeat(bytes - YAML.len() - 1));
    check(&padded(64 * 1024), Ok(Resource::Alias(shift("checkout-api", 4, 5))));
    check(&padded(64 * 1024 + 1), Err("is 65537 bytes long"));
    check(&"- ".repeat(30_000), Err("more than 32 levels deep"));
    check(&format!("{}x, {}", "[".repeat(33), "]".repeat(33)), Err("more than 32 levels deep"));
    check(&"[".repeat(30_000), Err("recursion limit exceeded"));
    check(&"{\"a\":".repeat(10_000), Err("recursion limit exceeded"));
    let mut bomb = "a0: &a0 x\n".to_owned();
    for level in 1..20 {
        writeln!(bomb, "a{level}: &a{level} [*a{0}, *a{0}]", level - 1).expect("it is a text");
    }
    check(&bomb, Err("more than 2000 parts"));
}

proptest! {
    #[test]
    fn nothing_makes_the_reader_panic(text in ".{0,400}") {
        let _ = AppSpec::parse(&text);
    }

    #[test]
    fn no_yaml_makes_the_reader_panic(text in r#"([-?:,\[\]{}#&*!|>'"%@` \t\n]|Resources|Hooks|a1|~){0,200}"#) {
        let _ = AppSpec::parse(&text);
    }

    #[test]
    fn no_spec_with_a_hole_makes_the_reader_panic(from in 0..YAML.len(), length in 0..40_usize, put in "[ \n:*&{\\[-]{0,3}") {
        let to = (from + length).min(YAML.len());
        let _ = AppSpec::parse(&format!("{}{put}{}", &YAML[..from], &YAML[to..]));
    }
}

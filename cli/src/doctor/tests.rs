//! Every rule on a template that it is about, and on the same one mended; and every template of this repository.

use super::*;
use clap::ValueEnum;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn fixture(rule: Rule, which: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/rules").join(rule.id());
    std::fs::read_to_string(folder.join(format!("{which}.yaml"))).expect("every rule has its templates")
}

fn of_templates() -> impl Iterator<Item = Rule> {
    Rule::EVERY.into_iter().filter(|rule| matches!(rule.about().scope, Scope::Template(_)))
}

/// What is found in a template, in words, without colours.
fn diagnose(text: &str, parameters: &[(&str, &str)]) -> (Diagnosis, String) {
    let parameters = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let file = Path::new("template.yaml");
    let findings = examine(file, text, &parameters).expect("a template");
    let diagnosis =
        Diagnosis { looked_at: vec!["template.yaml".to_owned()], findings, unreadable: Vec::new() };
    let words = anstream::adapter::strip_str(&diagnosis.to_string()).to_string();
    (diagnosis, words)
}

/// Exactly these findings, as rule and line.
#[track_caller]
fn check(text: &str, expected: &[(Rule, Severity)]) -> String {
    let (diagnosis, words) = diagnose(text, &[]);
    let found: Vec<_> = diagnosis.findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!(found, expected, "{words}");
    words
}

#[test]
fn each_rule_finds_its_bad_template_and_nothing_else() {
    for rule in of_templates() {
        let (diagnosis, words) = diagnose(&fixture(rule, "bad"), &[]);
        assert!(!diagnosis.findings.is_empty(), "{rule} finds nothing");
        assert!(diagnosis.findings.iter().all(|finding| finding.rule == rule), "{rule}: {words}");
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(rule.id(), words);
        });
    }
}

#[test]
fn no_rule_finds_anything_once_it_is_mended() {
    for rule in of_templates() {
        let (diagnosis, words) = diagnose(&fixture(rule, "good"), &[]);
        assert!(diagnosis.findings.is_empty(), "{rule}: {words}");
    }
}

/// A shift that has everything, with lines of its own in the places that the rules look at.
fn shift(preference: &str, hook: &str, alarm: &str) -> String {
    let preference: String = preference.lines().map(|line| format!("        {line}\n")).collect();
    let hook: String = hook.lines().map(|line| format!("      {line}\n")).collect();
    let alarm: String = alarm.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "
Parameters:
  On: {{ Type: String }}
  Type: {{ Type: String, Default: Canary10Percent5Minutes }}
Resources:
  Checkout:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      DeploymentPreference:
        Type: !Ref Type
        Alarms: [!Ref Errors]
        Hooks: {{ PreTraffic: !Ref Smoke }}
{preference}
  Smoke:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub CodeDeployHook_${{AWS::StackName}}
      Timeout: 60
      Policies: [AdministratorAccess]
{hook}
  Errors:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions:
        - {{ Name: FunctionName, Value: !Ref Checkout }}
        - {{ Name: Resource, Value: !Sub '${{Checkout}}:live' }}
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 2
      Threshold: 5
      TreatMissingData: notBreaching
{alarm}
  Role:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: [!Sub 'arn:${{AWS::Partition}}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda']
"
    )
}

#[test]
fn what_a_role_of_its_own_may_call_is_up_to_it() {
    let named = "FunctionName: smoke";
    check(&shift("", named, ""), &[(Rule::HookName, Severity::Error)]);
    check(&shift("Role: !ImportValue codedeploy", named, ""), &[]);
    check(&shift("Role: !GetAtt Role.Arn", named, ""), &[(Rule::HookName, Severity::Error)]);
    check(&shift("", "FunctionName: !Sub 'CodeDeployHook${AWS::StackName}'", ""), &[]);
    check(
        &shift("", "FunctionName: !Sub 'Smoke${AWS::StackName}'", ""),
        &[(Rule::HookName, Severity::Error)],
    );
    check(&shift("", "FunctionName: !Ref On", ""), &[]);
}

#[test]
fn what_is_switched_off_is_not_looked_at_and_what_may_be_is_no_error() {
    let named = "FunctionName: smoke";
    check(&shift("Enabled: false", named, ""), &[]);
    check(&shift("Enabled: !If [Production, false, 'no']", named, ""), &[]);
    check(&shift("Enabled: !Ref On", named, ""), &[(Rule::HookName, Severity::Warning)]);
    check(&shift("Enabled: !If [Production, true, true]", named, ""), &[(Rule::HookName, Severity::Error)]);
    let (diagnosis, words) = diagnose(&shift("Enabled: !Ref On", named, ""), &[("On", "false")]);
    assert!(diagnosis.findings.is_empty(), "{words}");
}

#[test]
fn whether_a_hook_may_report_is_read_from_every_place_that_may_say_so() {
    let error = [(Rule::HookPermission, Severity::Error)];
    let note = [(Rule::HookPermission, Severity::Note)];
    check(&shift("", "Policies: AWSLambdaBasicExecutionRole", ""), &error);
    check(&shift("", "Policies: [{ LambdaInvokePolicy: { FunctionName: x } }]", ""), &error);
    check(&shift("", "Policies: ['arn:aws:iam::123456789012:policy/ours']", ""), &note);
    check(&shift("", "Role: 'arn:aws:iam::123456789012:role/ours'", ""), &note);
    check(&shift("", "Role: !GetAtt Role.Arn", ""), &note);
    let allow = |action: &str| {
        format!("Policies: [{{ Statement: [{{ Effect: Allow, Action: {action}, Resource: '*' }}] }}]")
    };
    check(&shift("", &allow("'codedeploy:*'"), ""), &[]);
    check(&shift("", &allow("[logs:*, codedeploy:Put*]"), ""), &[]);
    check(&shift("", &allow("[logs:*, codedeploy:Get*]"), ""), &error);
    check(&shift("", &allow("!Ref On"), ""), &note);
}

#[test]
fn a_hook_has_ten_seconds_at_least_and_fifteen_minutes_at_most() {
    for (timeout, expected) in [
        ("9", Some(Severity::Warning)),
        ("10", None),
        ("900", None),
        ("901", Some(Severity::Error)),
        ("!Ref On", None),
    ] {
        let expected: Vec<_> = expected.map(|severity| (Rule::HookTimeout, severity)).into_iter().collect();
        check(&shift("", &format!("Timeout: {timeout}"), ""), &expected);
    }
}

#[test]
fn an_alarm_must_fire_before_the_shift_has_got_past_it() {
    let slow = |severity| vec![(Rule::SlowDetection, severity)];
    for (pace, alarm, expected) in [
        ("Canary10Percent5Minutes", "EvaluationPeriods: 3", vec![]),
        ("Canary10Percent5Minutes", "EvaluationPeriods: 4", slow(Severity::Warning)),
        ("Canary10Percent5Minutes", "EvaluationPeriods: 5\nDatapointsToAlarm: 3", vec![]),
        ("Canary10Percent10Minutes", "EvaluationPeriods: 4", vec![]),
        ("Linear10PercentEvery1Minute", "EvaluationPeriods: 2", vec![]),
        ("Linear10PercentEvery1Minute", "EvaluationPeriods: 3", vec![]),
        ("Linear10PercentEvery1Minute", "EvaluationPeriods: 4", slow(Severity::Note)),
        ("Linear10PercentEvery1Minute", "EvaluationPeriods: 7", slow(Severity::Note)),
        ("Linear10PercentEvery1Minute", "EvaluationPeriods: 8", slow(Severity::Warning)),
        ("AllAtOnce", "EvaluationPeriods: 2", slow(Severity::Note)),
        ("our-own", "EvaluationPeriods: 9", vec![]),
        ("Canary10Percent5Minutes", "EvaluationPeriods: !Ref On", vec![]),
    ] {
        check(&shift(&format!("Type: {pace}"), "", alarm), &expected);
    }
}

#[test]
fn ten_alarms_are_as_many_as_codedeploy_takes() {
    let alarms = |count: usize| format!("Alarms: [{}]", vec!["!Ref Errors"; count].join(", "));
    check(&shift(&alarms(10), "", ""), &[]);
    check(&shift(&alarms(11), "", ""), &[(Rule::AlarmsNotWired, Severity::Error)]);
    check(&shift("Alarms: !Ref On", "", ""), &[]);
    let words = check(&shift("Alarms: []", "", ""), &[(Rule::AlarmsNotWired, Severity::Warning)]);
    assert!(words.contains("hooks look before and after"), "{words}");
    check(&shift("Alarms: !If [Production, [!Ref Errors], !Ref AWS::NoValue]", "", ""), &[]);
}

#[test]
fn a_floor_below_cloudwatchs_own_is_worth_a_note() {
    let latency = |expression: &str, percentile: &str| {
        format!(
            "
Resources:
  Latency:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmActions: [!ImportValue ripcord-AlarmRollbackArn]
      TreatMissingData: notBreaching
      Metrics:
        - {{ Id: latency, Expression: '{expression}' }}
        - Id: slow
          MetricStat:
            Metric: {{ Namespace: Shop, MetricName: Duration }}
            Stat: {percentile}
            Period: 60
"
        )
    };
    let found = |severity| vec![(Rule::PercentileFloor, severity)];
    check(&latency("IF(requests >= 200, slow, 0)", "p95"), &[]);
    check(&latency("IF(requests >= 199, slow, 0)", "p95"), &found(Severity::Note));
    check(&latency("IF(requests >= floor, slow, 0)", "p95"), &[]);
    check(&latency("slow * 1", "p95"), &found(Severity::Warning));
    check(&latency("slow * 1", "p50"), &[]);
    check(&latency("slow * 1", "tm95"), &[]);
}

#[test]
fn json_is_a_template_too() {
    let text = r#"{"Resources": {"Live": {"Type": "AWS::Lambda::Alias", "Properties":
        {"FunctionVersion": "$LATEST", "RoutingConfig": {}}}}}"#;
    let words = check(text, &[(Rule::AliasOnLatest, Severity::Error)]);
    assert!(words.contains("template.yaml:2:29 Live Properties.FunctionVersion"), "{words}");
}

#[test]
fn the_templates_of_this_repository_are_well() {
    let mut files = vec![workspace().join("template.yaml")];
    for folder in std::fs::read_dir(workspace().join("examples")).expect("the examples") {
        let folder = std::fs::read_dir(folder.expect("a folder").path()).expect("its files");
        let files_of_folder = folder.map(|file| file.expect("a file").path());
        files.extend(files_of_folder.filter(|file| file.extension().is_some_and(|end| end == "yaml")));
    }
    let diagnosis = Diagnosis::of_files(&files, &BTreeMap::new());
    assert!(files.len() > 1 && diagnosis.unreadable.is_empty(), "{diagnosis}");
    assert!(diagnosis.findings.is_empty(), "{diagnosis}");
}

#[test]
fn the_exit_code_says_what_was_found() {
    let (warned, _) = diagnose(&fixture(Rule::HookTimeout, "bad"), &[]);
    assert_eq!(warned.exit(Severity::Error), ExitCode::Done);
    assert_eq!(warned.exit(Severity::Warning), ExitCode::Refused);
    let (broken, _) = diagnose(&fixture(Rule::HookName, "bad"), &[]);
    assert_eq!(broken.exit(Severity::Error), ExitCode::Refused);
    let missing = Diagnosis::of_files(&[PathBuf::from("no-such-template.yaml")], &BTreeMap::new());
    assert_eq!(missing.exit(Severity::Error), ExitCode::Unexpected);
}

#[test]
fn sarif_is_as_its_schema_says() {
    // The official schema without its descriptions, and without a pattern of language codes that is no regular expression.
    let schema = serde_json::from_str(include_str!("sarif-schema-2.1.0.json")).expect("a schema");
    let schema = jsonschema::draft7::new(&schema).expect("it is one of draft 7");
    let files = [Rule::HookName, Rule::SlowDetection].map(|rule| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor/rules").join(rule.id()).join("bad.yaml")
    });
    let mut diagnosis = Diagnosis::of_files(&files, &BTreeMap::new());
    let broken = UnreadableTemplate { file: "a b.yaml".into(), error: Unreadable::because("it is empty") };
    diagnosis.unreadable.push(broken);
    let place =
        finding::Whereabouts::Account { service: "checkout".to_owned(), subject: "alarm x".to_owned() };
    let of_account = Finding { rule: Rule::GuardMissing, place, ..diagnosis.findings[0].clone() };
    diagnosis.findings.push(of_account);
    let log = sarif::log(&diagnosis);
    let wrong: Vec<String> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    let results = log["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 3);
    for result in results {
        let index =
            result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).expect("an index");
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
    let location = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["locations"][0];
    assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "a%20b.yaml");
}

/// The lines of two texts, each with what it is: in both, gone, or new.
fn difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // How many lines the rest of both have in common, by where each rest begins.
    let mut common = vec![vec![0_usize; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            common[i][j] = if before[i] == after[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < before.len() || j < after.len() {
        let line = if i < before.len() && j < after.len() && before[i] == after[j] {
            (i, j) = (i + 1, j + 1);
            format!("  {}", before[i - 1])
        } else if i < before.len() && (j == after.len() || common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            format!("- {}", before[i - 1])
        } else {
            j += 1;
            format!("+ {}", after[j - 1])
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What differs, with the lines around it.
fn excerpt(difference: &str) -> String {
    const AROUND: usize = 5;
    let lines: Vec<&str> = difference.lines().collect();
    let differs = |index: usize| lines[index].starts_with(['+', '-']);
    let shown =
        |index: usize| (index.saturating_sub(AROUND)..lines.len().min(index + AROUND + 1)).any(differs);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        if shown(index) {
            text.push_str(&format!("{line}\n"));
        } else if index == 0 || shown(index - 1) {
            text.push_str("  …\n");
        }
    }
    text
}

/// The catalogue of rules in docs/doctor.md.
fn catalogue() -> String {
    let mut text = String::new();
    for rule in Rule::EVERY {
        text.push_str(&format!(
            "\n### {}\n\nFinds that {}. {}\n",
            rule.id(),
            rule.about().title,
            rule.about().why
        ));
        match rule.about().scope {
            Scope::Account => text.push_str("\nOnly with `--account`.\n"),
            Scope::Template(_) => {
                let difference = excerpt(&difference(&fixture(rule, "bad"), &fixture(rule, "good")));
                text.push_str(&format!("\n```diff\n{difference}```\n"));
            }
        }
    }
    text
}

#[test]
fn the_document_describes_every_rule() {
    const MARK: &str = "<!-- Below, everything is written by a test: UPDATE_DOCS=1 -->\n";
    let path = workspace().join("docs/doctor.md");
    let document = std::fs::read_to_string(&path).expect("the document");
    let (introduction, committed) = document.split_once(MARK).expect("the mark");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{introduction}{MARK}{}", catalogue())).expect("written");
    } else {
        assert!(
            committed == catalogue(),
            "docs/doctor.md differs from the rules: write it with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn a_rule_is_known_by_one_name_everywhere() {
    for rule in Rule::EVERY {
        assert_eq!(rule.id().parse(), Ok(rule));
        assert_eq!(serde_json::json!(rule), rule.id());
        let value = rule.to_possible_value().expect("a value");
        assert_eq!(value.get_name(), rule.id());
    }
    assert_eq!(Rule::value_variants(), Rule::EVERY);
}

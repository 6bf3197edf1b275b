//! Measures reading a document of flags, and asking one. `cargo bench-flag-evaluation`.
#![expect(clippy::unwrap_used, reason = "a benchmark of what cannot be read fails by panicking")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ripcord::flags::{Context, Draw, Flags};
use serde_json::{Map, Value, json};

fn read(flags: &Value) -> Flags {
    Flags::read(json!({ "version": 1, "flags": flags }).to_string().as_bytes()).unwrap()
}

/// Ten rules, of which the last alone matches somebody of Austria.
fn ten_rules() -> Value {
    let mut rules: Vec<Value> = (0..9)
        .map(|index| match index % 3 {
            0 => json!({ "attribute": "plan", "operator": "in", "values": ["pro", "team", format!("plan-{index}")] }),
            1 => json!({ "attribute": "email", "operator": "ends_with", "values": [format!("@{index}.example")] }),
            _ => json!({ "attribute": "version", "operator": "less", "values": [format!("1.{index}.0")] }),
        })
        .collect();
    rules.push(json!({ "attribute": "country", "operator": "equals", "values": ["AT"] }));
    json!({ "enabled": true, "rules": rules, "rollout_percentage": 25 })
}

fn one_rule(rule: &Value) -> Value {
    json!({ "enabled": true, "rules": [rule], "rollout_percentage": 0 })
}

fn asked(country: &str) -> Value {
    json!({
        "user_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "plan": "free", "email": "ada@example.org",
        "version": "2.10.0-rc.1", "country": country,
    })
}

fn evaluation(criterion: &mut Criterion) {
    let allowed: Vec<String> = (0..10_000).map(|number| format!("user-{number:05}")).collect();
    let tenths: Vec<Value> = (0..10)
        .map(|index| json!({ "attribute": format!("tenant_{index}"), "operator": "percentage", "values": [0.01] }))
        .collect();
    let mut tenants = asked("DE");
    for index in 0..10 {
        tenants[format!("tenant_{index}")] = json!(format!("tenant-{index}"));
    }
    let version = json!({ "attribute": "version", "operator": "greater", "values": ["2.10.0-beta.11"] });
    let variants = json!([{ "name": "a", "weight": 50 }, { "name": "b", "weight": 50 }]);
    let cases = [
        ("10 rules, none matches, 25 % rollout", ten_rules(), asked("DE")),
        ("10 rules, the last matches", ten_rules(), asked("AT")),
        (
            "10 rules, each the share of another attribute",
            json!({ "enabled": true, "rules": tenths, "rollout_percentage": 25 }),
            tenants,
        ),
        ("1 rule, semantic versions", one_rule(&version), asked("DE")),
        (
            "25 % rollout, 2 variants",
            json!({ "enabled": true, "rollout_percentage": 25, "variants": variants }),
            asked("DE"),
        ),
        (
            "allowlist of 10,000",
            json!({ "enabled": true, "allowlist": allowed, "rollout_percentage": 0 }),
            asked("DE"),
        ),
    ];
    let mut group = criterion.benchmark_group("ask");
    for (name, flag, asked) in cases {
        let (flags, context) = (read(&json!({ "flag": flag })), Context::read(&asked).unwrap());
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| flags.evaluate(black_box("flag"), black_box(&context)));
        });
    }
    let mut thousand: Map<String, Value> =
        (0..999).map(|index| (format!("flag-{index:04}"), ten_rules())).collect();
    thousand.insert("flag-0500-asked".into(), ten_rules());
    let (flags, context) = (read(&Value::Object(thousand)), Context::read(&asked("DE")).unwrap());
    group.bench_function("10 rules, none matches, among 1,000 flags", |bencher| {
        bencher.iter(|| flags.evaluate(black_box("flag-0500-asked"), black_box(&context)));
    });
    group.finish();
    criterion.bench_function("hash of a flag and a subject", |bencher| {
        bencher.iter(|| Draw::of(black_box("flag"), black_box("3fa85f64-5717-4562-b3fc-2c963f66afa6")));
    });
    criterion.bench_function("read a context of 5 attributes", |bencher| {
        let asked = asked("DE");
        bencher.iter(|| Context::read(black_box(&asked)));
    });
}

/// A thousand flags that fill a megabyte between them, most of it rules.
fn reading(criterion: &mut Criterion) {
    let flag = |index: usize| {
        let mut flag = ten_rules();
        flag["description"] = json!(format!("What flag {index} is for. ").repeat(10));
        flag["owner"] = json!("team-search");
        flag
    };
    let flags: Map<String, Value> =
        (0..1_000).map(|index| (format!("flag-{index:04}"), flag(index))).collect();
    let text = json!({ "version": 1, "flags": flags }).to_string();
    let name = format!("read 1,000 flags, {} kB", text.len() / 1_000);
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| Flags::read(black_box(text.as_bytes())).unwrap());
    });
}

criterion_group!(benches, evaluation, reading);
criterion_main!(benches);

//! The rules for what a registration says of checks and freezes.

use ripcord::registration::Registration;
use serde_json::{Value, json};

#[track_caller]
fn report(field: &str, value: Value, expected: &str) {
    let mut document = json!({
        "service": "checkout",
        "targets": [{ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": "live" }],
        "guards": [{ "alarm": "errors" }],
    });
    document[field] = value;
    let said = match Registration::parse(&document.to_string()) {
        Ok(_) => String::new(),
        Err(violations) => violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    };
    assert_eq!(said, expected);
}

#[track_caller]
fn health(url: &str, status: u16, expected: &str) {
    report("preflight", json!({ "health": { "url": url, "status": status } }), expected);
}

#[test]
fn a_health_check_has_an_address_that_can_be_asked() {
    let field = "preflight.health.url is";
    let scheme = "an address that begins with http:// or https:// and names a host";
    health("https://checkout.example/health?deep=1", 200, "");
    health("http://checkout.example:8080", 200, "");
    for url in ["ftp://checkout.example", "checkout.example", "https://", "https:///health", "https://?a"] {
        health(url, 200, &format!("{field} {url:?}: {scheme}"));
    }
    health(
        "https://ada:secret@checkout.example/health",
        200,
        "preflight.health.url is an address with credentials for checkout.example: without credentials: the registration is \
         no place for secrets",
    );
    // An at sign behind the host is no credential.
    health("https://checkout.example/users/@me", 200, "");
    let visible = "visible ASCII characters, and no fragment, which a server never sees";
    for url in ["https://checkout.example/a b", "https://checkout.example/ä", "https://checkout.example/#a"]
    {
        health(url, 200, &format!("{field} {url:?}: {visible}"));
    }
}

#[test]
fn the_port_of_a_health_check_is_one() {
    let url = |host: &str| format!("https://{host}/health");
    for host in ["a", "a:1", "a:65535", "[2a05:d018::1]", "[2a05:d018::1]:8080"] {
        health(&url(host), 200, "");
    }
    let rule = "a host, and behind it a port from 1 to 65535 or none";
    for host in ["a:0", "a:65536", "a:", "a:80x", "a:+80", ":80", "a:b:80", "[::1]:x", "::1"] {
        let url = url(host);
        health(&url, 200, &format!("preflight.health.url is {url:?}: {rule}"));
    }
}

#[test]
fn an_address_that_is_not_public_is_only_asked_where_that_is_meant() {
    let rule = "an address that is not public is only asked with \"private\": true";
    for host in
        ["127.0.0.1", "169.254.169.254:80", "10.1.2.3", "[::1]:8080", "[fd00:ec2::254]", "[::ffff:10.0.0.1]"]
    {
        let url = format!("http://{host}/health");
        health(&url, 200, &format!("preflight.health.url is {url:?}: {rule}"));
        report("preflight", json!({ "health": { "url": url, "private": true } }), "");
    }
    // What a name resolves to is seen when it is asked.
    health("http://localhost/health", 200, "");
}

#[test]
fn a_health_check_is_as_long_as_a_browser_takes_and_has_a_status_that_exists() {
    let url = |length: usize| format!("https://a/{}", "x".repeat(length - 10));
    health(&url(2_048), 200, "");
    health(&url(2_049), 200, "preflight.health.url is 2049 characters long: at most 2048 characters");
    for status in [100, 599] {
        health("https://a", status, "");
    }
    for status in [0, 99, 600] {
        let expected = format!("preflight.health.status is {status}: a status of HTTP, between 100 and 599");
        health("https://a", status, &expected);
    }
}

#[test]
fn a_smoke_test_is_small_and_points_into_an_answer() {
    let payload = |bytes: usize| json!({ "smoke": { "payload": "x".repeat(bytes - 2) } });
    report("preflight", payload(128 * 1024), "");
    report(
        "preflight",
        payload(128 * 1024 + 1),
        "preflight.smoke.payload is 131073 bytes long: at most 131072 bytes of JSON",
    );
    let pointer = |pointer: &str| json!({ "smoke": { "payload": {}, "expect": [{ "pointer": pointer, "equals": 1 }] } });
    for good in ["", "/", "/statusCode", "/a/0"] {
        report("preflight", pointer(good), "");
    }
    report(
        "preflight",
        pointer("statusCode"),
        "preflight.smoke.expect[0].pointer is \"statusCode\": a JSON pointer, which begins with '/'; an empty one is the \
         whole answer",
    );
}

#[test]
fn a_smoke_test_demands_a_status_that_exists_and_a_schema_that_can_be_checked() {
    let smoke = |field: &str, value: Value| json!({ "smoke": { "payload": {}, field: value } });
    for status in [100, 599] {
        report("preflight", smoke("status", json!(status)), "");
    }
    for status in [0, 99, 600] {
        let expected = format!("preflight.smoke.status is {status}: a status of HTTP, between 100 and 599");
        report("preflight", smoke("status", json!(status)), &expected);
    }
    report("preflight", smoke("schema", json!({ "required": ["orders"] })), "");
    report(
        "preflight",
        smoke("schema", json!({ "items": { "$ref": "https://example.com/order.json" } })),
        "preflight.smoke.schema is not valid: ./items: $ref \"https://example.com/order.json\" points neither to # nor to a \
         definition at #/$defs/NAME",
    );
    let long = |bytes: usize| smoke("schema", json!({ "title": "x".repeat(bytes - 12) }));
    report("preflight", long(128 * 1024), "");
    report(
        "preflight",
        long(128 * 1024 + 1),
        "preflight.smoke.schema is 131073 bytes long: at most 131072 bytes of JSON",
    );
}

#[test]
fn a_hook_watches_for_as_long_as_it_takes_to_see_something_and_as_it_lives() {
    for minutes in [0, 5, 13] {
        report("hooks", json!({ "watch_minutes": minutes }), "");
    }
    for minutes in [1, 4, 14] {
        let expected = format!(
            "hooks.watch_minutes is {minutes}: 0, or between 5 and 13: the first numbers take four minutes to come, and the \
             function that watches lives for 15"
        );
        report("hooks", json!({ "watch_minutes": minutes }), &expected);
    }
}

#[test]
fn ecs_services_are_named_once_and_have_addresses_that_can_be_asked() {
    let services = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({ "cluster": "shop", "service": format!("web-{n}") })).collect()
    };
    report("hooks", json!({ "ecs_services": services(10) }), "");
    report("hooks", json!({ "ecs_services": services(11) }), "hooks.ecs_services is 11 long: at most 10");
    let mut twice = services(2);
    twice[1] = twice[0].clone();
    report(
        "hooks",
        json!({ "ecs_services": twice }),
        "hooks.ecs_services[1] is shop/web-0: an ECS service is named once",
    );
    let mut unwell = services(1);
    unwell[0]["health"] = json!({ "url": "http://10.0.0.1/", "status": 0 });
    report(
        "hooks",
        json!({ "ecs_services": unwell }),
        "hooks.ecs_services[0].health.url is \"http://10.0.0.1/\": an address that is not public is only asked with \
         \"private\": true\n\
         hooks.ecs_services[0].health.status is 0: a status of HTTP, between 100 and 599",
    );
}

#[test]
fn a_service_on_ecs_alone_needs_no_target() {
    let mut document = json!({
        "service": "checkout",
        "guards": [{ "alarm": "errors" }],
        "hooks": { "ecs_services": [{ "cluster": "shop", "service": "web" }] },
    });
    assert!(Registration::parse(&document.to_string()).is_ok());
    document["hooks"] = json!({});
    let violations = Registration::parse(&document.to_string()).unwrap_err();
    assert_eq!(violations[0].to_string(), "targets is 0 long: a service has 1 to 10");
}

#[test]
fn attestations_have_plain_names_and_are_named_once() {
    let names = |names: &[&str]| json!({ "attestations": names });
    report("preflight", names(&["tests", "image_scan", "plan-review", &"a".repeat(64)]), "");
    let rule = "1 to 64 letters, digits, '-', '_' or '.'";
    for odd in ["", "image scan", "täst", &"a".repeat(65)] {
        report("preflight", names(&[odd]), &format!("preflight.attestations[0] is {odd:?}: {rule}"));
    }
    report(
        "preflight",
        names(&["tests", "tests"]),
        "preflight.attestations[1] is \"tests\": an attestation is named once",
    );
}

fn freeze(from: &str, to: &str, days: &[&str]) -> Value {
    json!([{ "reason": "peak", "time_zone": "Europe/Berlin", "from": from, "to": to, "days": days }])
}

#[test]
fn a_freeze_is_of_a_place_and_says_why() {
    let mut document = freeze("16:00", "24:00", &["friday"]);
    report("freezes", document.clone(), "");
    document[0]["time_zone"] = json!("Berlin");
    document[0]["reason"] = json!(" ");
    report(
        "freezes",
        document,
        "freezes[0].reason is \" \": says why, because people read it when they are refused\n\
         freezes[0].time_zone is \"Berlin\": a time zone of the IANA database, such as Europe/Berlin or UTC",
    );
}

#[test]
fn a_freeze_ends_after_it_begins() {
    let rule = |from: &str, to: &str| {
        format!(
            "freezes[0].to is {to:?}: after it begins, {from:?}; one that goes on after midnight of a weekday is two freezes"
        )
    };
    report("freezes", freeze("2026-12-19T18:00", "2026-12-19T18:01", &[]), "");
    for to in ["2026-12-19T18:00", "2026-12-19T17:59"] {
        report("freezes", freeze("2026-12-19T18:00", to, &[]), &rule("2026-12-19T18:00", to));
    }
    report("freezes", freeze("16:00", "16:01", &["friday"]), "");
    report("freezes", freeze("23:59", "24:00", &["friday"]), "");
    for to in ["16:00", "06:00"] {
        report("freezes", freeze("16:00", to, &["friday"]), &rule("16:00", to));
    }
}

#[test]
fn the_times_of_a_freeze_are_written_in_one_way() {
    let dated = "a date and a time such as 2026-12-19T18:00; with days beside it, a time such as 16:00";
    for from in [
        "2026-12-19",
        "2026-12-19T24:00",
        "2026-02-29T00:00",
        "2026-12-19 18:00",
        "16:00",
        "2026-12-19T18:00Z",
        "2026-12-19T8:00",
    ] {
        let expected = format!("freezes[0].from is {from:?}: {dated}");
        report("freezes", freeze(from, "2026-12-27T08:00", &[]), &expected);
    }
    let weekly = "on days of the week, a time such as 16:00";
    for from in ["24:00", "16", "8:00", "16:00:00", "25:00", "2026-12-19T18:00"] {
        let expected = format!("freezes[0].from is {from:?}: {weekly}");
        report("freezes", freeze(from, "24:00", &["friday"]), &expected);
    }
    report(
        "freezes",
        freeze("16:00", "24:01", &["friday"]),
        &format!("freezes[0].to is \"24:01\": {weekly}"),
    );
}

#[test]
fn the_days_of_a_freeze_exist_and_are_named_once() {
    let rule = "one of monday, tuesday, wednesday, thursday, friday, saturday, sunday";
    report(
        "freezes",
        freeze("16:00", "24:00", &["friday", "Friday", "", "friday"]),
        &format!(
            "freezes[0].days[1] is \"Friday\": {rule}\nfreezes[0].days[2] is \"\": {rule}\n\
             freezes[0].days[3] is \"friday\": a day is named once"
        ),
    );
}

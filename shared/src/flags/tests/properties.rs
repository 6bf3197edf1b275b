//! What holds for every text, every valid document and every context.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Context, Flags};
use super::{context, document, read};

fn text() -> impl Strategy<Value = String> {
    "[a-c@. ]{1,6}"
}

fn percent() -> impl Strategy<Value = f64> {
    (0_u16..=10_000).prop_map(|hundredths| f64::from(hundredths) / 100.0)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        (-3..3).prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ]
}

fn version() -> impl Strategy<Value = Value> {
    (0..3_u8, 0..3_u8, of("[a-b0-9]{1,2}")).prop_map(|(major, minor, pre)| match pre {
        Some(pre) => json!(format!("{major}.{minor}.0-x{pre}")),
        None => json!(format!("{major}.{minor}.0")),
    })
}

/// Weights that make 100, and names that differ.
fn variants() -> impl Strategy<Value = Vec<Value>> {
    (btree_set("[v-z]{1,3}", 1..5), vec(0_u32..100, 5)).prop_map(|(names, shares)| {
        let total: u32 = shares.iter().take(names.len()).sum::<u32>().max(1);
        let mut weights: Vec<u32> =
            shares.iter().take(names.len()).map(|share| share * 10_000 / total).collect();
        weights[0] += 10_000 - weights.iter().sum::<u32>();
        let named = names.into_iter().zip(weights);
        named.map(|(name, weight)| json!({ "name": name, "weight": f64::from(weight) / 100.0 })).collect()
    })
}

fn condition() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        (prop::sample::select(vec!["equals", "not_equals"]), scalar().prop_map(|value| json!([value]))),
        (prop::sample::select(vec!["in", "not_in"]), vec(scalar(), 1..5).prop_map(Value::from)),
        (
            prop::sample::select(vec!["contains", "starts_with", "ends_with"]),
            vec(text(), 1..3).prop_map(|texts| json!(texts))
        ),
        (
            prop::sample::select(vec!["greater", "less"]),
            prop_oneof![version(), (-3..3).prop_map(Value::from)].prop_map(|value| json!([value]))
        ),
        (Just("exists"), prop_oneof![Just(json!([])), any::<bool>().prop_map(|wanted| json!([wanted]))]),
        (Just("percentage"), percent().prop_map(|percent| json!([percent]))),
    ]
}

fn rule(variant: Option<String>) -> impl Strategy<Value = Value> {
    (attribute(), condition(), of(percent()), any::<bool>(), any::<bool>()).prop_map(
        move |(attribute, (operator, values), percentage, is_on, is_named)| {
            let mut then = Map::new();
            match percentage {
                Some(percentage) if is_on => then.extend([("percentage".to_owned(), json!(percentage))]),
                Some(_) | None => then.extend([("enabled".to_owned(), json!(is_on))]),
            }
            if let Some(variant) = variant.as_ref().filter(|_| is_named) {
                then.insert("variant".into(), json!(variant));
            }
            json!({ "attribute": attribute, "operator": operator, "values": values, "then": then })
        },
    )
}

fn attribute() -> impl Strategy<Value = String> {
    prop_oneof!["[p-s]", Just("user_id".to_owned())]
}

fn flag() -> impl Strategy<Value = Value> {
    of(variants()).prop_flat_map(|variants| {
        let first = variants.as_ref().and_then(|all| all[0]["name"].as_str()).map(str::to_owned);
        let rules = vec(rule(first.clone()), 0..4);
        (any::<bool>(), rules, vec(text(), 0..4), percent(), of(any::<bool>())).prop_map(
            move |(enabled, rules, allowlist, percent, default)| {
                let mut flag = json!({
                    "enabled": enabled, "rules": rules, "allowlist": allowlist, "rollout_percentage": percent,
                });
                if let Some(variants) = &variants {
                    flag["variants"] = json!(variants);
                }
                if let Some(default) = default {
                    flag["default"] = json!({ "enabled": default });
                    if let Some(first) = &first {
                        flag["default"]["variant"] = json!(first);
                    }
                }
                flag
            },
        )
    })
}

/// Each flag may need those before it.
fn flags() -> impl Strategy<Value = Value> {
    (btree_map("[f-h]{1,2}", flag(), 0..5), any::<u8>()).prop_map(|(mut flags, needs)| {
        let keys: Vec<String> = flags.keys().cloned().collect();
        for (index, flag) in flags.values_mut().enumerate().skip(1) {
            if needs & (1 << index) != 0 {
                flag["prerequisites"] = json!([{ "flag": keys[index - 1] }]);
            }
        }
        json!(flags)
    })
}

fn asked() -> impl Strategy<Value = Vec<(String, Value)>> {
    let value = prop_oneof![scalar(), version()];
    btree_map(attribute(), value, 0..5).prop_map(|attributes| attributes.into_iter().collect())
}

fn object(attributes: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(attributes.into_iter().collect())
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange_to_be_read(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Flags::read(&bytes);
    }

    #[test]
    fn no_document_is_too_broken_to_be_read(flags in flags(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = document(&flags).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Err(invalid) = Flags::read(&text) {
            prop_assert!(!invalid.problems.is_empty());
            prop_assert!(!invalid.to_string().is_empty());
        }
    }

    #[test]
    fn what_a_valid_document_says_is_what_is_read(flags in flags()) {
        let read = read(&flags);
        let said = flags.as_object().unwrap();
        prop_assert_eq!(read.keys().collect::<Vec<_>>(), said.keys().collect::<Vec<_>>());
        for (key, said) in said {
            let flag = read.get(key).unwrap();
            prop_assert_eq!(flag.is_enabled(), said["enabled"].as_bool().unwrap());
            prop_assert_eq!(flag.rollout().map(super::super::Share::percent), said["rollout_percentage"].as_f64());
            let variants: Vec<Value> = flag
                .variants()
                .iter()
                .map(|variant| json!({ "name": variant.name(), "weight": variant.weight().percent() }))
                .collect();
            prop_assert_eq!(json!(variants), said.get("variants").cloned().unwrap_or_else(|| json!([])));
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer(flags in flags(), asked in asked()) {
        let (one, other) = (read(&flags), read(&flags));
        prop_assert_eq!(&one, &other);
        let (forwards, backwards) = (object(asked.clone()), object(asked.into_iter().rev()));
        for key in one.keys() {
            let answer = one.evaluate(key, &context(&forwards));
            prop_assert_eq!(answer, other.evaluate(key, &context(&backwards)));
            prop_assert_eq!(answer, one.evaluate(key, &context(&forwards)));
            prop_assert!(answer.reason.to_string().contains(key));
        }
    }

    #[test]
    fn an_answer_is_a_variant_of_the_flag_and_one_that_is_on_has_one(flags in flags(), asked in asked()) {
        let flags = read(&flags);
        for flag in &flags {
            let answer = flags.evaluate(flag.key(), &context(&object(asked.clone())));
            let known = |name: &str| flag.variants().iter().any(|variant| variant.name() == name);
            prop_assert!(answer.variant.is_none_or(known));
            prop_assert_eq!(answer.enabled && answer.variant.is_none(), answer.enabled && flag.variants().is_empty());
        }
    }

    #[test]
    fn a_growing_rollout_takes_nobody_out_and_changes_no_variant(
        variants in variants(), one in percent(), other in percent(), subjects in vec("[a-z0-9]{1,12}", 20),
    ) {
        let flags = |percent: f64| read(&json!({ "f": { "enabled": true, "rollout_percentage": percent, "variants": variants } }));
        let (smaller, larger) = (flags(one.min(other)), flags(one.max(other)));
        for subject in subjects {
            let asked = context(&json!({ "user_id": subject }));
            let before = smaller.evaluate("f", &asked);
            if before.enabled {
                let after = larger.evaluate("f", &asked);
                prop_assert!(after.enabled);
                prop_assert_eq!(before.variant, after.variant);
            }
        }
    }

    #[test]
    fn no_context_is_too_strange_to_be_read(text in r#"[\[\]{}:,"a1e.\- ]{0,60}"#) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Context::read(&value);
        }
    }
}

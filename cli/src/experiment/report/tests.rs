//! Files as teams have them, good and bad, and what is said of them.

use std::path::Path;

use ripcord::experiment::comparison::Outcome;
use ripcord::experiment::document::{Data, Experiment};
use ripcord::experiment::observed::{Observed, Values};
use serde_json::{Value, json};

use super::super::{counts, subjects};
use super::*;

fn experiment(metrics: Value, data: Value) -> Experiment {
    let document = json!({
        "name": "green button", "planned_subjects": 8, "metrics": metrics, "data": data,
        "arms": [{"name": "control", "share": 50}, {"name": "green", "share": 50}],
    });
    Experiment::parse(&document.to_string()).expect("a valid document")
}

fn by_subject() -> Experiment {
    experiment(
        json!([
            {"name": "bought", "kind": "conversion", "direction": "higher", "column": "bought"},
            {"name": "spent", "kind": "mean", "direction": "higher", "column": "spent", "missing": "zero"},
            {"name": "clicks", "kind": "rank", "direction": "higher", "column": "clicks", "role": "exploratory"},
            {"name": "plan", "kind": "category", "column": "plan", "missing": "leave_out", "role": "exploratory"},
        ]),
        json!({"layout": "subjects", "arm": "arm", "subject": "user"}),
    )
}

fn read(experiment: &Experiment, file: &Path) -> Result<Observed, Failure> {
    match &experiment.data {
        Data::Subjects { arm, subject } => subjects::read(experiment, file, arm, subject.as_deref()),
        Data::Counts { arm, subjects } => counts::read(experiment, file, arm, subjects),
        Data::Cloudwatch { .. } => panic!("no file"),
    }
}

fn csv(experiment: &Experiment, text: &str) -> Result<Observed, Failure> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("data.csv");
    std::fs::write(&file, text).expect("it can be written");
    read(experiment, &file)
}

#[track_caller]
fn refused(experiment: &Experiment, text: &str, rule: &str) {
    let failure = csv(experiment, text).expect_err("it cannot be used");
    assert_eq!(failure.kind, "data_unusable");
    assert!(failure.message.contains(rule), "{}", failure.message);
}

const HEAD: &str = "user,arm,bought,spent,clicks,plan\n";

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/data/experiment").join(name)
}

#[test]
fn a_row_for_each_subject_adds_up() {
    let text = format!(
        "{HEAD}a,control,1,2.5,3,free\nb,green,TRUE,,4,pro\nc,control,0,1.5,1,\nd,green,false,8,1,pro\n"
    );
    let observed = csv(&by_subject(), &text).expect("it can be used");
    let control = &observed.arms[0];
    assert_eq!(control.subjects, 2);
    assert!(
        matches!(&control.metrics[0].values, Some(Values::Conversion(p)) if (p.successes(), p.trials()) == (1, 2))
    );
    assert!(matches!(&control.metrics[1].values, Some(Values::Mean(m)) if m.mean() == 2.0));
    assert!(matches!(&control.metrics[2].values, Some(Values::Rank(r)) if r.median() == 2.0));
    assert_eq!(control.metrics[3].left_out, 1);
    assert!(matches!(&observed.arms[1].metrics[1].values, Some(Values::Mean(m)) if m.mean() == 4.0));
    assert!(observed.intake.subjects_are_known);
}

#[test]
fn parquet_says_the_same_as_csv() {
    let parquet = read(&by_subject(), &fixture("subjects.parquet")).expect("it can be used");
    let rows = "9007199254740993,control,true,1.5,0,free\n9007199254740994,green,false,,1,pro\n\
        9007199254740995,control,false,0.1,2,free\n9007199254740996,green,true,4.0,3,free\n\
        9007199254740997,control,true,2.25,4,pro\n9007199254740998,green,true,3.0,5,pro\n\
        9007199254740999,control,false,1e-3,6,\n9007199254741000,green,true,7.0,7,free\n";
    let csv = csv(&by_subject(), &format!("{HEAD}{rows}")).expect("it can be used");
    // Names that a double could not tell apart are told apart.
    assert_eq!((parquet.intake.crossed, parquet.intake.repeated), (0, 0));
    assert_eq!(parquet.arms, csv.arms);
}

#[test]
fn parquet_that_is_compressed_otherwise_or_broken_is_refused() {
    let failure = read(&by_subject(), &fixture("subjects.zstd.parquet")).expect_err("no such codec");
    assert!(failure.message.to_lowercase().contains("zstd"), "{}", failure.message);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cut.parquet");
    let whole = std::fs::read(fixture("subjects.parquet")).expect("it is there");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("it can be written");
    assert_eq!(read(&by_subject(), &file).expect_err("cut").kind, "data_unusable");
    let missing = read(&by_subject(), &folder.path().join("none.csv")).expect_err("not there");
    assert_eq!(missing.kind, "document_unreadable");
}

#[test]
fn a_bad_cell_is_named_by_line_and_column() {
    let by_subject = by_subject();
    let with = |row: &str| format!("{HEAD}a,control,1,2.5,3,free\n{row}\n");
    for (row, rule) in [
        ("b,green,maybe,1,1,pro", "line 3, column \"bought\": \"maybe\" is neither 0 nor 1"),
        ("b,green,2,1,1,pro", "column \"bought\": \"2\""),
        ("b,green,,1,1,pro", "column \"bought\": it is empty; the metric's `missing` may say"),
        ("b,green,1,NaN,1,pro", "line 3, column \"spent\": \"NaN\" is no number"),
        ("b,green,1,inf,1,pro", "column \"spent\": \"inf\" is no number"),
        ("b,green,1,1e999,1,pro", "column \"spent\": \"1e999\" is no number"),
        ("b,green,1,1,many,pro", "line 3, column \"clicks\": \"many\" is no number"),
        ("b,blue,1,1,1,pro", "line 3, column \"arm\": \"blue\" is no arm; the arms are control, green"),
        ("b,,1,1,1,pro", "column \"arm\": \"\" is no arm"),
        (",green,1,1,1,pro", "line 3, column \"user\": it is empty"),
        ("b,green,1", "line: 3"),
    ] {
        refused(&by_subject, &with(row), rule);
    }
    refused(
        &by_subject,
        "user,arm,bought,spent,clicks\n",
        "there is no column \"plan\"; there are: user, arm",
    );
    refused(&by_subject, "user,arm,arm,bought,spent,clicks,plan\n", "column \"arm\" is there twice");
    refused(&by_subject, "", "there is no column");
    let many: String = (0..101).map(|n| format!("u{n},control,1,1,1,plan{n}\n")).collect();
    refused(
        &by_subject,
        &format!("{HEAD}{many}"),
        "line 102, column \"plan\": it has more than 100 different values",
    );
    let hundred: String = (0..100).map(|n| format!("u{n},control,1,1,1,plan{n}\n")).collect();
    csv(&by_subject, &format!("{HEAD}{hundred}")).expect("a hundred are still a category");
}

#[test]
fn who_is_in_two_arms_counts_in_none_and_who_is_there_twice_counts_once() {
    let text = format!(
        "{HEAD}a,control,1,1,1,free\nb,control,1,1,1,free\nb,green,0,1,1,free\nc,green,1,5,1,free\nc,green,0,9,1,free\nc,green,0,9,1,free\n"
    );
    let observed = csv(&by_subject(), &text).expect("it can be used");
    assert_eq!((observed.intake.crossed, observed.intake.repeated), (1, 2));
    assert_eq!(observed.arms.iter().map(|arm| arm.subjects).collect::<Vec<_>>(), [1, 1]);
    assert!(matches!(&observed.arms[1].metrics[1].values, Some(Values::Mean(m)) if m.mean() == 5.0));
}

fn by_arm() -> Experiment {
    experiment(
        json!([
            {"name": "bought", "kind": "conversion", "direction": "higher", "column": "bought"},
            {"name": "returned", "kind": "conversion", "direction": "lower", "column": "returned", "of": "bought"},
            {"name": "spent", "kind": "mean", "direction": "higher", "column": "spent", "deviation": "sd"},
            {"name": "plan", "kind": "category", "categories": ["free", "pro"]},
        ]),
        json!({"layout": "counts", "arm": "arm", "subjects": "n"}),
    )
}

const COUNTS: &str = "arm,n,bought,returned,spent,sd,free,pro\n";

#[test]
fn a_row_for_each_arm_is_taken_as_counted() {
    let text = format!("{COUNTS}green,1000,50,4,12.5,3,700,300\ncontrol,1010,40,5,12.1,3,760,250\n");
    let observed = csv(&by_arm(), &text).expect("it can be used");
    let [control, green] = &observed.arms[..] else { panic!("two arms") };
    assert_eq!((control.subjects, green.subjects), (1010, 1000));
    assert!(
        matches!(&control.metrics[1].values, Some(Values::Conversion(p)) if (p.successes(), p.trials()) == (5, 40))
    );
    assert!(
        matches!(&green.metrics[2].values, Some(Values::Mean(m)) if (m.mean(), m.count()) == (12.5, 1000))
    );
    assert!(!observed.intake.subjects_are_known);
}

#[test]
fn counts_that_cannot_be_are_refused() {
    for (row, rule) in [
        ("green,1000,1001,4,1,1,1,1", "line 2, column \"bought\": 1001 of 1000 is more than all"),
        ("green,1000,5,6,1,1,1,1", "column \"returned\": 6 of 5 is more than all"),
        ("green,1000.5,5,4,1,1,1,1", "column \"n\": 1000.5 is no count"),
        ("green,-1,0,0,1,1,1,1", "column \"n\": -1 is no count"),
        ("green,1e17,0,0,1,1,1,1", "is no count"),
        ("green,10,5,4,1,-1,1,1", "column \"sd\": -1 is no standard deviation"),
        ("green,10,5,4,,1,1,1", "column \"spent\": it is empty"),
        ("blue,10,5,4,1,1,1,1", "\"blue\" is no arm"),
        ("green,10,5,4,1,1,1,1\ngreen,10,5,4,1,1,1,1", "line 3, column \"arm\": \"green\" is there twice"),
    ] {
        refused(&by_arm(), &format!("{COUNTS}{row}\n"), rule);
    }
}

fn here() -> Place {
    use clap::Parser;
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        place: Place,
    }
    Line::parse_from(["ripcord"]).place
}

fn example(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/experiment").join(name)
}

#[tokio::test]
async fn the_example_is_reported_with_a_page_that_stands_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let html = folder.path().join("report.html");
    let args = Args {
        document: example("experiment.json"),
        data: Some(example("visitors.csv")),
        html: Some(html.clone()),
    };
    let printed = run(&args, &here()).await.expect("it can be reported");
    assert_eq!(printed.report.outcome, Outcome::Better);
    assert!(printed.to_string().contains(&printed.report.answer));
    serde_json::to_value(&printed).expect("it is JSON");
    let page = std::fs::read_to_string(html).expect("it was written");
    assert!(page.contains("One page is better than three pages") && page.contains("<svg"));
    // Nothing on it asks the network for anything.
    for asks in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!page.contains(asks), "{asks}");
    }
}

#[tokio::test]
async fn what_a_name_contains_does_nothing_on_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let [document, data, html] = ["e.json", "d.csv", "r.html"].map(|name| folder.path().join(name));
    let evil = "<script>alert(1)</script>";
    let text = std::fs::read_to_string(example("experiment.json")).expect("it is there");
    std::fs::write(&document, text.replace("one page\"", &format!("{evil}\"")).replace("Orders", evil))
        .expect("written");
    std::fs::copy(example("visitors.csv"), &data).expect("copied");
    let args = Args { document, data: Some(data), html: Some(html.clone()) };
    run(&args, &here()).await.expect("it can be reported");
    assert!(!std::fs::read_to_string(html).expect("written").contains(evil));
}

#[tokio::test]
async fn an_arm_without_anybody_or_a_source_that_is_not_meant_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("data.csv");
    let read = |text: String| {
        std::fs::write(&file, text).expect("written");
        let file = file.clone();
        async move { data::read(&by_subject(), Some(&file), &here()).await.expect_err("refused").message }
    };
    assert!(read(format!("{HEAD}a,control,1,1,1,free\n")).await.ends_with("holds nobody in arm green"));
    assert!(read(HEAD.to_owned()).await.ends_with("holds nobody"));
    let none = data::read(&by_subject(), None, &here()).await.expect_err("refused");
    assert_eq!((none.kind.as_str(), none.hint.as_deref()), ("usage", Some("--data FILE")));
    let alias =
        Experiment::parse(&std::fs::read_to_string(example("alias.json")).expect("there")).expect("valid");
    let both = data::read(&alias, Some(&file), &here()).await.expect_err("refused");
    assert_eq!(both.kind, "usage");
}

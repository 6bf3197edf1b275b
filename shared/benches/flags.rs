//! Measures reading a document of flags, and asking one. `cargo bench-flag-evaluation`.

use criterion::{criterion_group, criterion_main};

fn nothing(_: &mut criterion::Criterion) {}

criterion_group!(flags, nothing);
criterion_main!(flags);

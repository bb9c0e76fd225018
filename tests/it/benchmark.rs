//! The arithmetic of the benchmark's report, because figures that we publish about others have to be right.

#[path = "../../benches/compare/report.rs"]
#[expect(dead_code, reason = "the suite uses the rest")]
mod report;

use report::{Measurement, Report, Shown, Unit, median, percentile, quantity, replace_between, significant};

#[test]
fn medians_and_percentiles() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    assert!(median(&[]).is_nan());
    let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    assert_eq!(percentile(&hundred, 99.0), 99.0);
    assert_eq!(percentile(&hundred, 100.0), 100.0);
    assert_eq!(percentile(&[7.0], 99.0), 7.0);
    assert!(percentile(&[], 99.0).is_nan());
}

#[test]
fn a_measurement_has_the_spread_of_its_runs() {
    let of = |runs: &[f64]| Measurement::of("work", "backend", Unit::Milliseconds, runs);
    assert_eq!(of(&[]), None);
    let row = of(&[5.0, 1.0, 3.0]).unwrap();
    assert_eq!((row.median, row.min, row.max, row.runs), (3.0, 1.0, 5.0, 3));
    let json = serde_json::to_value(&row).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"work": "work", "backend": "backend", "unit": "ms", "median": 3.0, "min": 1.0, "max": 5.0, "runs": 3})
    );
}

#[test]
fn worse_is_more_time_and_fewer_in_a_second() {
    let of = |unit, figure| Measurement::of("work", "backend", unit, &[figure]).unwrap();
    assert_eq!(of(Unit::Milliseconds, 300.0).times_worse_than(&of(Unit::Milliseconds, 100.0)), 3.0);
    assert_eq!(of(Unit::Megabytes, 30.0).times_worse_than(&of(Unit::Megabytes, 60.0)), 0.5);
    assert_eq!(of(Unit::PerSecond, 100.0).times_worse_than(&of(Unit::PerSecond, 300.0)), 3.0);
}

#[test]
fn a_table_has_what_was_measured_and_nothing_else() {
    let mut report = Report::default();
    report.add(Shown::Summary, "a", "Offshoot (RevoDeployR)", Unit::Milliseconds, &[0.2, 0.1, 0.3]);
    report.add(Shown::Summary, "a", "plumber", Unit::Milliseconds, &[10.0, 20.0]);
    report.add(Shown::Summary, "b", "plumber", Unit::PerSecond, &[150.0]);
    report.add(Shown::Summary, "b", "Offshoot (RevoDeployR)", Unit::PerSecond, &[]);
    report.add(Shown::Report, "c", "plumber", Unit::Megabytes, &[1.0]);
    let table = report.table(&report.works(&[Shown::Summary]), false);
    assert_eq!(table, "| | Offshoot (RevoDeployR) | plumber |\n|---|---|---|\n| a | 200 us | 15.0 ms, 75.0 x |\n| b | - | 150/s |\n");
    let table = report.table(&["a"], true);
    assert!(table.contains("| 200 us (100 us to 300 us, 3 runs) | 15.0 ms (10.0 ms to 20.0 ms, 2 runs), 75.0 x |"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 4);
}

#[test]
fn the_baseline_is_the_leanest_way_in_that_was_measured() {
    let mut report = Report::default();
    report.add(Shown::Summary, "a", "Offshoot (RevoDeployR)", Unit::Milliseconds, &[2.0]);
    assert_eq!(report.baseline("a").unwrap().backend, "Offshoot (RevoDeployR)");
    report.add(Shown::Summary, "a", "Offshoot (Rock)", Unit::Milliseconds, &[1.0]);
    assert_eq!(report.baseline("a").unwrap().backend, "Offshoot (Rock)");
    assert_eq!(report.baseline("b"), None);
    assert!(report.table(&["a"], false).contains("| 2.00 ms, 2.00 x | 1.00 ms |"));
}

#[test]
fn figures_have_three_digits() {
    for (value, expected) in
        [(0.0, "0"), (0.012_34, "0.0123"), (1.0, "1.00"), (9.996, "10.0"), (99.96, "100"), (1234.5, "1,230"), (1_234_567.0, "1,230,000")]
    {
        assert_eq!(significant(value), expected);
    }
    assert_eq!(quantity(Unit::Milliseconds, 0.034), "34.0 us");
    assert_eq!(quantity(Unit::Milliseconds, 1500.0), "1.50 s");
    assert_eq!(quantity(Unit::PerSecond, 17_300.0), "17,300/s");
}

#[test]
fn a_section_is_replaced_between_its_markers() {
    assert_eq!(replace_between("a [ old ] b", "[", "]", "new\n").unwrap(), "a [\nnew\n] b");
    assert_eq!(replace_between("a", "[", "]", "new"), Err("[ is missing".to_owned()));
    assert_eq!(replace_between("a [", "[", "]", "new"), Err("] is missing".to_owned()));
    // The README has the section that the suite rewrites.
    let readme = include_str!("../../README.md");
    assert!(replace_between(readme, "<!-- benchmark: begin (make bench writes this) -->", "<!-- benchmark: end -->", "new").is_ok());
}

use super::*;

fn figures(fuel: u64, hostcalls: u64) -> Figures {
    let text = format!(
        "bytes: {{ wasm: 1000 }}\ncosts: {{ data: {{ tick: {{ calls: 1, fuel: {fuel}, hostcalls: {hostcalls}, allocations: 0 }} }} }}"
    );
    serde_saphyr::from_str(&text).unwrap()
}

fn report(measured: &Figures) -> String {
    Verdict::of(measured, &figures(1000, 2)).to_string()
}

#[test]
fn two_percent_more_fuel_is_within_the_budget() {
    assert_eq!(report(&figures(1020, 2)), "");
}

#[test]
fn more_fuel_exceeds_the_budget() {
    let report = report(&figures(1021, 2));
    assert!(
        report.contains("data: tick: 1000 → 1021 fuel (+2.1 %)"),
        "{report}"
    );
}

#[test]
fn one_more_host_call_exceeds_the_budget() {
    let verdict = Verdict::of(&figures(1000, 3), &figures(1000, 2));
    assert!(!verdict.is_met());
    assert!(
        verdict.to_string().contains("data: tick: 2 → 3 hostcalls"),
        "{verdict}"
    );
}

#[test]
fn a_value_without_a_budget_exceeds_it() {
    let verdict = Verdict::of(&figures(1000, 2), &Figures::default());
    assert!(
        verdict
            .to_string()
            .contains("wasm: 1000 bytes, not in the budget"),
        "{verdict}"
    );
}

#[test]
fn a_value_far_below_the_budget_is_reported() {
    let verdict = Verdict::of(&figures(899, 2), &figures(1000, 2));
    assert!(verdict.is_met());
    assert!(verdict.to_string().contains("(-10.1 %)"), "{verdict}");
}

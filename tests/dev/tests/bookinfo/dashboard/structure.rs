//! Faults of a dashboard that Grafana accepts and shows wrongly.

use std::collections::BTreeSet;
use std::fs;

use mesh::workspace;
use serde_json::json;

use super::*;
use crate::bookinfo::docs;

/// The number of columns of Grafana's grid.
const WIDTH: u32 = 24;

const RULES: &str = "envoy-config/prometheus/tcp-peer-stats.rules.yaml";

/// Grafana's own variables that the queries use.
const OF_GRAFANA: [&str; 1] = ["__rate_interval"];

#[test]
fn every_panel_has_a_unique_id_and_a_description() -> Result {
    let mut ids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for panel in &Dashboard::read()?.panels {
        assert!(ids.insert(panel.id), "{panel:?}");
        assert!(titles.insert(panel.title.clone()), "{panel:?}");
        let is_row = panel.kind == "row";
        assert_eq!(panel.targets.is_empty(), is_row, "{panel:?}");
        assert_eq!(panel.description.is_empty(), is_row, "{panel:?}");
        let refs: BTreeSet<_> = panel.targets.iter().map(|target| &target.ref_id).collect();
        assert_eq!(refs.len(), panel.targets.len(), "{panel:?}");
    }
    Ok(())
}

#[test]
fn panels_fill_the_grid_without_overlap() -> Result {
    let mut taken = BTreeSet::new();
    let mut bottom = 0;
    for panel in &Dashboard::read()?.panels {
        let Place { x, y, w, h } = panel.grid_pos;
        assert!(w > 0 && h > 0 && x + w <= WIDTH, "{panel:?}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{panel:?} overlaps at {cell:?}");
        }
        bottom = bottom.max(y + h);
    }
    assert_eq!(taken.len(), (WIDTH * bottom) as usize, "there are gaps");
    Ok(())
}

#[test]
fn every_query_uses_the_selected_data_source() -> Result {
    let chosen = json!({ "type": "prometheus", "uid": "${datasource}" });
    let dashboard = Dashboard::read()?;
    let variables = &dashboard.templating.list;
    let first = variables.first().expect("variables");
    assert_eq!(
        (first.name.as_str(), first.kind.as_str()),
        ("datasource", "datasource")
    );
    for variable in variables.iter().filter(|each| each.kind == "query") {
        assert_eq!(variable.datasource.as_ref(), Some(&chosen), "{variable:?}");
        assert!(variable.label_values().is_some(), "{variable:?}");
        assert!(!variable.description.is_empty(), "{variable:?}");
    }
    for panel in dashboard.panels.iter().filter(|each| each.kind != "row") {
        assert_eq!(panel.datasource.as_ref(), Some(&chosen), "{}", panel.title);
    }
    for (panel, target) in dashboard.targets() {
        assert_eq!(target.datasource, chosen, "{}", panel.title);
    }
    Ok(())
}

#[test]
fn every_variable_is_defined_before_its_use_and_is_used() -> Result {
    let dashboard = Dashboard::read()?;
    let mut known = BTreeSet::from(OF_GRAFANA.map(str::to_owned));
    let mut used = BTreeSet::from(["datasource".to_owned()]);
    for variable in &dashboard.templating.list {
        if let Some((selector, _)) = variable.label_values() {
            used.extend(variables_in(selector));
            assert!(known.is_superset(&variables_in(selector)), "{variable:?}");
        }
        known.insert(variable.name.clone());
    }
    for (panel, target) in dashboard.targets() {
        let names = variables_in(&target.expr);
        assert!(known.is_superset(&names), "{}: {names:?}", panel.title);
        used.extend(names);
    }
    assert_eq!(used, known);
    Ok(())
}

#[test]
fn every_panel_is_in_the_documentation() -> Result {
    let explained = docs::observability()?;
    for panel in Dashboard::read()?.panels {
        assert!(explained.contains(&panel.title), "{}", panel.title);
    }
    Ok(())
}

/// So one replacement in the file changes the prefix.
#[test]
fn every_istio_metric_has_the_prefix_of_the_filter() -> Result {
    let rules = fs::read_to_string(workspace::root().join(RULES))?;
    for text in [FILE, &rules] {
        let expressions = text.split("istio_").skip(1);
        for after in expressions {
            assert!(after.starts_with("tcp_"), "istio_{}", &after[..40]);
        }
    }
    Ok(())
}

/// A sum over both reporters counts everything twice.
#[test]
fn every_query_of_the_four_metrics_selects_a_reporter() -> Result {
    for (panel, target) in Dashboard::read()?.targets() {
        for metric in mesh::labels::METRICS {
            for after in target.expr.split(metric).skip(1) {
                let selector = after.split('}').next().unwrap_or_default();
                assert!(selector.contains("reporter="), "{}: {after}", panel.title);
            }
        }
    }
    Ok(())
}

fn variables_in(text: &str) -> BTreeSet<String> {
    let names = text.split('$').skip(1).map(|rest| {
        let name = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
        name.collect()
    });
    names.collect()
}

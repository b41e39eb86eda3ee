//! The tables are complete, and every panel must have data in a view.

use super::*;

const QUERIES: usize = 22;

/// Every query of the table, with its view.
fn queries() -> Vec<(View, [&'static str; 3])> {
    let mut queries: Vec<(View, [&str; 3])> = Vec::new();
    for view in VIEWS {
        if queries
            .iter()
            .all(|(other, _)| other.dashboard != view.dashboard)
        {
            queries.extend(rows(PANELS, view.dashboard).map(|row| (view, row)));
        }
    }
    assert_eq!(queries.len(), QUERIES);
    queries
}

#[test]
fn every_query_is_complete_and_its_variables_are_defined() {
    for (view, [row, title, query]) in queries() {
        assert!(query.contains("istio_tcp_"), "{row}/{title}: {query}");
        let listed = rows(VARIABLES, view.dashboard).map(|[name, _]| (name, "x"));
        let chosen = view.chosen.iter().copied();
        let variables = listed.chain(chosen);
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filled = substitute(query, &variables.collect());
        assert!(!filled.contains('$'), "{filled}");
    }
}

#[test]
fn every_panel_but_mtls_at_the_source_has_data_in_a_view() {
    for (View { dashboard, .. }, [row, title, query]) in queries() {
        let mut views = VIEWS.iter().filter(|view| view.dashboard == dashboard);
        let sources_mtls = row == "Outbound Services" && query.contains(r#"policy="mutual_tls""#);
        let shown = views.any(|view| view.has_data(query));
        assert_eq!(shown, !sources_mtls, "{dashboard}/{row}/{title}: {query}");
    }
}

#[test]
fn all_of_a_variable_is_a_regular_expression() {
    let values = ["a.b".to_owned(), "c".to_owned()];
    assert_eq!(all(&values.into()), r"(a\\.b|c)");
}

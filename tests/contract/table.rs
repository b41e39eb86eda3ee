//! Label sets written down as a table.

use mesh::exposition::Labels;

/// Istio's labels of a TCP metric, in the order of its documentation.
const NAMES: [&str; 23] = [
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_canonical_service",
    "source_canonical_revision",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "destination_workload",
    "destination_workload_namespace",
    "destination_canonical_service",
    "destination_canonical_revision",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "request_protocol",
    "response_flags",
    "connection_security_policy",
];

/// Both sidecars told each other who they are, over mutual TLS.
pub(crate) const EXCHANGED: &str = "
    reporter                        source                                         destination
    source_workload                 web-v2                                         web-v2
    source_workload_namespace       shop                                           shop
    source_canonical_service        storefront                                     storefront
    source_canonical_revision       r2                                             r2
    source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
    source_app                      web                                            web
    source_version                  v2                                             v2
    source_cluster                  east                                           east
    destination_workload            db-v1                                          db-v1
    destination_workload_namespace  data                                           data
    destination_canonical_service   database                                       database
    destination_canonical_revision  r1                                             r1
    destination_principal           spiffe://cluster.local/ns/data/sa/db-account   spiffe://cluster.local/ns/data/sa/db-account
    destination_app                 db                                             db
    destination_version             v1                                             v1
    destination_cluster             west                                           west
    destination_service             db.data.svc.cluster.local                      db.data.svc.cluster.local
    destination_service_name        db                                             db
    destination_service_namespace   data                                           data
    request_protocol                tcp                                            tcp
    response_flags                  -                                              -
    connection_security_policy      unknown                                        mutual_tls
";

/// Reads a table whose first column names the labels; every further column is one label set.
///
/// # Panics
/// A row lacks a value, or the rows are not exactly the 23 labels in order: such a table would test less than it seems
/// to.
pub(crate) fn columns(table: &str) -> Vec<Labels> {
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<_>| !row.is_empty())
        .collect();
    let names: Vec<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, NAMES);
    let width = rows[0].len();
    assert!(width > 1, "a table without label sets");
    for row in &rows {
        assert_eq!(row.len(), width, "{row:?}");
    }
    let column = |index: usize| {
        let cell = |row: &Vec<&str>| (row[0].to_owned(), row[index].to_owned());
        rows.iter().map(cell).collect()
    };
    (1..width).map(column).collect()
}

#[test]
fn a_table_has_a_label_set_per_column() {
    let rows = NAMES.map(|name| format!("  {name}   a-{name} b-{name}"));
    let columns = columns(&rows.join("\n"));
    assert_eq!(columns.len(), 2);
    assert_eq!(columns[0].len(), 23);
    assert_eq!(columns[1]["request_protocol"], "b-request_protocol");
}

#[test]
#[should_panic(expected = "source_app")]
fn a_table_with_a_hole_is_refused() {
    let rows = NAMES.map(|name| match name {
        "source_app" => format!("{name} a"),
        _ => format!("{name} a b"),
    });
    columns(&rows.join("\n"));
}

//! Label sets, written as a table or as the difference from one.

use mesh::exposition::Labels;
use mesh::labels::STANDARD;

/// What each reporter of a connection reports: the first column has the labels, each further column
/// has the values of one reporter.
pub(crate) struct Table(pub(crate) &'static str);

/// Both sidecars exchange their metadata over mutual TLS.
pub(crate) const EXCHANGED: Table = Table(
    "
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
    ",
);

/// In a difference: the value is the table's.
const SAME: &str = "=";

impl Table {
    /// The label set of each column.
    ///
    /// # Panics
    /// A row lacks a value, or the rows are not the standard labels, each of them once.
    pub(crate) fn columns(&self) -> Vec<Labels> {
        let rows = rows(self.0);
        let mut names: Vec<_> = rows.iter().map(|row| row[0]).collect();
        names.sort_unstable();
        let mut standard = STANDARD;
        standard.sort_unstable();
        assert_eq!(names, standard);
        let width = rows[0].len();
        assert!(width > 1, "a table without label sets");
        for row in &rows {
            assert_eq!(row.len(), width, "{row:?}");
        }
        (1..width)
            .map(|index| {
                rows.iter()
                    .map(|row| (row[0].to_owned(), row[index].to_owned()))
                    .collect()
            })
            .collect()
    }

    /// The label sets that differ from this table's in some values.
    ///
    /// The first line of `difference` names columns of this table by their reporters. Each further
    /// line has a label and its value in each of these columns, `=` where it is the table's.
    ///
    /// # Panics
    /// The table has no such column or label, a row lacks a value, or a value is the table's.
    pub(crate) fn with(&self, difference: &str) -> Vec<Labels> {
        let table = self.columns();
        let rows = rows(difference);
        let (reporters, rows) = rows.split_first().unwrap();
        let mut columns = Vec::new();
        for reporter in reporters {
            let column = table.iter().find(|labels| labels["reporter"] == *reporter);
            columns.push(
                column
                    .unwrap_or_else(|| panic!("no column {reporter}"))
                    .clone(),
            );
        }
        for row in rows {
            let (label, values) = row.split_first().unwrap();
            assert_eq!(values.len(), columns.len(), "{row:?}");
            assert!(values.iter().any(|value| *value != SAME), "{row:?}");
            for (column, value) in columns.iter_mut().zip(values) {
                let before = column.get_mut(*label);
                let before = before.unwrap_or_else(|| panic!("{label} is no standard label"));
                if *value != SAME {
                    assert_ne!(before, value, "{row:?} repeats the table");
                    *before = (*value).to_owned();
                }
            }
        }
        columns
    }
}

/// The words of each line that has any.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|row: &Vec<_>| !row.is_empty())
        .collect()
}

#[test]
fn a_table_has_a_label_set_per_column() {
    let columns = EXCHANGED.columns();
    assert_eq!(columns.len(), 2);
    assert_eq!(columns[0].len(), 23);
    assert_eq!(columns[1]["connection_security_policy"], "mutual_tls");
}

#[test]
#[should_panic(expected = "source_app")]
fn a_table_with_a_hole_is_refused() {
    let rows = STANDARD.map(|name| match name {
        "source_app" => format!("{name} a"),
        _ => format!("{name} a b"),
    });
    Table(rows.join("\n").leak()).columns();
}

#[test]
#[should_panic(expected = "source_app")]
fn a_table_without_a_label_is_refused() {
    let rows = STANDARD.map(|name| match name {
        "source_app" => String::new(),
        _ => format!("{name} a"),
    });
    Table(rows.join("\n").leak()).columns();
}

#[test]
fn a_difference_changes_the_named_values_of_the_named_columns() {
    let both = EXCHANGED.with("source destination\n source_app x = \n source_version = y");
    let mut expected = EXCHANGED.columns();
    expected[0].insert("source_app".to_owned(), "x".to_owned());
    expected[1].insert("source_version".to_owned(), "y".to_owned());
    assert_eq!(both, expected);
    let one = EXCHANGED.with("destination\n source_version y");
    assert_eq!(one, expected[1..]);
}

#[test]
#[should_panic(expected = "source_apps is no standard label")]
fn a_difference_in_an_unknown_label_is_refused() {
    EXCHANGED.with("source\n source_apps unknown");
}

#[test]
#[should_panic(expected = "no column waypoint")]
fn a_difference_in_an_unknown_column_is_refused() {
    EXCHANGED.with("waypoint\n source_app unknown");
}

#[test]
#[should_panic(expected = "repeats the table")]
fn a_difference_that_is_none_is_refused() {
    EXCHANGED.with("source\n source_app web");
}

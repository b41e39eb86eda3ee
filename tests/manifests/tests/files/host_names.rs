//! Tags of stats with host names that match the expression of a tag in Istio's bootstrap.

use manifests::Manifest;
use mesh::bootstrap::Bootstrap;
use mesh::workspace;
use regex::Regex;
use serde_json::Value;

/// One row of the page's table: a tag's name, its expression, a host, and the value that Envoy
/// extracts from the host.
struct Row {
    tag: String,
    regex: String,
    host: String,
    value: String,
}

fn rows() -> Vec<Row> {
    let page = workspace::root().join("filter/docs/observability.md");
    let page = std::fs::read_to_string(page).unwrap().replace(r"\|", "¦");
    let (_, rest) = page
        .split_once("\n## Additional labels from Istio's tags\n")
        .unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let line = line.replace('`', "");
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [tag, regex, host, adds] = cells.as_slice() else {
            panic!("{line}")
        };
        Row {
            tag: (*tag).to_owned(),
            regex: regex.replace('¦', "|"),
            host: (*host).to_owned(),
            value: adds
                .strip_prefix(&format!("{tag}=\""))
                .and_then(|value| value.strip_suffix('"'))
                .unwrap()
                .to_owned(),
        }
    })
    .collect()
}

/// The name of a stat, with the host in every label.
fn stat(labels: &[String], host: &str) -> String {
    let label = |name: &String| format!("{name}=.={host};.;");
    let labels: String = labels.iter().map(label).collect();
    format!("wasmcustom.{labels}istio_tcp_sent_bytes_total")
}

fn named(tags: &Value) -> Vec<(String, Regex)> {
    let text = |tag: &Value, key: &str| tag[key].as_str().unwrap().to_owned();
    let tags = tags["stats_tags"].as_array().unwrap();
    tags.iter()
        .map(|tag| {
            (
                text(tag, "tag_name"),
                Regex::new(&text(tag, "regex")).unwrap(),
            )
        })
        .collect()
}

/// The `stats_config` of every file that has one.
fn shipped() -> Vec<Value> {
    let read = |path: &str| {
        let path = workspace::root().join("envoy-config").join(path);
        Manifest::read(&path).unwrap().remove(0)
    };
    let consul = read("consul/proxy-defaults.yaml");
    let gateway = read("envoy-gateway/envoy-proxy.yaml");
    let gateway: Value = serde_saphyr::from_str(gateway.text("/spec/bootstrap/value")).unwrap();
    let of = |bootstrap: Bootstrap| bootstrap.document()["stats_config"].clone();
    vec![
        of(Bootstrap::client_sidecar().unwrap()),
        of(Bootstrap::server_sidecar().unwrap()),
        serde_json::from_str(consul.text("/spec/config/envoy_stats_config_json")).unwrap(),
        gateway["stats_config"].clone(),
    ]
}

#[test]
fn tags_of_this_project_match_only_their_own_labels() {
    for config in shipped() {
        let tags = named(&config);
        // Consul's own tag is the only one that is not a label of the filter.
        let labels: Vec<String> = tags
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| name != "local_cluster")
            .collect();
        assert_eq!(labels.len(), 24, "{labels:?}");
        for row in rows() {
            let stat = stat(&labels, &row.host);
            for (name, regex) in &tags {
                let found = regex.captures(&stat).map(|found| found[2].to_owned());
                let expected = labels.contains(name).then(|| row.host.clone());
                assert_eq!(found, expected, "{name} in {stat}");
            }
        }
    }
}

/// The values are those of the page.
#[test]
fn tags_of_istio_match_host_names() {
    let rows = rows();
    assert_eq!(rows.len(), 7);
    for row in rows {
        let stat = stat(&["destination_service".to_owned()], &row.host);
        let found = Regex::new(&row.regex).unwrap();
        let found = found.captures(&stat).unwrap_or_else(|| panic!("{stat}"));
        assert_eq!(&found[2], row.value, "{}", row.tag);
    }
}

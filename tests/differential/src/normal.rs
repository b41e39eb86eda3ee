//! Normalises observations: numbers that Envoy counts per process may differ.

use crate::observed::Observed;

/// Replaces process-wide numbers by the order in which they appear, and the scenario's id by
/// `{id}`.
pub(crate) fn observed(mut observed: Observed, id: &str) -> Observed {
    let mut numbers = Numbers::default();
    for segment in &mut observed.segments {
        for line in &mut segment.lines {
            *line = numbers.replace(&line.replace(id, "{id}"));
        }
    }
    for metric in &mut observed.metrics {
        *metric = metric.replace(id, "{id}");
    }
    observed
}

/// Replaces process-wide numbers in the lines by the order in which they appear.
pub(crate) fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut numbers = Numbers::default();
    lines.map(|line| numbers.replace(line)).collect()
}

/// The lines of `/stats/prometheus` that are the scenario's, sorted.
pub(crate) fn metrics(text: &str, id: &str) -> Vec<String> {
    let own = |line: &&str| {
        line.split(|character: char| !character.is_ascii_alphanumeric())
            .any(|word| word == id)
    };
    let custom = text
        .lines()
        .filter(|line| !line.starts_with("envoy_") && !line.starts_with("# TYPE envoy_"));
    let mut lines: Vec<_> = custom.filter(own).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The process-wide numbers so far, in order.
#[derive(Default)]
struct Numbers {
    cas: Vec<String>,
    tokens: Vec<String>,
}

impl Numbers {
    fn replace(&mut self, line: &str) -> String {
        if let Some((head, cas)) = line.rsplit_once(" cas ")
            && line.contains("get_shared")
            && cas != "0"
        {
            return format!("{head} cas {}", name(&mut self.cas, cas));
        }
        if line.contains("_queue ")
            && let Some((head, token)) = line.rsplit_once(" = 0 ")
        {
            return format!("{head} = 0 {}", name(&mut self.tokens, token));
        }
        if let Some((head, token)) = line.split_once("queue_ready(") {
            let token = token.trim_end_matches(')');
            return format!("{head}queue_ready({})", name(&mut self.tokens, token));
        }
        if line.contains("property connection_id = 0 ")
            || line.contains("property connection/id = 0 ")
        {
            return line.split(" = ").next().unwrap_or(line).to_owned();
        }
        line.to_owned()
    }
}

fn name(seen: &mut Vec<String>, number: &str) -> String {
    let index = seen
        .iter()
        .position(|known| known == number)
        .unwrap_or_else(|| {
            seen.push(number.to_owned());
            seen.len() - 1
        });
    format!("#{index}")
}

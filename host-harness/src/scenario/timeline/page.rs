//! The page of a timeline: a lane for each application and each filter, time from top to bottom.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::entry::{Action, Entry, Timeline};
use crate::abi::Status;
use crate::scenario::roles::{End, Side};
use crate::trace::Event;

const STYLE: &str = include_str!("page.css");

/// The number of bytes of a write that are shown.
const SHOWN: usize = 60;
/// The number of host calls of a callback that are shown without a click.
const OPEN_CALLS: usize = 4;
/// The widths of the bars are those of the callback with the most fuel.
const FULL_WIDTH: f64 = 100.0;

/// Text in a document, without its meaning as markup.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                // No document may have other control characters.
                control if control.is_control() && control != '\n' && control != '\t' => {
                    f.write_str("\u{fffd}")
                }
                other => write!(f, "{other}"),
            }?;
        }
        Ok(())
    }
}

impl Timeline {
    /// Returns a page of HTML that shows the timeline. It needs no other file and no script.
    pub fn to_html(&self) -> String {
        page(self)
    }
}

fn page(timeline: &Timeline) -> String {
    let lanes = Lanes(&timeline.sides);
    let (class, verdict) = match &timeline.failure {
        None => ("passed", "passed".to_owned()),
        Some(failure) => ("failed", format!("FAILED: {failure}")),
    };
    let name = Escaped(&timeline.name);
    let columns = lanes.count();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{name}</title>\n\
         <style>\n{STYLE}.timeline {{ grid-template-columns: 5.5rem repeat({columns}, minmax(0, 1fr)); }}\n</style>\n\
         </head>\n<body>\n<h1>{name}</h1>\n<p class=\"verdict {class}\">{}</p>\n\
         <main class=\"timeline\">\n{}{}</main>\n</body>\n</html>\n",
        Escaped(verdict),
        lanes.heads(),
        rows(timeline, &lanes),
    )
}

/// The columns behind that of the times: client, sidecars, server.
struct Lanes<'a>(&'a [Side]);

impl Lanes<'_> {
    fn count(&self) -> usize {
        self.0.len() + 2
    }

    fn of_side(&self, side: Side) -> usize {
        let index = self.0.iter().position(|own| *own == side);
        index.unwrap_or_default() + 3
    }

    fn of_end(&self, end: End) -> usize {
        match end {
            End::Client => 2,
            End::Server => self.count() + 1,
        }
    }

    fn heads(&self) -> String {
        let sides = self.0.iter().map(|side| format!("{side} filter"));
        let names = std::iter::once("client".to_owned()).chain(sides);
        let names = names.chain(["server".to_owned()]);
        let mut heads = "<div class=\"lane time\">time</div>\n".to_owned();
        for (name, column) in names.zip(2..) {
            heads += &format!("<div class=\"lane\" style=\"grid-column: {column}\">{name}</div>\n");
        }
        heads
    }
}

/// A host call of a callback that has not returned yet.
struct Call<'a> {
    name: &'a str,
    detail: &'a str,
    status: Status,
}

fn rows(timeline: &Timeline, lanes: &Lanes<'_>) -> String {
    let most = most_fuel(timeline);
    let mut calls: HashMap<usize, Vec<Call<'_>>> = HashMap::new();
    let mut rows = String::new();
    let mut row = 1;
    for entry in &timeline.entries {
        let mut add = |at: Duration, column: usize, class: &str, content: &str| {
            row += 1;
            rows += &format!(
                "<div class=\"time\" style=\"grid-row: {row}\">{}</div>\n\
                 <div class=\"entry {class}\" style=\"grid-row: {row}; grid-column: {column}\">{content}</div>\n",
                time(timeline.since_start(at)),
            );
        };
        match entry {
            Entry::Step { at, number, action } => match action {
                Action::Connect { .. } => {
                    let text = format!("{number}. {}", Escaped(describe(action)));
                    add(*at, lanes.of_end(End::Client), "act from-client", &text);
                }
                Action::Act { end, .. } => {
                    let class = format!("act {}", from(*end));
                    let text = format!("{number}. {}", Escaped(describe(action)));
                    add(*at, lanes.of_end(*end), &class, &text);
                }
                Action::Advance(_) => {
                    add(*at, 2, "pass", &format!("{number}. {}", describe(action)));
                }
                Action::Update(side) | Action::Drain(side) => {
                    let text = format!("{number}. {}", describe(action));
                    add(*at, lanes.of_side(*side), "pass", &text);
                }
            },
            Entry::Arrival {
                at,
                connection,
                end,
                bytes,
                ended,
            } => {
                let sender = match end {
                    End::Client => End::Server,
                    End::Server => End::Client,
                };
                let mut text = format!("receives {}", show(bytes));
                if *ended {
                    text += if bytes.is_empty() {
                        "the end"
                    } else {
                        ", then the end"
                    };
                }
                text += &named(connection);
                let class = format!("arrival {}", from(sender));
                add(*at, lanes.of_end(*end), &class, &Escaped(text).to_string());
            }
            Entry::Filter { side, moment } => {
                let column = lanes.of_side(*side);
                match &moment.event {
                    Event::Hostcall {
                        name,
                        detail,
                        status,
                    } => {
                        let call = Call {
                            name,
                            detail,
                            status: *status,
                        };
                        calls.entry(column).or_default().push(call);
                    }
                    Event::Callback { trap, .. } => {
                        let made = calls.remove(&column).unwrap_or_default();
                        let class = match trap {
                            Some(_) => "callback trapped",
                            None => "callback",
                        };
                        add(
                            moment.at,
                            column,
                            class,
                            &callback(&moment.event, &made, most),
                        );
                    }
                }
            }
        }
    }
    rows
}

fn most_fuel(timeline: &Timeline) -> u64 {
    let fuel = timeline.entries.iter().filter_map(|entry| match entry {
        Entry::Filter { moment, .. } => match moment.event {
            Event::Callback { fuel, .. } => Some(fuel),
            Event::Hostcall { .. } => None,
        },
        _ => None,
    });
    fuel.max().unwrap_or_default().max(1)
}

/// The content of a callback: its name and arguments, its result, its fuel and its host calls.
fn callback(event: &Event, calls: &[Call<'_>], most: u64) -> String {
    let Event::Callback {
        name,
        arguments,
        result,
        trap,
        fuel,
        ..
    } = event
    else {
        return String::new();
    };
    let short = name.strip_prefix("proxy_on_").unwrap_or(name);
    let arguments: Vec<_> = arguments.iter().map(u32::to_string).collect();
    let result = match (trap, result) {
        (Some(trap), _) => format!("trapped: {trap}"),
        (None, Some(result)) => meaning(name, *result),
        (None, None) => String::new(),
    };
    let width = *fuel as f64 / most as f64 * FULL_WIDTH;
    let list: String = calls.iter().map(call).collect();
    let list = match calls.len() {
        0 => String::new(),
        few if few <= OPEN_CALLS => format!("<ul class=\"calls\">{list}</ul>"),
        many => format!(
            "<details><summary>{many} host calls</summary><ul class=\"calls\">{list}</ul></details>"
        ),
    };
    format!(
        "<span class=\"result\">{}</span><b>{short}</b>({})\
         <span class=\"fuel\" style=\"width: {width:.1}%\" title=\"{fuel} fuel\"></span>{list}",
        Escaped(result),
        arguments.join(", "),
    )
}

fn call(call: &Call<'_>) -> String {
    let Call {
        name,
        detail,
        status,
    } = call;
    let (class, answer) = match status {
        Status::Ok => ("", String::new()),
        other => (" class=\"refused\"", format!(" = {other:?}")),
    };
    let name = name.strip_prefix("proxy_").unwrap_or(name);
    format!(
        "<li{class}>{name}({}){}</li>",
        Escaped(detail),
        Escaped(answer)
    )
}

/// The meaning of a callback's return value.
fn meaning(name: &str, result: u32) -> String {
    let stops = ["data", "new_connection"]
        .iter()
        .any(|kind| name.ends_with(kind));
    match (stops, result) {
        (true, 0) => "Continue".to_owned(),
        (true, 1) => "Pause".to_owned(),
        (false, 0) => "false".to_owned(),
        (false, 1) => "true".to_owned(),
        (_, other) => other.to_string(),
    }
}

fn from(end: End) -> &'static str {
    match end {
        End::Client => "from-client",
        End::Server => "from-server",
    }
}

/// The text of a step.
fn describe(action: &Action) -> String {
    let (connection, bytes, ways) = match action {
        Action::Connect { connection } => return format!("connects{}", named(connection)),
        Action::Advance(by) => return format!("{} pass", time(*by)),
        Action::Update(_) => return "the listener is updated".to_owned(),
        Action::Drain(_) => return "the drain time is over".to_owned(),
        Action::Act {
            connection,
            bytes,
            ends,
            closes,
            resets,
            ..
        } => {
            let ways = [(ends, "ends"), (closes, "closes"), (resets, "resets")];
            (connection, bytes, ways)
        }
    };
    let mut parts = Vec::new();
    if !bytes.is_empty() {
        parts.push(format!("writes {}", show(bytes)));
    }
    let ways = ways.into_iter().filter(|(leaves, _)| **leaves);
    parts.extend(ways.map(|(_, way)| way.to_owned()));
    parts.join(", ") + &named(connection)
}

/// The name of a connection in brackets, if it has one.
fn named(connection: &str) -> String {
    match connection {
        "" => String::new(),
        name => format!(" ({name})"),
    }
}

fn show(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN).unwrap_or(bytes);
    match bytes.len() {
        0 => String::new(),
        len if head.len() < len => format!("{len} bytes \"{}…\"", head.escape_ascii()),
        len => format!("{len} bytes \"{}\"", head.escape_ascii()),
    }
}

/// A time in seconds.
fn time(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_no_markup() {
        let text = "<b a=\"1\" c='2'>&\u{7}\n";
        let escaped = Escaped(text).to_string();
        assert_eq!(
            escaped,
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;\u{fffd}\n"
        );
    }

    #[test]
    fn a_callback_returns_an_action_or_a_truth_value() {
        assert_eq!(meaning("proxy_on_upstream_data", 1), "Pause");
        assert_eq!(meaning("proxy_on_new_connection", 0), "Continue");
        assert_eq!(meaning("proxy_on_done", 1), "true");
        assert_eq!(meaning("proxy_on_configure", 7), "7");
    }
}

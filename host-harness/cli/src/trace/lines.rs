//! The lines of a trace.

use host_harness::Event;
use host_harness::scenario::Entry;
use serde_json::json;

/// The line of an event of a filter, as text or as JSON; `None` for any other entry.
pub(super) fn line(entry: &Entry, is_json: bool) -> Option<String> {
    let Entry::Filter { side, moment } = entry else {
        return None;
    };
    let side = side.to_string();
    Some(match is_json {
        true => {
            let mut line = to_json(&side, &moment.event);
            if let Some(object) = line.as_object_mut() {
                object.insert("seconds".to_owned(), json!(moment.at.as_secs_f64()));
            }
            line.to_string()
        }
        false => to_text(&side, &moment.event),
    })
}

fn to_json(side: &str, event: &Event) -> serde_json::Value {
    match event {
        Event::Callback {
            name,
            arguments,
            result,
            trap,
            fuel,
            ..
        } => json!({
            "sidecar": side, "callback": name, "arguments": arguments, "result": result, "trap": trap, "fuel": fuel,
        }),
        Event::Hostcall {
            name,
            detail,
            status,
        } => json!({
            "sidecar": side, "hostcall": name, "detail": detail, "status": format!("{status:?}"),
        }),
    }
}

fn to_text(side: &str, event: &Event) -> String {
    match event {
        Event::Callback {
            name,
            arguments,
            result,
            trap,
            fuel,
            ..
        } => {
            let arguments: Vec<_> = arguments.iter().map(u32::to_string).collect();
            let result = match (trap, result) {
                (Some(trap), _) => format!(" TRAPPED: {trap}"),
                (None, Some(result)) => format!(" = {result}"),
                (None, None) => String::new(),
            };
            format!(
                "{side} {name}({}){result}, {fuel} fuel",
                arguments.join(", ")
            )
        }
        Event::Hostcall {
            name,
            detail,
            status,
        } => {
            format!("{side}   {name}({detail}) = {status:?}")
        }
    }
}

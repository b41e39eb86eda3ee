//! The probe's log: callbacks and the answers in them.

use crate::ask::{Kind, MOMENTS};

/// A callback of the probe and the answers in it, in order.
#[derive(Clone, Debug)]
pub(crate) struct Callback {
    pub(crate) context: u32,
    pub(crate) name: String,
    /// Action and answer.
    pub(crate) answers: Vec<(String, String)>,
}

/// Reads the lines that a probe logged.
pub(crate) fn callbacks<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Callback> {
    let mut callbacks: Vec<Callback> = Vec::new();
    for line in lines {
        let Some((context, rest)) = line.split_once(' ') else {
            continue;
        };
        if let Some(answer) = rest.strip_prefix("  ") {
            let answer = answer.split_once(" = ");
            let answer = answer.map(|(action, answer)| (action.to_owned(), answer.to_owned()));
            if let Some(callback) = callbacks.last_mut() {
                callback.answers.extend(answer);
            }
        } else if let Some((name, _)) = rest.split_once('(') {
            callbacks.push(Callback {
                context: context.parse().unwrap_or_default(),
                name: name.to_owned(),
                answers: Vec::new(),
            });
        }
    }
    callbacks
}

/// The answers to one action in the order of [`MOMENTS`], without those that repeat the one before.
pub(crate) fn timeline(
    callbacks: &[Callback],
    action: &str,
    show: impl Fn(&str) -> String,
    before: &str,
) -> Vec<(&'static str, String)> {
    let mut timeline = Vec::new();
    let mut last = before.to_owned();
    for moment in MOMENTS {
        let found = callbacks.iter().filter(|callback| callback.name == moment);
        let mut answers = found.flat_map(|callback| &callback.answers);
        let Some((_, answer)) = answers.find(|(asked, _)| asked == action) else {
            continue;
        };
        let answer = show(answer);
        if answer != last {
            last.clone_from(&answer);
            timeline.push((moment, answer));
        }
    }
    timeline
}

/// The status of an answer, by its name in the ABI.
pub(crate) fn status(answer: &str) -> String {
    let number = answer.split(' ').next().unwrap_or_default();
    match number {
        "0" => "Ok".into(),
        "1" => "NotFound".into(),
        "2" => "BadArgument".into(),
        "3" => "SerializationFailure".into(),
        "6" => "InvalidMemoryAccess".into(),
        "7" => "Empty".into(),
        "8" => "CasMismatch".into(),
        "10" => "InternalFailure".into(),
        "12" => "Unimplemented".into(),
        other => format!("status {other}"),
    }
}

/// The part of a property's answer that is the same in every run.
pub(crate) fn value(kind: Kind, answer: &str) -> String {
    let Some(value) = answer.strip_prefix("0 ") else {
        return status(answer);
    };
    let bytes = unescape(value);
    match (kind, bytes.as_slice()) {
        (Kind::Text, _) => format!("{value:?}"),
        (Kind::AnyText, _) => "text".into(),
        (_, []) => "empty".into(),
        (Kind::Number, bytes) => match bytes.try_into() {
            Ok(bytes) => u64::from_le_bytes(bytes).to_string(),
            Err(_) => format!("{} bytes", bytes.len()),
        },
        (Kind::AnyNumber, [_, _, _, _, _, _, _, _]) => "number".into(),
        (Kind::Flag, [0]) => "false".into(),
        (Kind::Flag, [1]) => "true".into(),
        (Kind::Whole, _) => "bytes".into(),
        (Kind::AnyNumber | Kind::Flag, bytes) => format!("{} bytes", bytes.len()),
    }
}

/// The bytes of a text that `escape_ascii` made.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'\\' => match rest.next() {
                Some(b'x') => {
                    let digits = [rest.next(), rest.next()].map(Option::unwrap_or_default);
                    let digits = String::from_utf8_lossy(&digits).into_owned();
                    u8::from_str_radix(&digits, 16).unwrap_or_default()
                }
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(other) => other,
                None => byte,
            },
            byte => byte,
        };
        bytes.push(byte);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_has_the_changes_of_an_answer() {
        let callbacks = callbacks([
            "1 configure(0)",
            "1   property a = 1 ",
            "2 new_connection()",
            "2   property a = 0 x",
            "2 downstream_data(1, false)",
            "2   property a = 0 x",
            "2 done()",
            "2   property a = 3 ",
        ]);
        let show = |answer: &str| value(Kind::Text, answer);
        let timeline = timeline(&callbacks, "property a", show, "NotFound");
        let expected = [
            ("new_connection", "\"x\""),
            ("done", "SerializationFailure"),
        ];
        assert_eq!(
            timeline,
            expected.map(|(when, what)| (when, what.to_owned()))
        );
    }

    #[test]
    fn numbers_are_read_from_their_bytes() {
        let answer = r"0 \x02\x01\x00\x00\x00\x00\x00\x00";
        assert_eq!(value(Kind::Number, answer), "258");
        assert_eq!(value(Kind::AnyNumber, answer), "number");
        assert_eq!(value(Kind::Flag, answer), "8 bytes");
        assert_eq!(
            value(Kind::Number, r"0 \t\n\\\'\x00\x00\x00\x00"),
            "660343305"
        );
    }
}

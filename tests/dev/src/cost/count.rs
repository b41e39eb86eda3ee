//! A number of instructions in three parts, as a dump of callgrind has them.

use std::collections::HashMap;
use std::ops::{Add, Div, Mul, Range, Sub};

use serde::{Deserialize, Serialize};

/// Callgrind's name of the object file of an address outside of the file's text.
const NO_OBJECT: &str = "???";

/// A number of instructions in user mode. A difference of two counts can be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Of Envoy, with V8's own code and the libraries.
    pub envoy: i64,
    /// Of Envoy's memory allocator.
    pub allocator: i64,
    /// Of the code that V8 generated: guests, and the wrappers of host calls and callbacks.
    pub compiled: i64,
}

impl Count {
    /// The sum of all parts.
    #[must_use]
    pub fn total(self) -> i64 {
        self.envoy + self.allocator + self.compiled
    }

    /// The parts and their sum, as cells of a table in Markdown.
    pub(super) fn cells(self) -> String {
        let Self {
            envoy,
            allocator,
            compiled,
        } = self;
        format!("{envoy} | {allocator} | {compiled} | {}", self.total())
    }

    /// Reads a dump of an Envoy with these addresses of code in files; `None` if its totals are not
    /// the sum of its lines.
    ///
    /// TCMalloc has a section of its own in Envoy's file. Callgrind knows only the section of the
    /// rest, so it gives neither the allocator nor generated code an object file.
    pub(super) fn read(dump: &str, files: &[Range<u64>]) -> Option<Self> {
        let mut names = HashMap::new();
        let (mut object, mut function) = ("", "");
        let mut is_call = false;
        let mut totals = None;
        let mut count = Self::default();
        for line in dump.lines() {
            match line.split_once('=') {
                // The next line has the instructions of the called function.
                Some(("calls", _)) => is_call = true,
                Some((kind @ ("ob" | "cob" | "fn" | "cfn"), name)) => {
                    // The first `(ID) NAME` gives the name to `(ID)`.
                    let (id, name) = name.split_once(' ').unwrap_or((name, ""));
                    let space = kind.trim_start_matches('c');
                    let name: &str = match name {
                        "" => names.get(&(space, id)).copied()?,
                        name => {
                            names.insert((space, id), name);
                            name
                        }
                    };
                    match kind {
                        "ob" => object = name,
                        "fn" => function = name,
                        _ => {}
                    }
                }
                Some(_) => {}
                None if line
                    .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) =>
                {
                    let cost = line
                        .split(' ')
                        .nth(1)
                        .map_or(Some(0), |cost| cost.parse().ok())?;
                    if !std::mem::take(&mut is_call) {
                        *count.part(object, function, files) += cost;
                    }
                }
                None => {
                    if let Some(sum) = line.strip_prefix("totals: ") {
                        totals = sum.trim().parse().ok();
                    }
                }
            }
        }
        (totals == Some(count.total())).then_some(count)
    }

    /// The part of a function.
    fn part(&mut self, object: &str, function: &str, files: &[Range<u64>]) -> &mut i64 {
        if object != NO_OBJECT {
            return &mut self.envoy;
        }
        // A function without a symbol has its address as a name; a recursive one has a number
        // behind it.
        let address = function
            .split('\'')
            .next()
            .and_then(|name| name.strip_prefix("0x"));
        match address.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
            Some(address) if !files.iter().any(|file| file.contains(&address)) => {
                &mut self.compiled
            }
            _ => &mut self.allocator,
        }
    }

    fn each(self, with: Self, of: impl Fn(i64, i64) -> i64) -> Self {
        Self {
            envoy: of(self.envoy, with.envoy),
            allocator: of(self.allocator, with.allocator),
            compiled: of(self.compiled, with.compiled),
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.each(other, |one, other| one + other)
    }
}

impl Sub for Count {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.each(other, |one, other| one - other)
    }
}

impl Mul<i64> for Count {
    type Output = Self;

    fn mul(self, by: i64) -> Self {
        self.each(self, |one, _| one * by)
    }
}

impl Div<i64> for Count {
    type Output = Self;

    fn div(self, by: i64) -> Self {
        self.each(self, |one, _| one / by)
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    const DUMP: &str = "\
# callgrind format
cmd:  envoy -c mesh.json
positions: line
events: Ir
summary: 1000

ob=(9) /bin/envoy
fl=(1) ???
fn=(1) 0x0000000004af9d40
0 100
cob=(2) ???
cfn=(2) 0x0000000006294800
calls=3 0
0 7000
+3 20

ob=(2)
fn=(2)
* 30
cfn=(3) free
calls=1 0
0 9000

fn=(3)
0 4

fn=(4) 0x00000b66fd4b2470'2
0 500

totals: 654
";

    #[test]
    fn a_dump_has_the_instructions_of_each_part() {
        let count = Count {
            envoy: 120,
            allocator: 34,
            compiled: 500,
        };
        assert_eq!(
            Count::read(DUMP, std::slice::from_ref(&(0x0010_8000..0x0800_0000))),
            Some(count)
        );
    }

    #[test]
    fn a_dump_whose_lines_are_not_its_totals_is_refused() {
        assert_eq!(Count::read(&DUMP.replace("654", "653"), &[]), None);
    }
}

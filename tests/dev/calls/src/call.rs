//! A host call that is repeated.

use std::hint::black_box;

use tcp_peer_stats_core::host::{Buffer, Host as _, MetricId, MetricKind};

use crate::host::ProxyWasm;

/// The bytes of a frame, about.
const FRAME: usize = 600;

/// A key of shared data, and its value.
const SHARED: &str = "calls.shared";

pub(crate) struct Call {
    repetitions: u32,
    kind: Kind,
}

enum Kind {
    Nothing,
    Property(String),
    SetProperty,
    GetBuffer,
    SetBuffer,
    Define,
    Increment(Option<MetricId>),
    Time,
    ForeignFunction(String),
    /// The answer of `expr_create`.
    Expression(Vec<u8>),
    GetSharedData,
    SetSharedData,
}

impl Call {
    /// Reads `REPETITIONS NAME ARGUMENT`. The argument of `expr_evaluate` is an expression.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let repetitions = words.next()?.parse().ok()?;
        let (name, argument) = (words.next()?, words.next().unwrap_or_default());
        let kind = match name {
            "nothing" => Kind::Nothing,
            "get_property" => Kind::Property(argument.replace('.', "\0")),
            "set_property" => Kind::SetProperty,
            "get_buffer_bytes" => Kind::GetBuffer,
            "set_buffer_bytes" => Kind::SetBuffer,
            "define_metric" => Kind::Define,
            "increment_metric" => {
                let id = ProxyWasm.define_metric(MetricKind::Counter, "calls_incremented");
                Kind::Increment(id.ok())
            }
            "get_current_time_nanoseconds" => Kind::Time,
            "call_foreign_function" if argument == "expr_evaluate" => {
                let text = words.next()?;
                let token = ProxyWasm.call_foreign_function("expr_create", text.as_bytes());
                Kind::Expression(token.ok()?)
            }
            "call_foreign_function" => Kind::ForeignFunction(argument.to_owned()),
            "get_shared_data" => {
                ProxyWasm
                    .set_shared_data(SHARED, SHARED.as_bytes(), 0)
                    .ok()?;
                Kind::GetSharedData
            }
            "set_shared_data" => Kind::SetSharedData,
            _ => return None,
        };
        Some(Self { repetitions, kind })
    }

    pub(crate) fn repeat(&self) {
        (0..self.repetitions).for_each(|number| self.kind.once(number));
    }
}

impl Kind {
    fn once(&self, number: u32) {
        match self {
            Self::Nothing => {}
            Self::Property(path) => {
                black_box(ProxyWasm.property(path).ok());
            }
            Self::SetProperty => {
                black_box(ProxyWasm.set_property("calls", &[b'x'; FRAME]).ok());
            }
            Self::GetBuffer => {
                black_box(ProxyWasm.buffer(Buffer::Upstream, 0, FRAME).ok());
            }
            // Puts a frame in front of the bytes, and removes it in the next call.
            Self::SetBuffer => {
                let (len, with) = match number % 2 {
                    0 => (0, &[b'x'; FRAME][..]),
                    _ => (FRAME, &[][..]),
                };
                black_box(ProxyWasm.replace_front(Buffer::Upstream, len, with).ok());
            }
            // Each name is new: Envoy answers a name that it knows with less work.
            Self::Define => {
                let time = ProxyWasm.now().unwrap_or_default();
                let name = format!("calls_{}_{number}", time.as_nanos());
                black_box(ProxyWasm.define_metric(MetricKind::Counter, &name).ok());
            }
            Self::Increment(id) => {
                if let Some(id) = id {
                    black_box(ProxyWasm.increment(*id, 1).ok());
                }
            }
            Self::Time => {
                black_box(ProxyWasm.now().ok());
            }
            Self::ForeignFunction(name) => {
                black_box(ProxyWasm.call_foreign_function(name, &[]).ok());
            }
            Self::Expression(token) => {
                black_box(ProxyWasm.call_foreign_function("expr_evaluate", token).ok());
            }
            Self::GetSharedData => {
                black_box(ProxyWasm.shared_data(SHARED).ok());
            }
            Self::SetSharedData => {
                black_box(ProxyWasm.set_shared_data(SHARED, SHARED.as_bytes(), 0).ok());
            }
        }
    }
}

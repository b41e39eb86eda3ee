//! Host functions for metrics.

use super::{Guest, Word};
use crate::abi::{HostResult, MetricType};

pub(crate) fn proxy_define_metric(
    guest: &mut impl Guest,
    kind: u32,
    name: Word,
    name_size: Word,
    id: Word,
) -> HostResult {
    let name = guest.text(name, name_size)?;
    let kind = MetricType::try_from(kind)?;
    let metric = {
        let mut host = guest.host();
        let metric = host.metrics.define(kind, &name);
        host.trace.detail(|| format!("{kind:?} {name} → {metric}"));
        metric
    };
    guest.put(id, &metric.to_le_bytes())
}

pub(crate) fn proxy_increment_metric(guest: &mut impl Guest, id: u32, offset: u64) -> HostResult {
    let offset = offset.cast_signed();
    let mut host = guest.host();
    host.trace.detail(|| format!("{id} by {offset}"));
    host.metrics.increment(id, offset)
}

pub(crate) fn proxy_record_metric(guest: &mut impl Guest, id: u32, value: u64) -> HostResult {
    let mut host = guest.host();
    host.trace.detail(|| format!("{id} = {value}"));
    host.metrics.record(id, value)
}

pub(crate) fn proxy_get_metric(guest: &mut impl Guest, id: u32, value: Word) -> HostResult {
    let found = guest.host().metrics.get(id)?;
    guest.put(value, &found.to_le_bytes())
}

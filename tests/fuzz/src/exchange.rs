//! One connection through the filter's core.

use tcp_peer_stats_core::Plugin;
use tcp_peer_stats_core::host::Buffer;

use crate::host::FakeHost;

/// Passes the bytes and ends of one connection to the plugin, closes it twice, and returns the
/// bytes that the plugin passed on to the server and to the client, or `None` if the plugin ignores
/// the connection.
pub(crate) fn run(
    plugin: &Plugin<&FakeHost>,
    host: &FakeHost,
    events: &[(Buffer, &[u8], bool)],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let connection = plugin.on_new_connection(2)?;
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for (buffer, bytes, end) in events {
        *host.buffer.borrow_mut() = bytes.to_vec();
        connection.borrow_mut().on_data(*buffer, bytes.len(), *end);
        let passed = host.buffer.take();
        match buffer {
            Buffer::Downstream => to_server.extend(passed),
            Buffer::Upstream => to_client.extend(passed),
        }
        if *buffer == Buffer::Upstream && *end {
            connection.borrow_mut().on_upstream_close();
        }
        plugin.on_tick();
    }
    connection.borrow_mut().on_close();
    connection.borrow_mut().on_close();
    plugin.on_tick();
    Some((to_server, to_client))
}

//! The log lines of plugins in Envoy's log.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use envoy_process::Envoy;

/// Envoy's log, read as it grows.
pub struct PluginLog {
    file: File,
    /// The bytes of an incomplete line.
    rest: Vec<u8>,
    main_thread: String,
    /// The unread lines, by plugin.
    lines: HashMap<String, Vec<(u64, String)>>,
    count: u64,
}

impl PluginLog {
    /// Opens the log of an Envoy.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn open(envoy: &Envoy) -> io::Result<Self> {
        Ok(Self {
            file: File::open(envoy.log())?,
            rest: Vec::new(),
            main_thread: format!("[{}]", envoy.id()),
            lines: HashMap::new(),
            count: 0,
        })
    }

    /// Returns the lines that the plugin of this name logged on workers since the last call. The VMs
    /// of the main thread, which never see a connection, are left out.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn take(&mut self, plugin: &str) -> io::Result<Vec<String>> {
        let lines = self.take_numbered(plugin)?;
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    /// Returns the lines likewise, each with its position in the log, for plugins whose lines are to
    /// be in one order.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn take_numbered(&mut self, plugin: &str) -> io::Result<Vec<(u64, String)>> {
        self.file.read_to_end(&mut self.rest)?;
        let complete = self
            .rest
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let text: Vec<u8> = self.rest.drain(..complete).collect();
        for line in String::from_utf8_lossy(&text).lines() {
            if let Some((plugin, message)) = parse(line, &self.main_thread) {
                self.count += 1;
                let lines = self.lines.entry(plugin.to_owned()).or_default();
                lines.push((self.count, message.to_owned()));
            }
        }
        Ok(self.lines.remove(plugin).unwrap_or_default())
    }
}

/// `[time][thread][level][wasm] [file:line] wasm log <plugin> <vm>: <message>`.
fn parse<'a>(line: &'a str, main_thread: &str) -> Option<(&'a str, &'a str)> {
    let (head, rest) = line.split_once(" wasm log ")?;
    if head.contains(main_thread) {
        return None;
    }
    let (prefix, message) = rest.split_once(": ")?;
    Some((prefix.split(' ').next()?, message))
}

//! A minimal HTTP server for one page: one request per connection, and a fixed set of files.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The longest accepted request head, in bytes. Requests of browsers are shorter.
const LONGEST_HEAD: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// No content from other hosts is loaded and no inline script runs, so a label is always text.
const SECURITY_HEADERS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
     X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n";

/// A file of the page.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) path: &'static str,
    kind: &'static str,
    text: &'a str,
}

impl<'a> Page<'a> {
    pub(super) const fn html(path: &'static str, text: &'a str) -> Self {
        let kind = "text/html; charset=utf-8";
        Self { path, kind, text }
    }

    pub(super) const fn css(path: &'static str, text: &'a str) -> Self {
        let kind = "text/css; charset=utf-8";
        Self { path, kind, text }
    }

    pub(super) const fn script(path: &'static str, text: &'a str) -> Self {
        let kind = "text/javascript; charset=utf-8";
        Self { path, kind, text }
    }

    pub(super) const fn json(path: &'static str, text: &'a str) -> Self {
        let kind = "application/json";
        Self { path, kind, text }
    }
}

/// A complete request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    stream: &'a TcpStream,
    path: String,
    verdict: Result<(), &'static str>,
}

impl<'a> Request<'a> {
    /// Reads a request.
    pub(super) fn read(stream: &'a TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut lines = BufReader::new(stream.take(LONGEST_HEAD)).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let mut words = first.split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let mut host = String::new();
        for line in lines {
            let line = line?;
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("host") => {
                    value.trim().clone_into(&mut host);
                }
                Some(_) => {}
                None => break,
            }
        }
        // Rejects DNS rebinding: pages of other hosts whose names resolve to this machine.
        let here = stream.local_addr()?;
        let is_here = [here.to_string(), format!("localhost:{}", here.port())].contains(&host);
        let verdict = match method {
            Some("GET") if is_here => Ok(()),
            Some("GET") => Err("421 Misdirected Request"),
            _ => Err("405 Method Not Allowed"),
        };
        Ok(Self {
            stream,
            path,
            verdict,
        })
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Answers with a file, or with an error status if the request was rejected.
    pub(super) fn answer(&self, page: &Page<'_>) -> io::Result<()> {
        match self.verdict {
            Ok(()) => self.write("200 OK", page.kind, page.text),
            Err(status) => self.refuse(status),
        }
    }

    /// Answers with a status and no body.
    pub(super) fn refuse(&self, status: &str) -> io::Result<()> {
        self.write(status, "text/plain; charset=utf-8", status)
    }

    fn write(&self, status: &str, kind: &str, text: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n{SECURITY_HEADERS}\r\n",
            text.len(),
        );
        let mut stream = self.stream;
        stream.write_all(head.as_bytes())?;
        stream.write_all(text.as_bytes())
    }
}

//! The page with a script that measures it.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::apps::App;
use mesh::testing::Result;

/// Writes the widths of the content and of the window into the document.
const SCRIPT: &str = "<script>setInterval(() => { const root = document.documentElement; \
     root.dataset.widths = `${root.scrollWidth} ${innerWidth}`; }, 100);</script></body>";

/// A server that passes on the page of another one, with the script.
pub(super) struct Measured(App);

impl Measured {
    pub(super) fn start(url: &str) -> Result<Self> {
        let url = url.to_owned();
        Ok(Self(App::start(move |mut stream: &TcpStream| {
            let mut head = [0; 4096];
            let size = stream.read(&mut head)?;
            let head = String::from_utf8_lossy(head.get(..size).unwrap_or_default()).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let answer = ureq::get(format!("{}{path}", url.trim_end_matches('/'))).call();
            let Ok(mut answer) = answer else {
                return Ok(());
            };
            let kind = answer
                .headers()
                .get("content-type")
                .and_then(|it| it.to_str().ok());
            let kind = kind.unwrap_or_default().to_owned();
            let text = answer.body_mut().read_to_string().unwrap_or_default();
            let text = text.replace("</body>", SCRIPT);
            let length = text.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
            );
            stream.write_all(format!("{head}{text}").as_bytes())
        })?))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.0.address())
    }

    /// The widths of the content and of the window.
    pub(super) fn widths(&self, document: &str) -> Result<(u32, u32)> {
        let (_, rest) = document.split_once("data-widths=\"").ok_or("no widths")?;
        let widths = rest.split('"').next().unwrap_or_default();
        let (content, window) = widths.split_once(' ').ok_or("no widths")?;
        Ok((content.parse()?, window.parse()?))
    }
}

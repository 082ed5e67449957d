//! A client that does as it is told, also what no proper client does.

use crate::house::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

pub(crate) struct Wire {
    pub(crate) stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Wire {
    pub(crate) fn connect(socket: &Path) -> Wire {
        Wire::over(UnixStream::connect(socket).unwrap())
    }

    pub(crate) fn over(stream: UnixStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Wire { stream, reader }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn ask(&mut self, id: i64, method: &str, params: &Value) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(format!("{request}\n").as_bytes());
    }

    pub(crate) fn stop_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next line, `None` at the end. A reset counts as the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    pub(crate) fn message(&mut self) -> Value {
        serde_json::from_str(&self.line().expect("an answer")).unwrap()
    }

    /// The reply with this id (`None` = null); everything else is skipped.
    pub(crate) fn reply(&mut self, id: Option<i64>) -> Value {
        loop {
            let message = self.message();
            if message.get("method").is_none() && message["id"] == json!(id) {
                return message;
            }
        }
    }

    /// The code of the error that answers this id.
    pub(crate) fn error(&mut self, id: Option<i64>) -> i64 {
        let reply = self.reply(id);
        reply["error"]["code"].as_i64().unwrap_or_else(|| panic!("not an error: {reply}"))
    }

    pub(crate) fn raw(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// True once the daemon closed the connection and everything it said is read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.line().is_none()
    }
}

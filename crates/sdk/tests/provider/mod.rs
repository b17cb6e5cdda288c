//! A provider of models on a free port: it answers each request with the next of the answers that it was given.

use crate::receiver::{Got, read};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// One answer: its first line and headers, and its body in the pieces that it is sent in.
#[derive(Debug, Clone)]
pub struct Answer {
    status: &'static str,
    headers: String,
    pieces: Vec<Vec<u8>>,
    /// Whether the connection breaks after the pieces instead of ending as it should.
    breaks: bool,
}

impl Answer {
    pub fn json(status: &'static str, body: &clew_sdk::serde_json::Value) -> Self {
        let headers = "content-type: application/json\r\n".to_owned();
        Self { status, headers, pieces: vec![body.to_string().into_bytes()], breaks: false }
    }

    pub fn header(mut self, header: &str) -> Self {
        self.headers.push_str(header);
        self.headers.push_str("\r\n");
        self
    }

    /// Events, torn apart at places that do not heed lines and letters.
    pub fn events(text: &str) -> Self {
        let headers = "content-type: text/event-stream\r\n".to_owned();
        let pieces = text.as_bytes().chunks(23).map(<[u8]>::to_vec).collect();
        Self { status: "200 OK", headers, pieces, breaks: false }
    }

    pub fn breaking(mut self) -> Self {
        self.breaks = true;
        self
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let Self { status, headers, .. } = self;
        write!(
            stream,
            "HTTP/1.1 {status}\r\n{headers}connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )?;
        for piece in &self.pieces {
            write!(stream, "{:x}\r\n", piece.len())?;
            stream.write_all(piece)?;
            stream.write_all(b"\r\n")?;
            stream.flush()?;
        }
        if self.breaks { Ok(()) } else { stream.write_all(b"0\r\n\r\n") }
    }
}

#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    requests: Receiver<Got>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Provider {
    /// Answers so many requests, one connection each, and ends.
    pub fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let Some(got) = read(&mut BufReader::new(stream.try_clone().unwrap())) else { return };
                sender.send(got).unwrap();
                // Clients may go before the answer's end.
                drop(answer.send(&mut stream));
            }
        });
        Self { address, requests, thread: Some(thread) }
    }

    pub fn base(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests that came.
    pub fn requests(&self) -> Vec<Got> {
        self.requests.try_iter().collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Ends the thread if it still waits for a request.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

//! A file as the body of a request, read as it is sent: an import may be larger than memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use actix_web::web::Bytes;
use http_body::{Body, Frame};

use crate::failure::Failure;
use crate::files;

/// Read and sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// The body, and its length in bytes.
///
/// # Errors
/// [`Failure::Usage`]: the file cannot be read.
pub fn body(path: &Path) -> Result<(reqwest::Body, u64), Failure> {
    let file = File::open(path).map_err(|error| files::cannot_read(path, &error))?;
    let metadata = file
        .metadata()
        .map_err(|error| files::cannot_read(path, &error))?;
    if !metadata.is_file() {
        return Err(Failure::usage(format!("{} is no file", path.display())));
    }
    Ok((reqwest::Body::wrap(Chunks(Mutex::new(file))), metadata.len()))
}

/// A file on a local disk: its reads block for a moment, in a program that does nothing else meanwhile.
struct Chunks(Mutex<File>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(match file.read(&mut chunk) {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some(Ok(Frame::data(Bytes::from(chunk))))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

//! Answers over HTTP from whoever is not trusted: none is read beyond a bound, and what went wrong is said in one line.

use std::error::Error;

use reqwest::Response;
use thiserror::Error;

/// Why an answer was not read.
#[derive(Debug, Error)]
pub enum NotRead {
    /// It broke off, or took too long.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
    /// It is longer than the bound.
    #[error("it is longer than {bytes_max} bytes")]
    TooLong {
        /// The bound.
        bytes_max: usize,
    },
}

/// The body of an answer that may not be longer than so many bytes. No more than these are ever kept.
///
/// # Errors
/// See [`NotRead`].
pub async fn bounded(mut answer: Response, bytes_max: usize) -> Result<Vec<u8>, NotRead> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Err(NotRead::TooLong { bytes_max });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with what lies behind it, in one line. It may name an address: leave that out first where it is a secret.
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_bound_and_no_further() {
        let of = |length: usize| Response::from(axum::http::Response::new(vec![7; length]));

        assert_eq!(bounded(of(10), 10).await.unwrap(), [7; 10]);
        let refused = bounded(of(11), 10).await.unwrap_err();

        assert!(matches!(refused, NotRead::TooLong { bytes_max: 10 }));
        assert_eq!(causes(&refused), "it is longer than 10 bytes");
    }
}

//! `certs` against those who read what it makes: OpenSSL, webpki, rustls, and its own command line.

#[cfg(test)]
mod authority;
#[cfg(test)]
mod chains;
#[cfg(test)]
mod command;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod support;

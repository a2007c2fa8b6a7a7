//! A real actix-web listener and real clients on loopback, with certificates made for the purpose and a clock that the
//! tests turn: who gets in, who is kept out, and what changes while a connection is open.

#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod open_connections;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod reloads;
#[cfg(test)]
mod stand;

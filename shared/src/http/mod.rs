//! What both binaries do with a request before they understand it: limits on connections, heads, bodies and JSON.

pub mod body;
pub mod json;
pub mod limits;

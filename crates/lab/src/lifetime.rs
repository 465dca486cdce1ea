//! Times that bound every server.

use std::time::Duration;

/// How long a connection may last, whatever its behaviour; then the lab closes it.
pub const LIFETIME: Duration = Duration::from_secs(30);

/// How long a server waits after it could not accept a connection.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

//! Fleets of senders under attack.

/// A trace of a fleet: the bytes are its senders, clocks and operations. The properties are those of
/// [`fleet`](crate::fleet).
///
/// # Panics
/// Where a property is broken, with the operations.
pub fn fleet(data: &[u8]) {
    crate::fleet::run(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_trace() {
        for length in [0, 1, 20, 400] {
            for byte in [0, 7, 64, 255] {
                fleet(&vec![byte; length]);
            }
        }
    }
}

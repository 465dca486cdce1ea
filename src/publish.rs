//! What a domain owner publishes.

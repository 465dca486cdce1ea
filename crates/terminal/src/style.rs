//! Styles. `exit::print` drops them where the standard output is not a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use mta_sts::Status;

/// The style of titles.
pub const STRONG: Style = Style::new().bold();
/// The style of labels and explanations.
pub const FAINT: Style = Style::new().dimmed();
/// The style of a good result.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// The style of a fault.
pub const BAD: Style = AnsiColor::Red.on_default();
/// The style of a result that an administrator should look at.
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// Returns the text in a style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns the style of a status.
pub fn style_of(status: Status) -> Style {
    match status {
        Status::Found | Status::Confirmed => GOOD,
        Status::Held | Status::Unknown => DOUBTFUL,
        _ => Style::new(),
    }
}

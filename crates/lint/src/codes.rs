//! The codes that the module's documentation explains.

macro_rules! codes {
    ($($variant:ident = $text:literal,)+) => {
        /// The codes that are not those of an error type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Code { $($variant,)+ }

        impl Code {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)+];
        }

        impl From<Code> for &'static str {
            fn from(code: Code) -> &'static str {
                match code { $(Code::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    NotSts = "not_sts",
    TwoPolicies = "two_policies",
    SeveralRecords = "several_records",
    QuotedRecord = "quoted_record",
    ZoneLine = "zone_line",
    PolicyInRecord = "policy_in_record",
    OtherRecord = "other_record",
    StrayRecord = "stray_record",
    Empty = "empty",
    NotAPolicy = "not_a_policy",
    Json = "json",
    Yaml = "yaml",
    FrontMatter = "front_matter",
    Rtf = "rtf",
    Html = "html",
    Markdown = "markdown",
    Utf16 = "utf16",
    Binary = "binary",
    Pem = "pem",
    ZoneFile = "zone_file",
    HttpResponse = "http_response",
    RecordInPolicy = "record_in_policy",
    LiteralNewline = "literal_newline",
    CrLineEnds = "cr_line_ends",
    Comment = "comment",
    ByteOrderMark = "byte_order_mark",
    BlankLine = "blank_line",
    LeadingSpace = "leading_space",
    TrailingDot = "trailing_dot",
    Underscore = "underscore",
    MisspeltField = "misspelt_field",
    UnknownField = "unknown_field",
    RepeatedField = "repeated_field",
    Placeholder = "placeholder",
    ModeTesting = "mode_testing",
    ModeNone = "mode_none",
    NoneWithMx = "none_with_mx",
    MaxAgeUnderDay = "max_age_under_day",
    MaxAgeUnderWeeks = "max_age_under_weeks",
    MaxAgeCapped = "max_age_capped",
    AddressAsMx = "address_as_mx",
    DeadPattern = "dead_pattern",
    SingleLabel = "single_label",
    DuplicatePattern = "duplicate_pattern",
    CoveredPattern = "covered_pattern",
    BroadWildcard = "broad_wildcard",
    SharedWildcard = "shared_wildcard",
    MxNotCovered = "mx_not_covered",
    MxNotAName = "mx_not_a_name",
    NullMx = "null_mx",
    CertificateMismatch = "certificate_mismatch",
    PatternUnused = "pattern_unused",
    TooManyHosts = "too_many_hosts",
    More = "more",
}

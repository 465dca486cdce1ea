//! Judgement of records and policies, for people.

//! Scenario text to typed values: the only code that sees text.

//! Integer meters, dated price books, and the bill they make.

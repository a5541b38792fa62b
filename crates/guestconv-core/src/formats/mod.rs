//! Parsers and editors: text or bytes in, values out. They know nothing of conversion and open nothing.
//! Unedited text comes back byte for byte.
